// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.embed4j.EmbedException;
import io.embed4j.ModelFormatException;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.file.Damage;
import io.embed4j.core.file.JsonConfig;
import io.embed4j.core.text.TokenizerFiles.Panicking;
import io.embed4j.testkit.Fixture;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A panic in the native tokenizer ends the JVM. What is known to panic is refused before it gets there; what damage may do
 * beyond that is tried in JVMs of their own.
 */
class TokenizerCheckTest {
    @TempDir
    private Path folder;

    private Path write(String json) throws IOException {
        return Files.writeString(folder.resolve("tokenizer.json"), json);
    }

    private static int[] ids(TextTokenizer tokenizer, String text) {
        return tokenizer
                .tokenize(List.of(text), 0, "", true, TruncationPolicy.TRUNCATE, false)
                .get(0)
                .get(0)
                .ids();
    }

    static List<Panicking> panicking() {
        return TokenizerFiles.panicking();
    }

    @ParameterizedTest
    @MethodSource("panicking")
    void whatWouldEndTheJvmIsRefused(Panicking panicking) throws IOException {
        Path file = write(panicking.json());
        assertThatThrownBy(() -> TextTokenizer.load(file, 64, false))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(panicking.saying());
    }

    /** The other half: where this fails, tokenizers has learnt to report an error, and our check can go. */
    @Tag("full")
    @ParameterizedTest
    @MethodSource("panicking")
    void whatIsRefusedReallyEndsTheJvm(Panicking panicking) throws Exception {
        ForkedJvm jvm = ForkedJvm.run(Unchecked.class, write(panicking.json()), panicking.text());
        assertThat(jvm.exitCode()).as(jvm.output()).isNotZero();
        assertThat(jvm.output()).contains("panicked").doesNotContain("survived");
    }

    /** Loads a file and tokenizes a text without our check. */
    static final class Unchecked {
        private Unchecked() {}

        /**
         * Runs in a JVM of its own.
         *
         * @param arguments file and text
         */
        public static void main(String[] arguments) throws IOException {
            System.setProperty("OPT_OUT_TRACKING", "true");
            System.setProperty("ai.djl.offline", "true");
            byte[] json = Files.readAllBytes(Path.of(arguments[0]));
            try (HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.newInstance(
                    new ByteArrayInputStream(json), Map.of("truncation", "do_not_truncate", "padding", "do_not_pad"))) {
                int tokens = tokenizer.batchEncode(new String[] {arguments[1]})[0].getIds().length;
                System.out.println("survived with " + tokens + " tokens");
            }
        }
    }

    @Test
    void goodFilesPass() throws IOException {
        Map<String, int[]> expected = Map.of(
                TokenizerFiles.file(TokenizerFiles.WORD_PIECE, "post_processor", TokenizerFiles.TEMPLATE),
                new int[] {1, 2, 0, 2, 4},
                TokenizerFiles.file(TokenizerFiles.WORD_LEVEL),
                new int[] {1, 0, 0},
                TokenizerFiles.file(TokenizerFiles.BPE),
                new int[] {1, 0, 3},
                TokenizerFiles.file(TokenizerFiles.UNIGRAM),
                new int[] {1, 0, 3});
        for (Map.Entry<String, int[]> file : expected.entrySet()) {
            try (TextTokenizer tokenizer = TextTokenizer.load(write(file.getKey()), 64, false)) {
                assertThat(ids(tokenizer, "a c ab")).as(file.getKey()).isEqualTo(file.getValue());
            }
        }
    }

    /** Our reading of the table's format is the library's. */
    @Test
    void aGoodTablePassesAndReplaces() throws IOException {
        String normalizer = TokenizerFiles.precompiled(new CharsMapBytes().base64());
        Path file = write(TokenizerFiles.file(TokenizerFiles.UNIGRAM, "normalizer", normalizer));
        try (TextTokenizer tokenizer = TextTokenizer.load(file, 64, false)) {
            assertThat(ids(tokenizer, "X")).as("ab").containsExactly(3);
            assertThat(ids(tokenizer, "\u00E9")).as("b").containsExactly(2);
            assertThat(ids(tokenizer, "aX")).as("aab").containsExactly(1, 3);
        }
    }

    /** ModernBERT has such tokens behind NFC, which takes no white space away. */
    @Test
    void tokensOfWhiteSpacePassWhereNothingStripsThem() throws IOException {
        Path file = write(TokenizerFiles.file(
                TokenizerFiles.WORD_LEVEL,
                "normalizer",
                "{\"type\": \"NFC\"}",
                "added_tokens",
                "[" + TokenizerFiles.token("  ", "normalized") + "]"));
        try (TextTokenizer tokenizer = TextTokenizer.load(file, 64, false)) {
            assertThat(ids(tokenizer, "a  b")).containsExactly(1, 3, 2);
        }
    }

    /** One pass over the parts, no copy of the vocabulary. */
    @Test
    void aLargeVocabularyCostsNothing() {
        StringBuilder vocabulary = new StringBuilder("\"vocab\": {");
        for (int i = 10; i < 45_000; i++) {
            vocabulary.append("\"word").append(i).append("\": ").append(i).append(", ");
        }
        String text = TokenizerFiles.file(TokenizerFiles.WORD_LEVEL.replace("\"vocab\": {", vocabulary.toString()));
        assertThat(text.length()).isGreaterThan(700_000);
        JsonConfig tokenizer = JsonConfig.parse("tokenizer.json", text);
        TokenizerCheck.check(tokenizer);
        long before = Damage.allocatedBytes();
        TokenizerCheck.check(tokenizer);
        assertThat(Damage.allocatedBytes() - before).isLessThan(50_000);
    }

    @Test
    void damagedFilesAreReadOrRefused() throws Exception {
        Path wordPiece = Path.of(Fixture.load("bert-h36-a3").model()).resolve("tokenizer.json");
        Path unigram = Files.writeString(
                folder.resolve("unigram.json"),
                TokenizerFiles.file(
                        TokenizerFiles.UNIGRAM,
                        "normalizer",
                        TokenizerFiles.precompiled(new CharsMapBytes().base64())));
        Path bpe = Files.writeString(folder.resolve("bpe.json"), TokenizerFiles.file(TokenizerFiles.BPE));
        ForkedJvm jvm = ForkedJvm.run(Damaged.class, folder, wordPiece, unigram, bpe);
        assertThat(jvm.exitCode()).as(jvm.output()).isZero();
        assertThat(jvm.output()).contains("all were loaded or refused");
    }

    /** Damages tokenizer files, loads what is left, and tokenizes with what loads. */
    static final class Damaged {
        private static final List<String> TEXTS = List.of(
                "a ferry",
                "",
                "  \t ",
                "ab \uD80C\uDC00 \u4E2D\u6587 e\u0301 X\u00E9",
                "[CLS] a\u0000b\u200B",
                "\uFB01");

        private Damaged() {}

        /**
         * Runs in a JVM of its own.
         *
         * @param arguments a folder to write to, then good files
         */
        public static void main(String[] arguments) throws IOException {
            Path file = Path.of(arguments[0], "damaged.json");
            int loaded = 0;
            for (int f = 1; f < arguments.length; f++) {
                byte[] valid = Files.readAllBytes(Path.of(arguments[f]));
                for (int seed = 0; seed < 600; seed++) {
                    Files.write(file, Damage.damaged(valid, new Random(seed)));
                    try (TextTokenizer tokenizer = TextTokenizer.load(file, 64, false)) {
                        for (String text : TEXTS) {
                            tokenizer.tokenize(List.of(text, "b"), 0, "", true, TruncationPolicy.TRUNCATE, true);
                        }
                        loaded++;
                    } catch (EmbedException e) {
                        // Refused, or a text without tokens.
                    } catch (RuntimeException e) {
                        throw new AssertionError(arguments[f] + " seed " + seed, e);
                    }
                }
            }
            System.out.println("all were loaded or refused; loaded " + loaded);
        }
    }
}
