// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import io.embed4j.TokenEmbeddings.Token;
import io.embed4j.TruncationPolicy;
import io.embed4j.testkit.Fixture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Texts far beyond any model's maximum: tokenized in segments, with the tokens of the whole, in little memory. */
class LongTextTest {
    private static final int MEBIBYTE = 1 << 20;

    static Stream<Fixture> fixtures() {
        return Fixture.TINY.stream().map(Fixture::load);
    }

    private static Path tokenizerFile(Fixture fixture) {
        Path directory = Path.of(fixture.model());
        return Stream.of(directory, directory.resolve("0_Transformer"))
                .map(place -> place.resolve("tokenizer.json"))
                .filter(Files::exists)
                .findFirst()
                .orElseThrow();
    }

    /** The fixture's own texts, in random order, until there are enough chars. */
    private static String longText(Fixture fixture, int chars) {
        Random random = new Random(7);
        StringBuilder text = new StringBuilder();
        while (text.length() < chars) {
            text.append(fixture.texts().get(random.nextInt(fixture.texts().size())))
                    .append(' ');
        }
        return text.toString();
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void segmentsGiveTheTokensOfTheWhole(Fixture fixture) throws IOException {
        String text = longText(fixture, 100_000);
        Encoding whole;
        try (HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.newInstance(
                tokenizerFile(fixture), Map.of("truncation", "do_not_truncate", "padding", "do_not_pad"))) {
            whole = tokenizer.encode(text);
        }
        int[] wholeIds = Arrays.stream(whole.getIds()).mapToInt(id -> (int) id).toArray();
        TokenizedText result = tokenized(fixture, text, wholeIds.length, TruncationPolicy.TRUNCATE);
        assertThat(result.ids()).isEqualTo(wholeIds);
        assertThat(result.tokenCount()).isEqualTo(wholeIds.length);
        for (int i = 1; i < wholeIds.length - 1; i += 9973) {
            int start = text.offsetByCodePoints(0, whole.getCharTokenSpans()[i].getStart());
            assertThat(result.tokens().get(i).start())
                    .as("start of token %s", i)
                    .isEqualTo(start);
        }
    }

    /** Segments behind the cut are only counted. */
    @ParameterizedTest
    @MethodSource("fixtures")
    void aCutKeepsTheBeginningAndTheSpecialTokens(Fixture fixture) {
        String text = longText(fixture, 100_000);
        TokenizedText cut = tokenized(fixture, text, 40, TruncationPolicy.TRUNCATE);
        TokenizedText whole = tokenized(fixture, text, cut.tokenCount(), TruncationPolicy.ERROR);
        List<Token> wanted = new ArrayList<>(whole.tokens());
        int tail = (int) wanted.stream()
                .skip(cut.tokenCount() / 2)
                .filter(Token::special)
                .count();
        wanted.subList(40 - tail, wanted.size() - tail).clear();
        assertThat(cut.tokens()).isEqualTo(wanted);
        assertThat(cut.ids()).isEqualTo(wanted.stream().mapToInt(Token::id).toArray());
        assertThat(tokenized(fixture, text, 40, TruncationPolicy.CHUNK).tokens())
                .isEqualTo(wanted);
    }

    /** The text, or its first chunk. */
    private static TokenizedText tokenized(Fixture fixture, String text, int maxTokens, TruncationPolicy policy) {
        try (TextTokenizer tokenizer = TextTokenizer.load(tokenizerFile(fixture), maxTokens, false)) {
            return tokenizer
                    .tokenize(List.of(text), 0, "", true, policy, true)
                    .get(0)
                    .get(0);
        }
    }

    @Test
    void tenMegabytesFitIntoALittleHeap() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx96m",
                        "-cp",
                        System.getProperty("java.class.path"),
                        TenMegabytes.class.getName())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
        assertThat(output).contains("cut to 40 of ").endsWith("tokens\n");
        assertThat(process.exitValue()).as(output).isZero();
    }

    /** Runs in a JVM of its own. */
    static final class TenMegabytes {
        private TenMegabytes() {}

        public static void main(String[] arguments) {
            Fixture fixture = Fixture.load("bert-h48-a2");
            String text = longText(fixture, 10 * MEBIBYTE);
            try (TextTokenizer tokenizer = TextTokenizer.load(tokenizerFile(fixture), fixture.maxTokens(), false)) {
                TokenizedText result = tokenizer
                        .tokenize(List.of(text), 0, "", true, TruncationPolicy.TRUNCATE, false)
                        .get(0)
                        .get(0);
                System.out.println("cut to " + result.length() + " of " + result.tokenCount() + " tokens");
            }
        }
    }
}
