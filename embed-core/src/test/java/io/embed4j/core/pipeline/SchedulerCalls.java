// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.core.text.TokenizedText;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spi.Encoder;
import io.embed4j.spi.OutputRequest;
import io.embed4j.spi.PackedBatch;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.stream.IntStream;

/** Calls to a scheduler over a fake encoder, and what came back for them. */
abstract class SchedulerCalls {
    static final int DIMENSION = 4;
    static final int HIDDEN_SIZE = 3;
    static final EmbeddingSpec.Positions POSITIONS = EmbeddingSpec.LearnedPositions.ofEveryToken(512);
    static final OutputRequest POOLED = new OutputRequest.Pooled(PoolingSpec.of(PoolingMode.MEAN), DIMENSION, true);
    final Steps steps = new Steps();

    static FakeEncoder encoder(int maxTokens, int concurrentBatches, Executor worker) {
        return new FakeEncoder(new Encoder.Limits(maxTokens, 1_000_000, concurrentBatches), HIDDEN_SIZE, worker);
    }

    static OutOfDeviceMemoryException outOfMemory() {
        return new OutOfDeviceMemoryException(new FitReport(
                "m",
                "fake:0",
                Precision.FP32,
                false,
                1,
                new FitReport.Needs(1, 2, 3, 0, 0, 0),
                4,
                5,
                FitReport.Verdict.DOES_NOT_FIT,
                new FitReport.Room(0, 0, Map.of()),
                null,
                "Use less."));
    }

    static BatchScheduler scheduler(FakeEncoder encoder) {
        return new BatchScheduler(encoder, HIDDEN_SIZE, POSITIONS);
    }

    /** A call and what came back for it. */
    static final class Call {
        final List<TokenizedText> texts;
        final float[][] rows;
        final EncodeJob job;

        Call(List<TokenizedText> texts, OutputRequest request) {
            this.texts = texts;
            this.rows = new float[texts.size()][];
            this.job = new EncodeJob(
                    texts,
                    request,
                    (row, values, from, length) -> rows[row] = Arrays.copyOfRange(values, from, from + length));
        }

        CompletableFuture<Void> done() {
            return job.done();
        }

        void mustHaveItsVectors() {
            assertThat(job.done()).isCompleted();
            for (int row = 0; row < rows.length; row++) {
                assertThat(rows[row]).as("row %s", row).isEqualTo(FakeEncoder.pooled(texts.get(row), DIMENSION));
            }
        }

        void mustHaveFailedWith(Throwable cause) {
            assertThat(job.done()).isCompletedExceptionally();
            assertThatThrownBy(() -> job.done().join()).hasCause(cause);
        }
    }

    static TokenizedText text(Random random, int length) {
        int[] ids = random.ints(length, 0, 1000).toArray();
        return new TokenizedText(ids, new int[length], length, random.nextInt(length), List.of());
    }

    /** A call of texts of these lengths. */
    static Call call(long seed, int... lengths) {
        Random random = new Random(seed);
        return new Call(
                IntStream.of(lengths).mapToObj(length -> text(random, length)).toList(), POOLED);
    }

    static Call submitted(BatchScheduler scheduler, Call call) {
        scheduler.submit(call.job);
        return call;
    }

    static List<Integer> lengths(PackedBatch batch) {
        return IntStream.range(0, batch.rows()).map(batch::length).boxed().toList();
    }
}
