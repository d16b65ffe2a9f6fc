// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.cuda.Twins.Attention;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.DType;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Attention with all biases, written out in float64, is attention with those that are left, and the output's new bias. */
class AttentionBiasesTest {
    private static final int HIDDEN = 10;
    private static final int[] ROWS = {0, 7, 8, 20};
    private static final int REACH = 4;

    @TempDir
    private Path folder;

    private final Random random = new Random(3);

    /** A layer's attention, how its weights are stored, and what acts on scores beside it. */
    record Case(String name, AttentionSpec spec, DType stored, boolean transposed, boolean distances) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Case> cases() {
        AttentionSpec plain = AttentionSpec.bidirectional(4, 3, true);
        AttentionSpec grouped = plain.withKeyValueHeads(2);
        return Stream.of(
                new Case("BERT", plain, DType.FP32, false, false),
                new Case("transposed, fp16", plain, DType.FP16, true, false),
                new Case("grouped queries, bf16", grouped, DType.BF16, false, false),
                new Case("grouped queries, transposed, fp64", grouped, DType.FP64, true, false),
                new Case(
                        "one head of keys, no output bias",
                        plain.withKeyValueHeads(1).withBiases(true, false),
                        DType.FP32,
                        false,
                        false),
                new Case("no output bias, transposed", plain.withBiases(true, false), DType.FP32, true, false),
                new Case("causal", plain.withCausal(true), DType.FP32, false, false),
                new Case("window", plain.withWindow(OptionalInt.of(2)), DType.FP32, false, false),
                new Case("numbers by distance", plain, DType.FP32, false, true),
                new Case("causal, grouped, by distance", grouped.withCausal(true), DType.FP32, false, true),
                new Case("capped", capped(grouped), DType.FP32, false, false));
    }

    private static AttentionSpec capped(AttentionSpec spec) {
        return new AttentionSpec(
                spec.heads(),
                spec.keyValueHeads(),
                spec.headSize(),
                spec.scale(),
                spec.queryKeyValueBias(),
                spec.outputBias(),
                spec.causal(),
                spec.windowDistance(),
                spec.bias(),
                spec.rotary(),
                spec.queryKeyNorm(),
                1.5);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void nothingIsLost(Case c) throws IOException {
        AttentionSpec spec = c.spec();
        int queries = spec.projectionSize();
        int keys = spec.keyValueProjectionSize();
        Weights weights = new Weights(c);
        double[] queryBias = weights.add(WeightRole.QUERY_BIAS, queries);
        double[] keyBias = weights.add(WeightRole.KEY_BIAS, keys);
        double[] valueBias = weights.add(WeightRole.VALUE_BIAS, keys);
        double[] output = weights.add(WeightRole.ATTENTION_OUTPUT, HIDDEN, queries);
        double[] outputBias =
                spec.outputBias() ? weights.add(WeightRole.ATTENTION_OUTPUT_BIAS, HIDDEN) : new double[HIDDEN];
        int tokens = ROWS[ROWS.length - 1];
        double[] qkv = gaussians(tokens * (queries + 2 * keys));
        double[] distances = c.distances() ? gaussians(spec.heads() * (2 * REACH + 1)) : null;

        double[] expected = attended(spec, qkv, distances, queryBias, keyBias, valueBias, output, outputBias);
        float[] newBias = AttentionBiases.ofOutput(spec, weights.source(), 0);
        double[] widened = new double[HIDDEN];
        for (int i = 0; i < HIDDEN; i++) {
            widened[i] = newBias[i];
        }
        double[] nothing = new double[keys];
        double[] without = attended(spec, qkv, distances, queryBias, nothing, nothing, output, widened);
        if (spec.softcap() == 0) {
            assertThat(AttentionBiases.needPreparation(spec)).isFalse();
            assertThat(largestDifference(without, expected)).isLessThan(1e-6);
        } else {
            assertThat(AttentionBiases.needPreparation(spec)).isTrue();
            assertThat(largestDifference(without, expected))
                    .as("the key's bias counts")
                    .isGreaterThan(1e-3);
            double[] withKeyBias = attended(spec, qkv, distances, queryBias, keyBias, nothing, output, widened);
            assertThat(largestDifference(withKeyBias, expected)).isLessThan(1e-6);
        }
    }

    @Test
    void rotationAndNormsOfHeadsNeedTheirPass() {
        AttentionSpec plain = AttentionSpec.bidirectional(4, 8, false);
        assertThat(AttentionBiases.needPreparation(plain)).isFalse();
        assertThat(AttentionBiases.needPreparation(capped(plain))).isFalse();
        assertThat(AttentionBiases.needPreparation(plain.withQueryKeyNorm(NormSpec.rmsNorm(1e-6))))
                .isTrue();
        assertThat(AttentionBiases.needPreparation(
                        plain.withRotary(new RotarySpec(10_000, 8, RotarySpec.Pairing.HALVES, RopeScaling.none()))))
                .isTrue();
    }

    @Test
    void withoutBiasOfValuesTheOutputKeepsItsOwn() throws IOException {
        AttentionSpec spec = AttentionSpec.bidirectional(4, 3, false).withBiases(false, true);
        Weights weights = new Weights(new Case("", spec, DType.FP32, false, false));
        weights.add(WeightRole.ATTENTION_OUTPUT, HIDDEN, spec.projectionSize());
        double[] bias = weights.add(WeightRole.ATTENTION_OUTPUT_BIAS, HIDDEN);
        float[] found = AttentionBiases.ofOutput(spec, weights.source(), 0);
        for (int i = 0; i < HIDDEN; i++) {
            assertThat((double) found[i]).isEqualTo(bias[i]);
        }
    }

    /** [T, H]: attention over qkv with biases, and its output product. */
    private static double[] attended(
            AttentionSpec spec,
            double[] qkv,
            double @Nullable [] distances,
            double[] queryBias,
            double[] keyBias,
            double[] valueBias,
            double[] output,
            double[] outputBias) {
        int width = spec.projectionSize() + 2 * spec.keyValueProjectionSize();
        double[] biased = qkv.clone();
        for (int token = 0; token < qkv.length / width; token++) {
            addAll(biased, token * width, queryBias);
            addAll(biased, token * width + queryBias.length, keyBias);
            addAll(biased, token * width + queryBias.length + keyBias.length, valueBias);
        }
        double[] attended = new Attention(
                        spec.heads(),
                        spec.keyValueHeads(),
                        spec.headSize(),
                        spec.headSize(),
                        spec.scale(),
                        spec.softcap(),
                        spec.causal(),
                        spec.windowDistance().orElse(-1),
                        distances,
                        REACH,
                        null)
                .apply(biased, ROWS);
        int in = spec.projectionSize();
        double[] out = new double[attended.length / in * HIDDEN];
        for (int i = 0; i < out.length; i++) {
            out[i] = outputBias[i % HIDDEN];
            for (int j = 0; j < in; j++) {
                out[i] += output[i % HIDDEN * in + j] * attended[i / HIDDEN * in + j];
            }
        }
        return out;
    }

    private static void addAll(double[] to, int at, double[] from) {
        for (int i = 0; i < from.length; i++) {
            to[at + i] += from[i];
        }
    }

    private static double largestDifference(double[] found, double[] expected) {
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(found[i] - expected[i]));
        }
        return largest;
    }

    private double[] gaussians(int count) {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextGaussian();
        }
        return values;
    }

    /** Weights in files, stored as the case says. */
    private final class Weights {
        private final Case c;
        private final Map<WeightRole, WeightTensor> tensors = new EnumMap<>(WeightRole.class);

        Weights(Case c) {
            this.c = c;
        }

        /** Writes random numbers; returns them, [out, in], as the storage type has them. */
        double[] add(WeightRole role, Integer... shape) throws IOException {
            double[] values = gaussians(Stream.of(shape).reduce(1, (a, b) -> a * b));
            boolean transposed = c.transposed() && shape.length == 2;
            ByteBuffer bytes =
                    ByteBuffer.allocate(values.length * c.stored().bytes()).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < values.length; i++) {
                int columns = shape[shape.length - 1];
                int at = transposed ? i % columns * shape[0] + i / columns : i;
                values[i] = StorageFormat.write(c.stored(), bytes, at, (float) values[i]);
            }
            Path file = folder.resolve(role.name());
            Files.write(file, bytes.array());
            FileRegion region = new FileRegion(file, 0, bytes.capacity());
            tensors.put(role, new WeightTensor(role.name(), c.stored(), List.of(shape), transposed, region));
            return values;
        }

        WeightSource source() {
            return (role, index) -> Optional.ofNullable(tensors.get(role));
        }
    }
}
