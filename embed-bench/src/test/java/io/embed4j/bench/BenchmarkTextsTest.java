// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class BenchmarkTextsTest {

    @BeforeAll
    static void callNobody() {
        System.setProperty("OPT_OUT_TRACKING", "true");
    }

    @Test
    void textsHaveTheTokensAskedFor() throws IOException {
        try (InputStream json = Objects.requireNonNull(
                        BenchmarkTexts.class.getResourceAsStream("/all-minilm-l6-v2-tokenizer.json"));
                HuggingFaceTokenizer tokenizer =
                        HuggingFaceTokenizer.newInstance(json, Map.of("padding", "false", "truncation", "false"))) {
            for (int tokens : new int[] {3, 5, 16, 128, 2000}) {
                assertThat(BenchmarkTexts.make(20, tokens, tokens, 1))
                        .allSatisfy(text -> assertThat(tokenizer.encode(text).getIds())
                                .as(text)
                                .hasSize(tokens));
            }
            Set<Integer> mixed = BenchmarkTexts.make(2000, 5, 9, 1).stream()
                    .map(text -> tokenizer.encode(text).getIds().length)
                    .collect(Collectors.toSet());
            assertThat(mixed).isEqualTo(IntStream.rangeClosed(5, 9).boxed().collect(Collectors.toSet()));
        }
    }

    @Test
    void theSameSeedGivesTheSameTexts() {
        assertThat(BenchmarkTexts.make(10, 5, 128, 7)).isEqualTo(BenchmarkTexts.make(10, 5, 128, 7));
        assertThat(BenchmarkTexts.make(10, 5, 128, 7)).isNotEqualTo(BenchmarkTexts.make(10, 5, 128, 8));
    }
}
