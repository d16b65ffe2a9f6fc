// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Hits;
import io.embed4j.VectorIndex;
import io.embed4j.testkit.Fixture;
import org.junit.jupiter.api.Test;

/** What users do: texts to vectors to an index to the nearest texts, all on one GPU. */
@RequiresDevice
class CudaVectorIndexTest {
    @Test
    void textsAreFoundByThemselves() {
        Fixture fixture = Fixture.load("bert-h48-a2");
        try (Embedder embedder = Embedder.builder()
                        .model(fixture.model())
                        .device("cuda:0")
                        .build();
                VectorIndex index = VectorIndex.builder().device("cuda:0").build(embedder.dimension())) {
            Embeddings vectors = embedder.embed(fixture.texts());
            index.add(vectors);
            Hits hits = index.search(vectors, 2);
            assertThat(index.size()).isEqualTo(vectors.size());
            for (int text = 0; text < vectors.size(); text++) {
                assertThat(hits.score(text, 0)).isBetween(0.999999f, 1.000001f);
                assertThat(hits.score(text, 1)).isLessThanOrEqualTo(hits.score(text, 0));
                int found = (int) hits.id(text, 0);
                assertThat(vectors.vector(found)).isEqualTo(vectors.vector(text));
            }
        }
    }
}
