// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.TokenEmbeddings;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.testkit.Fixture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Outputs that are larger than their place on the device come out in pieces, and nobody sees the seams. */
@RequiresDevice
class OutputInPiecesTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h36-a3");
    private static final int HIDDEN_SIZE = 36;
    private Embedder embedder;

    /** A budget whose output holds 150 rows of the hidden size. */
    @BeforeEach
    void open() {
        embedder = Embedder.builder()
                .model(FIXTURE.model())
                .device("cuda:0")
                .maxBatchTokens(600)
                .build();
    }

    @AfterEach
    void close() {
        embedder.close();
    }

    private static List<String> shortTexts(int count) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(Character.toString('a' + i % 26));
        }
        return texts;
    }

    @Test
    void allPoolingModesBesideEachOtherAreEachByItself() {
        List<String> texts = shortTexts(197);
        EmbedOptions raw = EmbedOptions.defaults().withNormalize(false);
        Embeddings all = embedder.embed(texts, raw.withPooling(PoolingSpec.of(PoolingMode.values())));
        assertThat(all.dimension()).isEqualTo(6 * HIDDEN_SIZE);
        List<PoolingMode> modes = List.of(PoolingMode.values());
        for (int mode = 0; mode < modes.size(); mode++) {
            Embeddings one = embedder.embed(texts, raw.withPooling(PoolingSpec.of(modes.get(mode))));
            int from = mode * HIDDEN_SIZE;
            for (int row = 0; row < texts.size(); row++) {
                assertThat(Arrays.copyOfRange(all.vector(row), from, from + HIDDEN_SIZE))
                        .as("mode %s of text %s", modes.get(mode), row)
                        .isEqualTo(one.vector(row));
            }
        }
    }

    @Test
    void moreTokensThanTheOutputHoldsAreEachTheirOwn() {
        List<String> texts = FIXTURE.texts();
        List<TokenEmbeddings> together = embedder.embedTokens(texts);
        for (int row = 0; row < texts.size(); row++) {
            TokenEmbeddings alone =
                    embedder.embedTokens(texts.subList(row, row + 1)).get(0);
            for (int token = 0; token < alone.size(); token++) {
                assertThat(together.get(row).vector(token))
                        .as("token %s of text %s", token, row)
                        .isEqualTo(alone.vector(token));
            }
        }
    }

    @Test
    void vectorsTooWideForAnyPieceAreRefused() {
        PoolingSpec many = new PoolingSpec(Collections.nCopies(200, PoolingMode.MEAN), true);
        assertThatThrownBy(() ->
                        embedder.embed(shortTexts(20), EmbedOptions.defaults().withPooling(many)))
                .hasMessageContaining("by 200 pooling modes are wider than there is memory for");
        assertThat(embedder.embed("a").size()).isEqualTo(1);
    }
}
