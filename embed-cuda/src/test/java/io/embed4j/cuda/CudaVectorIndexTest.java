// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Hits;
import io.embed4j.InvalidTextException;
import io.embed4j.Precision;
import io.embed4j.SimilarityFunction;
import io.embed4j.TextIndex;
import io.embed4j.TextRole;
import io.embed4j.VectorIndex;
import io.embed4j.testkit.Fixture;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUresult;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What users do: texts to vectors to an index to the nearest texts, all on one GPU. */
@RequiresDevice
class CudaVectorIndexTest {
    private static final Fixture FIXTURE = Fixture.load("bert-h48-a2");
    private static final int DIMENSION = 48;
    private static final List<String> QUERIES = List.of("red house", "a river in winter", "numbers 1 2 3 4 5 6 7 8");

    private static final EmbedOptions AS_DOCUMENTS = EmbedOptions.defaults().withRole(TextRole.DOCUMENT);
    private static final EmbedOptions AS_QUERIES = EmbedOptions.defaults().withRole(TextRole.QUERY);

    private static Embedder embedder() {
        return Embedder.builder()
                .model(FIXTURE.model())
                .device("cuda:0")
                .maxBatchTokens(300)
                .build();
    }

    private static VectorIndex index(Precision storage) {
        return VectorIndex.builder().device("cuda:0").storage(storage).build(DIMENSION);
    }

    /** Of all lengths, so that batches take them in another order; some twice, so that there are ties. */
    private static List<String> texts(int count) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add("text " + i % 70 + " on" + " and on".repeat(i % 70 * 7 % 5));
        }
        return texts;
    }

    private static void assertSame(Hits hits, Hits expected) {
        assertThat(hits.queries()).isEqualTo(expected.queries());
        for (int query = 0; query < hits.queries(); query++) {
            for (int rank = 0; rank < hits.k(); rank++) {
                assertThat(hits.id(query, rank)).isEqualTo(expected.id(query, rank));
                assertThat(hits.score(query, rank)).isEqualTo(expected.score(query, rank));
            }
        }
    }

    @Test
    void textsAreFoundByThemselves() {
        try (Embedder embedder = embedder();
                VectorIndex index = index(Precision.FP32)) {
            Embeddings vectors = embedder.embed(FIXTURE.texts());
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

    /** Not a byte of a vector goes to the device; without that, uploads are the same to the byte. */
    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16", "BF16"})
    void vectorsOfTextsStayOnTheDevice(Precision storage) {
        int count = 90;
        List<String> texts = texts(count);
        try (EmulatedDevice emulated = new EmulatedDevice();
                Embedder embedder = embedder();
                VectorIndex onDevice = index(storage);
                VectorIndex overHost = index(storage)) {
            TextIndex index = new TextIndex(embedder, onDevice);
            long start = emulated.bytesCopiedIn();
            index.add(texts);
            long added = emulated.bytesCopiedIn();
            overHost.add(embedder.embed(texts, AS_DOCUMENTS));
            long addedOverHost = emulated.bytesCopiedIn();
            int places = Integer.BYTES * (count + 1);
            assertThat(added - start)
                    .isEqualTo(addedOverHost - added - (long) count * DIMENSION * Float.BYTES + places);

            long before = emulated.bytesCopiedIn();
            Hits hits = index.search(QUERIES, 20, null);
            long searched = emulated.bytesCopiedIn();
            Hits expected = overHost.search(embedder.embed(QUERIES, AS_QUERIES), 20);
            long searchedOverHost = emulated.bytesCopiedIn();
            assertSame(hits, expected);
            int queryPlaces = Integer.BYTES * (QUERIES.size() + 1);
            assertThat(searched - before)
                    .isEqualTo(searchedOverHost
                            - searched
                            - (long) QUERIES.size() * DIMENSION * Float.BYTES
                            + queryPlaces);
            assertThat(onDevice.rows()).isEqualTo(overHost.rows()).isEqualTo(count);
        }
    }

    /** Several windows of texts; when the device is full, results are the same. */
    @Test
    void textsBeyondTheDevicesMemoryAreFoundToo() {
        List<String> texts = texts(520);
        List<String> queries = texts.subList(505, 520);
        try (EmulatedDevice emulated = new EmulatedDevice();
                Embedder embedder = embedder();
                VectorIndex overHost = index(Precision.FP32);
                VectorIndex onDevice = index(Precision.FP32);
                VectorIndex full = index(Precision.FP32)) {
            overHost.add(embedder.embed(texts, AS_DOCUMENTS));
            Hits expected = overHost.search(embedder.embed(queries, AS_QUERIES), 3);
            new TextIndex(embedder, onDevice).add(texts);
            assertSame(new TextIndex(embedder, onDevice).search(queries, 3, null), expected);
            emulated.memorySize(emulated.usedBytes());
            new TextIndex(embedder, full).add(texts);
            assertSame(new TextIndex(embedder, full).search(queries, 3, null), expected);
        }
    }

    /** Vectors that are no unit vectors have to be divided by their length, which is done on the host. */
    @Test
    void vectorsOfAnyLengthAreFoundByTheirDirection() {
        EmbedOptions asTheyAre = EmbedOptions.defaults().withNormalize(false);
        try (Embedder embedder = embedder();
                VectorIndex cosine = index(Precision.FP16);
                VectorIndex dot = VectorIndex.builder()
                        .device("cuda:0")
                        .similarity(SimilarityFunction.DOT)
                        .build(DIMENSION)) {
            Embeddings vectors = embedder.embed(FIXTURE.texts(), asTheyAre);
            for (VectorIndex index : List.of(cosine, dot)) {
                TextIndex texts = new TextIndex(embedder, index, asTheyAre, asTheyAre);
                texts.add(FIXTURE.texts());
                assertSame(texts.search(FIXTURE.texts(), 4, null), index.search(vectors, 4));
            }
            assertThat(cosine.search(vectors, 1).score(0, 0)).isBetween(0.999999f, 1.000001f);
        }
    }

    @Test
    void aTextThatCannotBeEmbeddedLeavesNothingBehind() {
        List<String> texts = texts(520);
        texts.set(515, "\ud800");
        try (EmulatedDevice emulated = new EmulatedDevice();
                Embedder embedder = embedder();
                VectorIndex index = index(Precision.FP32)) {
            TextIndex onDevice = new TextIndex(embedder, index);
            assertThatThrownBy(() -> onDevice.add(texts))
                    .isInstanceOfSatisfying(
                            InvalidTextException.class,
                            e -> assertThat(e.index()).isEqualTo(515));
            assertThat(index.rows()).isZero();
            assertThatThrownBy(() -> onDevice.add(new long[] {1}, List.of("one", "two")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("There are 1 ids for 2 texts.");
            onDevice.add(List.of("one", "two"));
            assertThat(onDevice.search("two", 3).count(0)).isEqualTo(2);
            assertThat(onDevice.search("two", 1).id(0, 0)).isEqualTo(1);
            long used = emulated.usedBytes();
            for (int round = 0; round < 8; round++) {
                onDevice.search("two", 1);
            }
            assertThat(emulated.usedBytes()).isEqualTo(used);
        }
    }

    /** Whatever call fails on the way of texts, all or none are added, what is found is right, and nothing leaks. */
    @Test
    void failuresOfTheDeviceLeaveNothingBehind() {
        List<String> texts = texts(12);
        try (EmulatedDevice emulated = new EmulatedDevice()) {
            long used = emulated.usedBytes();
            Hits expected;
            long calls;
            try (Embedder embedder = embedder();
                    VectorIndex index = index(Precision.FP16)) {
                long start = emulated.fallibleCalls();
                TextIndex onDevice = new TextIndex(embedder, index);
                onDevice.add(texts);
                expected = onDevice.search(QUERIES, 5, null);
                calls = emulated.fallibleCalls() - start;
            }
            int failures = 0;
            for (long call = 1; call <= calls; call += 1 + calls / 12) {
                try (Embedder embedder = embedder();
                        VectorIndex index = index(Precision.FP16)) {
                    TextIndex onDevice = new TextIndex(embedder, index);
                    emulated.failCall(call, CUresult.CUDA_ERROR_INVALID_VALUE);
                    try {
                        onDevice.add(texts);
                        assertSame(onDevice.search(QUERIES, 5, null), expected);
                    } catch (EmbedException e) {
                        failures++;
                    }
                    emulated.heal();
                    assertThat(index.rows()).isIn(0, texts.size());
                }
            }
            assertThat(failures).isGreaterThan(6);
            assertThat(emulated.usedBytes()).isEqualTo(used);
        }
    }
}
