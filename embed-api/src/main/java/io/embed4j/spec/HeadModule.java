// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * A step from the pooled vector to the result: what follows Pooling in a sentence-transformers pipeline.
 *
 * <pre>{@code
 * List<HeadModule> head = List.of(new HeadModule.Dense(768, 512, true, Activation.TANH), new HeadModule.Normalize());
 * }</pre>
 *
 * @since 0.1
 */
public sealed interface HeadModule {

    /**
     * A linear layer and an activation; weights under {@link WeightRole#HEAD_DENSE} by the module's place in the head.
     *
     * <pre>{@code
     * HeadModule.Dense dense = new HeadModule.Dense(768, 512, true, Activation.IDENTITY);
     * }</pre>
     *
     * @param inputSize numbers in
     * @param outputSize numbers out
     * @param bias whether there is a bias
     * @param activation the nonlinearity
     */
    record Dense(int inputSize, int outputSize, boolean bias, Activation activation) implements HeadModule {}

    /**
     * A LayerNorm over the vector.
     *
     * <pre>{@code
     * HeadModule.LayerNorm norm = new HeadModule.LayerNorm(768, NormSpec.layerNorm(1e-5, true));
     * }</pre>
     *
     * @param size numbers in and out
     * @param norm the normalization
     */
    record LayerNorm(int size, NormSpec norm) implements HeadModule {}

    /**
     * Division by the Euclidean norm (at least 1e-12).
     *
     * <pre>{@code
     * HeadModule unit = new HeadModule.Normalize();
     * }</pre>
     */
    record Normalize() implements HeadModule {}
}
