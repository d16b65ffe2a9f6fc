// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.spec.DType;
import java.nio.ReadOnlyBufferException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ReportsAndResultsTest {

    private static FitReport report(FitReport.Verdict verdict, String remedy) {
        return new FitReport(
                "org/large",
                "cuda:0",
                Precision.FP32,
                false,
                16_384,
                new FitReport.Needs(7_945_689_498L, 1_288_490_189L, 536_870_912L, 104_857_600L, 1, 2),
                8_375_186_227L,
                16_857_746_637L,
                verdict,
                new FitReport.Room(4096, 512, Map.of(DType.FP32, 3L)),
                null,
                remedy);
    }

    @Test
    void aFitReportIsItsArithmeticInWords() {
        FitReport report = report(FitReport.Verdict.FITS_WITH_REMEDY, "Lower maxBatchTokens to 4096.");
        assertThat(report.neededBytes()).isEqualTo(9_875_908_199L);
        assertThat(report)
                .hasToString(
                        "org/large in fp32 needs 9.2 GiB (weights 7.4, activations 1.2, workspace 0.50, staging 0.10);"
                                + " cuda:0 has 7.8 GiB free of 15.7. Lower maxBatchTokens to 4096.");
        assertThat(report(FitReport.Verdict.FITS, "").toString()).endsWith("free of 15.7.");
    }

    @Test
    void outOfMemoryCarriesTheReport() {
        FitReport report = report(FitReport.Verdict.DOES_NOT_FIT, "Use fp16.");
        OutOfDeviceMemoryException failure = new OutOfDeviceMemoryException(report);
        assertThat(failure.report()).isSameAs(report);
        assertThat(failure).hasMessage(report.toString());
    }

    @Test
    void hitsThatAreNotThereDoNotCount() {
        float none = Float.NEGATIVE_INFINITY;
        Hits hits = new Hits(2, new long[] {5, -1, 7, -8, -1, -1}, new float[] {.5f, none, .4f, .3f, none, none});
        assertThat(hits.queries()).isEqualTo(3);
        assertThat(List.of(hits.count(0), hits.count(1), hits.count(2))).containsExactly(1, 2, 0);
        assertThat(hits.id(1, 1)).as("users may choose negative ids").isEqualTo(-8);
        assertThat(hits.score(1, 0)).isEqualTo(.4f);
    }

    @Test
    void hitsCheckTheirSizesAndPlaces() {
        assertThatThrownBy(() -> new Hits(2, new long[3], new float[3]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Sizes do not fit: 3 ids, 3 scores, k = 2.");
        assertThatThrownBy(() -> new Hits(0, new long[0], new float[0])).isInstanceOf(IllegalArgumentException.class);
        Hits hits = new Hits(2, new long[4], new float[4]);
        assertThatThrownBy(() -> hits.id(1, 2))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessage("Result 2 of query 1; there are [2, 2].");
        assertThatThrownBy(() -> hits.score(-1, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void embeddingsCheckTheirSizesAndRows() {
        assertThatThrownBy(() -> Embeddings.of(3, new float[5], new int[2], new boolean[2]))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Sizes do not fit: 5 numbers, 2 token counts, 2 flags, dimension 3.");
        Embeddings vectors = Embeddings.of(2, new float[] {1, 0, 3, 4}, new int[] {3, 9}, new boolean[] {false, true});
        assertThat(vectors.toArray()).isDeepEqualTo(new float[][] {{1, 0}, {3, 4}});
        assertThat(vectors.cosine(0, 1)).isEqualTo(0.6);
        assertThat(vectors.truncatedCount()).isEqualTo(1);
        assertThat(vectors).hasToString("Embeddings[2, 2]");
        assertThatThrownBy(() -> vectors.values().put(0, 1f)).isInstanceOf(ReadOnlyBufferException.class);
        assertThatThrownBy(() -> vectors.vector(2))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessage("Row 2 of 2.");
        vectors.vector(0)[0] = 7;
        assertThat(vectors.vector(0)).containsExactly(1, 0);
    }

    @Test
    void tokenEmbeddingsCheckTheirSizes() {
        TokenEmbeddings.Token token = new TokenEmbeddings.Token("a", 5, 0, 1, 0, false);
        assertThatThrownBy(() -> new TokenEmbeddings(List.of(token), 3, new float[4], 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Sizes do not fit: 4 numbers for 1 tokens of 3.");
        TokenEmbeddings tokens = new TokenEmbeddings(List.of(token, token), 2, new float[] {1, 2, 3, 4}, 5);
        assertThat(tokens.vector(1)).containsExactly(3, 4);
        assertThat(tokens.truncated()).isTrue();
    }

    @Test
    void wordsAreRunsOfTheirTokens() {
        List<TokenEmbeddings.Token> tokens = List.of(
                new TokenEmbeddings.Token("[CLS]", 1, 0, 0, TokenEmbeddings.Token.NO_WORD, true),
                new TokenEmbeddings.Token("un", 2, 0, 2, 0, false),
                new TokenEmbeddings.Token("##tie", 3, 2, 5, 0, false),
                new TokenEmbeddings.Token("it", 4, 6, 8, 2, false));
        TokenEmbeddings embeddings = new TokenEmbeddings(tokens, 1, new float[] {9, 1, 4, 5}, 5);
        assertThat(embeddings.words())
                .containsExactly(new TokenEmbeddings.Word(0, 0, 5, 1, 3), new TokenEmbeddings.Word(2, 6, 8, 3, 4));
        assertThat(embeddings.vector(embeddings.words().get(0))).containsExactly(2.5f);
    }

    @Test
    void resultsPrintWhatALogWants() {
        float none = Float.NEGATIVE_INFINITY;
        assertThat(new Hits(2, new long[] {5, -1}, new float[] {.5f, none})).hasToString("Hits[1, 2] 5=0.5");
        assertThat(new Hits(1, new long[] {5, 7}, new float[] {.5f, .4f})).hasToString("Hits[2, 1] 5=0.5 ...");
        assertThat(Hits.ofStrings(4, new long[4], new float[4], new String[] {"a", "b", "c", "d"}))
                .hasToString("Hits[1, 4] a=0.0, b=0.0, c=0.0 ...");
        assertThat(new Hits(1, new long[0], new float[0])).hasToString("Hits[0, 1]");
        assertThat(new TokenEmbeddings(List.of(), 3, new float[0], 0)).hasToString("TokenEmbeddings[0, 3]");
    }
}
