// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.DeviceInfo;
import io.embed4j.EmbedOptions;
import io.embed4j.Embedder;
import io.embed4j.Embeddings;
import io.embed4j.Precision;
import io.embed4j.ProgressListener;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.index.EncodedRows;
import io.embed4j.core.model.ModelDefinition;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.text.TextTokenizer;
import io.embed4j.spi.DeviceId;
import io.embed4j.spi.DeviceRows;
import io.embed4j.spi.Encoder;
import io.embed4j.testkit.Fixture;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Vectors that stay on the device: each in its place, whatever becomes of batches and calls. */
class EmbeddedRowsTest {
    private static final int DIMENSION = 48;
    private static final ModelDefinition MODEL =
            ModelLoader.load(Fixture.load("bert-h48-a2").model());

    private static FakeEncoder encoder(int maxTokens, Executor worker) {
        return new FakeEncoder(new Encoder.Limits(maxTokens, 1_000_000, 3), DIMENSION, worker).withRooms(100);
    }

    private static Embedder embedder(FakeEncoder encoder) {
        return new DefaultEmbedder(
                MODEL,
                new DeviceInfo("cpu", "fake", "a fake", "none", 1, 1),
                Precision.FP32,
                TextTokenizer.load(MODEL.tokenizerFile(), MODEL.maxTokens(), MODEL.lowerCase()),
                encoder,
                () -> {});
    }

    /** All different, and of all lengths. */
    private static List<String> texts(String word, int count) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            texts.add(word + " " + Integer.toString(i, 3).replaceAll("(.)", "$1 ") + "on ".repeat(i * 7 % 13));
        }
        return texts;
    }

    private static EncodedRows rows(Embedder embedder, List<String> texts) {
        return (EncodedRows) embedder.embedRows(texts.iterator(), EmbedOptions.defaults(), ProgressListener.NONE);
    }

    /** Compares all vectors, here and there, with those of a plain call; returns how many were on the device. */
    private static int check(Embedder embedder, List<String> texts) {
        Embeddings expected = embedder.embed(texts);
        int next = 0;
        int there = 0;
        try (EncodedRows rows = rows(embedder, texts)) {
            assertThat(rows.device()).isEqualTo(DeviceId.CPU);
            Iterator<EncodedRows.Slice> slices = rows.slices(true);
            while (slices.hasNext()) {
                try (EncodedRows.Slice slice = slices.next()) {
                    int count = slice.values().remaining() / DIMENSION;
                    float[] values = new float[count * DIMENSION];
                    slice.values().duplicate().get(values);
                    for (int row = 0; row < count; row++) {
                        assertThat(Arrays.copyOfRange(values, row * DIMENSION, (row + 1) * DIMENSION))
                                .isEqualTo(expected.vector(next + row));
                    }
                    if (slice.onDevice().isPresent()) {
                        DeviceRows onDevice = slice.onDevice().get();
                        FloatBuffer block = FloatBuffer.allocate(count * DIMENSION);
                        onDevice.block().copyTo(block);
                        for (int row = 0; row < count; row++) {
                            int at = onDevice.places()[row] * DIMENSION;
                            assertThat(Arrays.copyOfRange(block.array(), at, at + DIMENSION))
                                    .isEqualTo(expected.vector(next + row));
                        }
                        there += count;
                    }
                    next += count;
                }
            }
        }
        assertThat(next).isEqualTo(texts.size());
        return there;
    }

    @Test
    void vectorsAreInTheirPlaces() {
        FakeEncoder encoder = encoder(200, Runnable::run);
        try (Embedder embedder = embedder(encoder)) {
            assertThat(check(embedder, texts("a", 1300))).isEqualTo(1300);
            assertThat(check(embedder, List.of())).isZero();
            assertThat(check(embedder, List.of(""))).isOne();
        }
        assertThat(encoder.batches().size()).isGreaterThan(20);
        assertThat(encoder.openRooms()).isZero();
        assertThat(encoder.writtenBehindClosedDoors()).isZero();
    }

    /** Batches are halved, and have rows of several calls. */
    @Test
    void vectorsOfManyCallsAreInTheirPlacesHoweverTheirBatchesFare() throws Exception {
        ExecutorService worker = Executors.newFixedThreadPool(3);
        ExecutorService callers = Executors.newFixedThreadPool(4);
        FakeEncoder encoder =
                encoder(400, worker).failing(batch -> batch.rows() > 9 ? SchedulerCalls.outOfMemory() : null);
        try (Embedder embedder = embedder(encoder)) {
            List<Future<Integer>> calls = new ArrayList<>();
            for (String word : List.of("a", "the", "of", "in")) {
                calls.add(callers.submit(() -> check(embedder, texts(word, 300))));
            }
            for (Future<Integer> call : calls) {
                assertThat(call.get()).isEqualTo(300);
            }
        } finally {
            worker.shutdown();
            callers.shutdown();
        }
        assertThat(encoder.openRooms()).isZero();
        assertThat(encoder.writtenBehindClosedDoors()).isZero();
    }

    @Test
    void whereThereIsNoRoomVectorsComeToTheHost() {
        FakeEncoder encoder = encoder(200, Runnable::run).withRooms(1);
        try (Embedder embedder = embedder(encoder)) {
            assertThat(check(embedder, texts("a", 1300))).isBetween(1, 1299);
            assertThat(encoder.withRooms(0).openRooms()).isZero();
            assertThat(check(embedder, texts("a", 600))).isZero();
        }
    }

    /** A text in chunks is put together on the host. */
    @Test
    void textsInChunksComeToTheHost() {
        EmbedOptions chunks = EmbedOptions.defaults().withTruncation(TruncationPolicy.CHUNK);
        List<String> texts = List.of("short", "long ".repeat(2000));
        try (Embedder embedder = embedder(encoder(5000, Runnable::run));
                EncodedRows rows = (EncodedRows) embedder.embedRows(texts.iterator(), chunks, ProgressListener.NONE)) {
            Embeddings expected = embedder.embed(texts, chunks);
            EncodedRows.Slice slice = rows.slices(true).next();
            assertThat(slice.onDevice()).isEmpty();
            assertThat(slice.values()).isEqualTo(expected.values());
        }
    }

    /** What is given up is freed, but not before the device has written to it. */
    @Test
    void rowsThatAreGivenUpAreFreedBehindTheirBatches() {
        Steps steps = new Steps();
        FakeEncoder encoder = encoder(200, steps);
        Embedder embedder = embedder(encoder);
        EncodedRows rows = rows(embedder, texts("a", 1300));
        Iterator<EncodedRows.Slice> slices = rows.slices(true);
        Thread.currentThread().interrupt();
        assertThatThrownBy(slices::next).hasMessageContaining("interrupted");
        assertThat(Thread.interrupted()).isTrue();
        rows.close();
        assertThat(encoder.openRooms()).isPositive();
        steps.all();
        assertThat(encoder.openRooms()).isZero();
        assertThat(encoder.writtenBehindClosedDoors()).isZero();
        embedder.close();
        assertThatThrownBy(() -> rows(embedder, List.of("x")).slices(true).next())
                .hasMessageContaining("closed");
        assertThat(encoder.openRooms()).isZero();
    }

    @Test
    void rowsAreReadOnce() {
        try (Embedder embedder = embedder(encoder(200, Runnable::run));
                EncodedRows rows = rows(embedder, List.of("x", "y"))) {
            FloatBuffer one = FloatBuffer.allocate(DIMENSION);
            assertThat(rows.read(one)).isOne();
            assertThat(rows.read(FloatBuffer.allocate(5 * DIMENSION))).isOne();
            assertThat(rows.read(FloatBuffer.allocate(DIMENSION))).isZero();
            assertThatThrownBy(() -> rows.slices(true)).hasMessageContaining("embedded once");
        }
    }
}
