// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelFormatException;
import io.embed4j.TokenEmbeddings.Token;
import io.embed4j.TruncationPolicy;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TextTokenizerTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h48-a2");
    private static final Path FILE = Path.of(FIXTURE.model()).resolve("tokenizer.json");
    private static final int CLS = FIXTURE.tokenIds(0)[0];
    private static final int SEP = last(FIXTURE.tokenIds(0));

    /** Each of these words is one token of the fixture's vocabulary. */
    private static final String TWENTY_WORDS = "a b c d e f g h i j k l m n o p q r s t";

    @TempDir
    private Path folder;

    private static int last(int[] ids) {
        return ids[ids.length - 1];
    }

    private static TextTokenizer tokenizer(int maxTokens) {
        return TextTokenizer.load(FILE, maxTokens, false);
    }

    private static List<TokenizedText> tokenize(TextTokenizer tokenizer, String text, TruncationPolicy policy) {
        return tokenizer.tokenize(List.of(text), 0, "", true, policy, true).get(0);
    }

    private static TokenizedText truncated(TextTokenizer tokenizer, String text) {
        List<TokenizedText> pieces = tokenize(tokenizer, text, TruncationPolicy.TRUNCATE);
        assertThat(pieces).hasSize(1);
        return pieces.get(0);
    }

    // Texts that are refused

    @Test
    @SuppressWarnings("NullAway") // users do what their compiler lets them
    void aNullTextIsNamedByItsPlace() {
        assertThatThrownBy(() -> TextTokenizer.check(null, 7))
                .isInstanceOfSatisfying(
                        InvalidTextException.class, e -> assertThat(e.index()).isEqualTo(7))
                .hasMessage("Text 7 is null. Use \"\" for an empty text.");
    }

    @ParameterizedTest
    @CsvSource({
        "ab\uD83D, D83D, 2",
        "\uDE00ab, DE00, 0",
        "\uD83Dx, D83D, 0",
        "\uDE00\uD83D, DE00, 0",
        "\uD83D\uD83D\uDE00, D83D, 0",
        "\uD83D\uDE00\uDE00, DE00, 2"
    })
    void halfACharacterIsNamedByItsPlace(String text, String unit, int at) {
        assertThatThrownBy(() -> TextTokenizer.check(text, 3))
                .isInstanceOfSatisfying(
                        InvalidTextException.class, e -> assertThat(e.index()).isEqualTo(3))
                .hasMessage("Text 3 has a lone surrogate U+" + unit + " at char " + at
                        + ": it is not valid Unicode. Was it cut in the middle of a character?");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "\0", "\u0007\uFFFF\uFEFF", "a\uD83D\uDE00", "\uDBFF\uDFFF"})
    void everythingElseIsTaken(String text) {
        TextTokenizer.check(text, 0);
        try (TextTokenizer tokenizer = tokenizer(40)) {
            assertThat(truncated(tokenizer, text).ids()).startsWith(CLS).endsWith(SEP);
        }
    }

    @Test
    void aTextThatIsTooLongIsNamedByItsPlaceInTheWholeCall() {
        try (TextTokenizer tokenizer = tokenizer(10)) {
            List<String> texts = List.of("a", TWENTY_WORDS);
            assertThatThrownBy(() -> tokenizer.tokenize(texts, 500, "", true, TruncationPolicy.ERROR, false))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(501))
                    .hasMessage("Text 501 has 22 tokens; the model takes 10. Shorten it, or use the truncation policy"
                            + " TRUNCATE or CHUNK.");
            assertThat(tokenize(tokenizer, "a b c d e f g h", TruncationPolicy.ERROR))
                    .as("ten tokens are not too many")
                    .hasSize(1);
        }
    }

    @Test
    void aTextWithoutTokensIsNamed() throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), TokenizerFiles.file(TokenizerFiles.WORD_LEVEL));
        try (TextTokenizer tokenizer = TextTokenizer.load(file, 40, false)) {
            assertThatThrownBy(
                            () -> tokenizer.tokenize(List.of("a", " "), 5, "", true, TruncationPolicy.TRUNCATE, false))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(6))
                    .hasMessage("Text 6 gives no tokens at all, so it has no vector. Leave it out.");
        }
    }

    @Test
    void aTextOnWhichTheTokenizerFailsIsNamed() throws IOException {
        // byte_fallback without the bytes: passes our check, works for most texts.
        String model =
                TokenizerFiles.UNIGRAM.replace("\"unk_id\": 0, \"byte_fallback\": false", "\"byte_fallback\": true");
        Path file = Files.writeString(folder.resolve("tokenizer.json"), TokenizerFiles.file(model));
        try (TextTokenizer tokenizer = TextTokenizer.load(file, 40, false)) {
            assertThat(truncated(tokenizer, "ab a").ids()).containsExactly(3, 1);
            assertThatThrownBy(
                            () -> tokenizer.tokenize(List.of("a", "c"), 8, "", true, TruncationPolicy.TRUNCATE, false))
                    .isInstanceOf(EmbedException.class)
                    .hasMessage("Text 9 cannot be tokenized: Encountered an unknown token but `unk_id` is missing");
            assertThat(truncated(tokenizer, "b").ids())
                    .as("the tokenizer goes on")
                    .containsExactly(2);
        }
    }

    // Cutting

    @Test
    void aLongTextKeepsItsSpecialTokensAndLosesItsEnd() {
        try (TextTokenizer all = tokenizer(100);
                TextTokenizer ten = tokenizer(10)) {
            TokenizedText whole = truncated(all, TWENTY_WORDS);
            assertThat(whole.ids()).hasSize(22).startsWith(CLS).endsWith(SEP);
            assertThat(whole.truncated()).isFalse();
            TokenizedText cut = truncated(ten, TWENTY_WORDS);
            assertThat(cut.ids())
                    .hasSize(10)
                    .startsWith(Arrays.copyOf(whole.ids(), 9))
                    .endsWith(SEP);
            assertThat(cut.typeIds()).hasSize(10);
            assertThat(cut.tokenCount()).isEqualTo(22);
            assertThat(cut.truncated()).isTrue();
            assertThat(cut.tokens())
                    .extracting(Token::id)
                    .containsExactlyElementsOf(Arrays.stream(cut.ids()).boxed().toList());
            assertThat(cut.tokens().get(0).special()).isTrue();
            assertThat(cut.tokens().get(9).special()).isTrue();
            assertThat(cut.tokens().get(8).end())
                    .as("h is the last word that is left")
                    .isEqualTo(15);
        }
    }

    /** The fixture's tokenizer.json truncates and pads to 20; that is one user's setting, not the model's. */
    @Test
    void whatTokenizerJsonSaysOfTruncationAndPaddingIsNotObeyed() throws IOException {
        assertThat(Files.readString(FILE)).contains("\"max_length\": 20", "\"Fixed\": 20");
        try (TextTokenizer tokenizer = tokenizer(40)) {
            assertThat(truncated(tokenizer, TWENTY_WORDS).ids()).hasSize(22);
            assertThat(truncated(tokenizer, "a").ids()).hasSize(3);
        }
    }

    @Test
    void chunksAreTheWholeTextInPieces() {
        try (TextTokenizer all = tokenizer(100);
                TextTokenizer ten = tokenizer(10)) {
            int[] whole = truncated(all, TWENTY_WORDS).ids();
            List<TokenizedText> chunks = tokenize(ten, TWENTY_WORDS, TruncationPolicy.CHUNK);
            assertThat(chunks).extracting(TokenizedText::length).containsExactly(10, 10, 6);
            List<Integer> own = new ArrayList<>();
            for (TokenizedText chunk : chunks) {
                assertThat(chunk.ids()).startsWith(CLS).endsWith(SEP);
                assertThat(chunk.truncated()).isFalse();
                own.addAll(Arrays.stream(chunk.ids(), 1, chunk.length() - 1)
                        .boxed()
                        .toList());
            }
            assertThat(own)
                    .containsExactlyElementsOf(
                            Arrays.stream(whole, 1, whole.length - 1).boxed().toList());
            assertThat(tokenize(ten, "a b", TruncationPolicy.CHUNK)).hasSize(1);
        }
    }

    @Test
    void aModelWithoutRoomBesideSpecialTokensCannotCut() {
        for (TruncationPolicy policy : List.of(TruncationPolicy.TRUNCATE, TruncationPolicy.CHUNK)) {
            try (TextTokenizer two = tokenizer(2)) {
                assertThatThrownBy(() -> tokenize(two, "a", policy))
                        .isInstanceOf(InvalidTextException.class)
                        .hasMessage("Text 0 cannot be cut: the model takes 2 tokens, and the 2 special tokens leave no"
                                + " room.");
                assertThat(tokenize(two, "", policy).get(0).ids()).containsExactly(CLS, SEP);
            }
        }
    }

    // Prompts, case

    @Test
    void aPromptIsPutBeforeEveryTextAndCountedIfItIsNotPooled() {
        try (TextTokenizer tokenizer = tokenizer(10)) {
            int[] joined = truncated(tokenizer, "a b: c").ids();
            List<TokenizedText> pooled =
                    tokenizer.tokenize(List.of("c", ""), 0, "a b: ", true, TruncationPolicy.TRUNCATE, true).stream()
                            .map(pieces -> pieces.get(0))
                            .toList();
            assertThat(pooled.get(0).ids()).isEqualTo(joined);
            assertThat(pooled.get(0).poolStart()).isZero();
            Token own = pooled.get(0).tokens().get(joined.length - 2);
            assertThat(List.of(own.start(), own.end()))
                    .as("offsets count from the text")
                    .containsExactly(0, 1);
            TokenizedText left = tokenizer
                    .tokenize(List.of("c"), 0, "a b: ", false, TruncationPolicy.TRUNCATE, false)
                    .get(0)
                    .get(0);
            assertThat(left.poolStart()).as("[CLS] a b :").isEqualTo(4);
            TokenizedText cut = tokenizer
                    .tokenize(List.of("c"), 0, TWENTY_WORDS, false, TruncationPolicy.TRUNCATE, false)
                    .get(0)
                    .get(0);
            assertThat(cut.poolStart()).as("something is left to pool").isEqualTo(9);
        }
    }

    @Test
    void lowerCasingIsAStepBeforeTheTokenizersOwn() {
        Path cased = Path.of(Fixture.load("bert-h40-a5").model()).resolve("tokenizer.json");
        try (TextTokenizer asItIs = TextTokenizer.load(cased, 40, false);
                TextTokenizer lowered = TextTokenizer.load(cased, 40, true)) {
            int[] expected = truncated(asItIs, "the \u00C4ra of \u0130 ferry".toLowerCase(Locale.ROOT))
                    .ids();
            assertThat(truncated(lowered, "The \u00C4RA of \u0130 Ferry").ids()).isEqualTo(expected);
            assertThat(truncated(asItIs, "The \u00C4RA of \u0130 Ferry").ids()).isNotEqualTo(expected);
        }
    }

    @Test
    void samplesAreRandomTokensBetweenTheSpecialOnes() {
        try (TextTokenizer tokenizer = tokenizer(40)) {
            List<int[]> rows = tokenizer.sampleRows(253);
            assertThat(rows.get(0)).containsExactly(CLS, SEP);
            assertThat(rows).allSatisfy(row -> {
                assertThat(row).startsWith(CLS).endsWith(SEP).hasSizeLessThanOrEqualTo(40);
                assertThat(Arrays.stream(row).max().orElseThrow()).isLessThan(253);
            });
            assertThat(rows.stream().mapToInt(row -> row.length).distinct().count())
                    .isGreaterThan(5);
        }
    }

    // Files

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{}",
                "[]",
                "null",
                "\"text\"",
                "{\"model\": 5}",
                "{\"model\": {}}",
                "{\"model\": {\"type\": \"WordPiece\"}}",
                "{\"model\": {\"type\": \"Magic\", \"vocab\": {}}}",
                "{\"version\": \"9.0\", \"model\": {\"type\": \"WordLevel\", \"vocab\": {\"u\": 0}, \"unk_token\": \"u\"}}",
                "version https://git-lfs.github.com/spec/v1"
            })
    void whatIsNoTokenizerIsNamed(String content) throws IOException {
        Path file = Files.writeString(folder.resolve("tokenizer.json"), content);
        assertThatThrownBy(() -> TextTokenizer.load(file, 40, false))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(file.toString());
    }

    @Test
    void filesThatCannotBeReadAreNamed() throws IOException {
        Path missing = folder.resolve("tokenizer.json");
        assertThatThrownBy(() -> TextTokenizer.load(missing, 40, false))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(missing + " is missing.");
        assertThatThrownBy(() -> TextTokenizer.load(folder, 40, false))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder + " cannot be loaded as a tokenizer: ");
        Path notUtf8 =
                Files.write(folder.resolve("latin1.json"), new byte[] {'{', '"', (byte) 0xE4, '"', ':', '1', '}'});
        assertThatThrownBy(() -> TextTokenizer.load(notUtf8, 40, false))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(notUtf8.toString());
    }

    // Life

    @Test
    void aClosedTokenizerSaysSo() {
        TextTokenizer tokenizer = tokenizer(40);
        tokenizer.close();
        tokenizer.close();
        assertThatThrownBy(() -> tokenize(tokenizer, "a", TruncationPolicy.TRUNCATE))
                .isInstanceOf(EmbedderClosedException.class)
                .hasMessage("The embedder was closed during the call.");
    }

    /** The native tokenizer must not be freed under a call: that would be a crash, not an exception. */
    @Test
    void closingUnderManyCallsEndsThemCleanly() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        List<String> texts = Collections.nCopies(50, TWENTY_WORDS);
        try {
            for (int round = 0; round < 30; round++) {
                TextTokenizer tokenizer = tokenizer(40);
                List<Future<Boolean>> calls = IntStream.range(0, 4)
                        .mapToObj(i -> threads.submit(() -> {
                            try {
                                while (true) {
                                    tokenizer.tokenize(texts, 0, "", true, TruncationPolicy.TRUNCATE, false);
                                }
                            } catch (EmbedderClosedException e) {
                                return true;
                            }
                        }))
                        .toList();
                tokenizer.tokenize(texts, 0, "", true, TruncationPolicy.TRUNCATE, false);
                tokenizer.close();
                for (Future<Boolean> call : calls) {
                    assertThat(call.get()).isTrue();
                }
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
