// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

import java.util.List;
import java.util.Optional;

/**
 * The only description of an encoder's architecture. A model family fills it from {@code config.json}; a backend reads
 * it and never asks for the family's name. A feature that a backend cannot honour is an error that names the feature.
 *
 * <pre>{@code
 * LayerSpec layer = new LayerSpec(
 *         AttentionSpec.bidirectional(12, 32, true),
 *         new FeedForwardSpec(1536, Activation.GELU_ERF, false, true, true),
 *         LayerSpec.NormPlacement.POST,
 *         NormSpec.layerNorm(1e-12, true),
 *         true);
 * EncoderSpec miniLm = new EncoderSpec(
 *         384,
 *         new EmbeddingSpec(30522, 384, 2, EmbeddingSpec.LearnedPositions.ofEveryToken(512), 1.0, Optional.of(layer.norm())),
 *         Collections.nCopies(6, layer),
 *         Optional.empty(),
 *         PoolingSpec.of(PoolingMode.MEAN),
 *         List.of(new HeadModule.Normalize()),
 *         false);
 * if (miniLm.outputSize() != 384) throw new AssertionError();
 * }</pre>
 *
 * @param hiddenSize H
 * @param embedding from token ids to the first [T, H]
 * @param layers the L layers, first to last
 * @param finalNorm the norm after the last layer, if any
 * @param pooling from token vectors to one vector
 * @param head what follows pooling, in order
 * @param overflowsFp16 whether activations are known to leave the range of fp16 (T5, Gemma)
 * @since 0.1
 */
public record EncoderSpec(
        int hiddenSize,
        EmbeddingSpec embedding,
        List<LayerSpec> layers,
        Optional<NormSpec> finalNorm,
        PoolingSpec pooling,
        List<HeadModule> head,
        boolean overflowsFp16) {

    /** Copies the lists and checks that sizes fit together. */
    public EncoderSpec {
        layers = List.copyOf(layers);
        head = List.copyOf(head);
        if (hiddenSize < 1) {
            throw new IllegalArgumentException("Hidden size must be positive, found " + hiddenSize + ".");
        }
        if (layers.isEmpty()) {
            throw new IllegalArgumentException("An encoder needs at least one layer.");
        }
        int size = pooling.outputSize(hiddenSize);
        for (HeadModule module : head) {
            int expected = module instanceof HeadModule.Dense dense
                    ? dense.inputSize()
                    : module instanceof HeadModule.LayerNorm norm ? norm.size() : size;
            if (expected != size) {
                throw new IllegalArgumentException(
                        "Head module " + module + " expects " + expected + " numbers but gets " + size + ".");
            }
            size = module instanceof HeadModule.Dense dense ? dense.outputSize() : size;
        }
    }

    /**
     * Returns the length of a text's vector after the whole head.
     *
     * @return D
     */
    public int outputSize() {
        int size = pooling.outputSize(hiddenSize);
        for (HeadModule module : head) {
            if (module instanceof HeadModule.Dense dense) {
                size = dense.outputSize();
            }
        }
        return size;
    }

    /**
     * Tells whether vectors leave the head with unit length.
     *
     * @return true if the last head module is {@link HeadModule.Normalize}
     */
    public boolean normalizes() {
        return !head.isEmpty() && head.get(head.size() - 1) instanceof HeadModule.Normalize;
    }

    /**
     * Returns every weight the encoder needs, with its shape.
     *
     * @return embeddings first, then layer by layer, then the head
     */
    public List<WeightShape> weightShapes() {
        return WeightShape.of(this);
    }
}
