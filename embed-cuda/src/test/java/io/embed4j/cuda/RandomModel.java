// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.spec.Activation;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.DType;
import io.embed4j.spec.EmbeddingSpec;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import io.embed4j.spec.RopeScaling;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.FileRegion;
import io.embed4j.spi.WeightSource;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.IntStream;

/** Encoders of random shape in the manner of the families, with zeros for weights: to plan and to load, not to be right. */
final class RandomModel {
    private static final List<DType> STORED = List.of(DType.FP32, DType.FP16, DType.BF16, DType.FP64);

    private final Random random;
    private final Path zeros;

    /**
     * Makes a file of zeros.
     *
     * @param random decides on everything
     * @param folder where the file goes
     */
    RandomModel(Random random, Path folder) throws IOException {
        this.random = random;
        this.zeros = folder.resolve("zeros").toRealPath();
    }

    /** Writes the file that weights are read from: nothing but a length. */
    static void writeZeros(Path folder, long bytes) throws IOException {
        try (RandomAccessFile file =
                new RandomAccessFile(folder.resolve("zeros").toFile(), "rw")) {
            file.setLength(bytes);
        }
    }

    private int between(int least, int most) {
        return least + random.nextInt(most - least + 1);
    }

    EncoderSpec spec() {
        int headSize = 2 * between(1, 24);
        return switch (random.nextInt(5)) {
            case 0 -> bert(headSize);
            case 1 -> electra(headSize);
            case 2 -> mpnet(headSize);
            case 3 -> nomic(headSize);
            default -> qwen(headSize);
        };
    }

    private EncoderSpec bert(int headSize) {
        int heads = between(1, 5);
        int hidden = heads * headSize;
        NormSpec norm = NormSpec.layerNorm(1e-12, true);
        EmbeddingSpec embedding =
                new EmbeddingSpec(between(20, 3000), hidden, between(0, 3), learned(), 1, Optional.of(norm));
        return encoder(
                hidden,
                embedding,
                postNorm(AttentionSpec.bidirectional(heads, headSize, true), norm),
                Optional.empty());
    }

    private EncoderSpec electra(int headSize) {
        int heads = between(1, 5);
        NormSpec norm = NormSpec.layerNorm(1e-12, true);
        EmbeddingSpec embedding =
                new EmbeddingSpec(between(20, 3000), between(1, 90), 2, learned(), 1, Optional.of(norm));
        return encoder(
                heads * headSize,
                embedding,
                postNorm(AttentionSpec.bidirectional(heads, headSize, true), norm),
                Optional.empty());
    }

    private EncoderSpec mpnet(int headSize) {
        int heads = between(1, 5);
        int hidden = heads * headSize;
        NormSpec norm = NormSpec.layerNorm(1e-5, true);
        AttentionBias bias = random.nextBoolean()
                ? new AttentionBias.RelativeBuckets(32, 128)
                : new AttentionBias.Alibi(IntStream.range(0, heads)
                        .mapToObj(head -> Math.pow(2, -head - 1))
                        .toList());
        EmbeddingSpec embedding = new EmbeddingSpec(between(20, 3000), hidden, 0, learned(), 1, Optional.of(norm));
        AttentionSpec attention =
                AttentionSpec.bidirectional(heads, headSize, true).withBias(bias);
        return encoder(hidden, embedding, postNorm(attention, norm), Optional.empty());
    }

    private LayerSpec postNorm(AttentionSpec attention, NormSpec norm) {
        FeedForwardSpec feedForward = new FeedForwardSpec(between(1, 300), Activation.GELU_ERF, false, true, true);
        return new LayerSpec(attention, feedForward, LayerSpec.NormPlacement.POST, norm, true);
    }

    private EncoderSpec nomic(int headSize) {
        int heads = between(1, 5);
        int hidden = heads * headSize;
        NormSpec norm = NormSpec.layerNorm(1e-12, true);
        LayerSpec layer = new LayerSpec(
                rotary(heads, heads, headSize, false, Optional.empty()),
                new FeedForwardSpec(between(1, 300), Activation.SILU, true, false, false),
                LayerSpec.NormPlacement.POST,
                norm,
                true);
        EmbeddingSpec embedding = new EmbeddingSpec(between(20, 3000), hidden, 2, inAttention(), 1, Optional.of(norm));
        return encoder(hidden, embedding, layer, Optional.empty());
    }

    private EncoderSpec qwen(int headSize) {
        int groups = between(1, 3);
        int hidden = between(3, 160);
        NormSpec norm = NormSpec.rmsNorm(1e-6);
        LayerSpec layer = new LayerSpec(
                rotary(groups * between(1, 3), groups, headSize, true, Optional.of(norm)),
                new FeedForwardSpec(between(1, 300), Activation.SILU, true, false, false),
                LayerSpec.NormPlacement.PRE,
                norm,
                true);
        EmbeddingSpec embedding = new EmbeddingSpec(between(20, 3000), hidden, 0, inAttention(), 1, Optional.empty());
        return encoder(hidden, embedding, layer, Optional.of(norm));
    }

    private static AttentionSpec rotary(
            int heads, int groups, int headSize, boolean causal, Optional<NormSpec> queryKeyNorm) {
        return new AttentionSpec(
                heads,
                groups,
                headSize,
                1 / Math.sqrt(headSize),
                causal,
                false,
                causal,
                OptionalInt.empty(),
                AttentionBias.none(),
                Optional.of(new RotarySpec(10_000, headSize, RotarySpec.Pairing.HALVES, RopeScaling.none())),
                queryKeyNorm,
                0);
    }

    private EmbeddingSpec.Positions learned() {
        return EmbeddingSpec.LearnedPositions.ofEveryToken(between(16, 600));
    }

    private EmbeddingSpec.Positions inAttention() {
        return new EmbeddingSpec.PositionsInAttention(between(16, 600));
    }

    private EncoderSpec encoder(int hidden, EmbeddingSpec embedding, LayerSpec layer, Optional<NormSpec> finalNorm) {
        List<HeadModule> head = new ArrayList<>();
        if (random.nextBoolean()) {
            head.add(new HeadModule.Dense(hidden, between(1, 700), random.nextBoolean(), Activation.TANH));
        }
        head.add(new HeadModule.Normalize());
        return new EncoderSpec(
                hidden,
                embedding,
                Collections.nCopies(between(1, 3), layer),
                finalNorm,
                PoolingSpec.of(PoolingMode.MEAN),
                head,
                false);
    }

    /** Zeros for every weight, all stored in the same random way. */
    WeightSource weights(EncoderSpec spec) {
        DType stored = STORED.get(random.nextInt(STORED.size()));
        Map<String, WeightTensor> byPlace = new HashMap<>();
        for (WeightShape shape : spec.weightShapes()) {
            byPlace.put(
                    place(shape.role(), shape.index()),
                    new WeightTensor(
                            shape.role().name(),
                            stored,
                            shape.shape(),
                            false,
                            new FileRegion(zeros, 0, shape.elements() * stored.bytes())));
        }
        return (role, index) -> Optional.ofNullable(byPlace.get(place(role, index)));
    }

    private static String place(WeightRole role, int index) {
        return role + " " + index;
    }
}
