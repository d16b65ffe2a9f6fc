// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spec;

/**
 * What a weight does in the encoder. Families map Hugging Face parameter names to roles; backends ask by role.
 *
 * <p>Shapes are those of PyTorch: a linear layer's weight is [out, in].
 *
 * <pre>{@code
 * WeightRole role = WeightRole.QUERY;
 * if (!role.perLayer()) throw new AssertionError();
 * }</pre>
 *
 * @since 0.1
 */
public enum WeightRole {
    /** [vocabulary, E]. */
    TOKEN_EMBEDDING(Scope.MODEL),
    /** [positions, E]. */
    POSITION_EMBEDDING(Scope.MODEL),
    /** [types, E]. */
    TYPE_EMBEDDING(Scope.MODEL),
    /** [E]. */
    EMBEDDING_NORM_GAIN(Scope.MODEL),
    /** [E]. */
    EMBEDDING_NORM_BIAS(Scope.MODEL),
    /** [H, E], for factorized embeddings. */
    EMBEDDING_PROJECTION(Scope.MODEL),
    /** [H]. */
    EMBEDDING_PROJECTION_BIAS(Scope.MODEL),
    /** [buckets, A], one for all layers. */
    RELATIVE_BIAS(Scope.MODEL),
    /** [H]. */
    FINAL_NORM_GAIN(Scope.MODEL),
    /** [H]. */
    FINAL_NORM_BIAS(Scope.MODEL),

    /** [A * headSize, H]. */
    QUERY(Scope.LAYER),
    /** [A * headSize]. */
    QUERY_BIAS(Scope.LAYER),
    /** [keyValueHeads * headSize, H]. */
    KEY(Scope.LAYER),
    /** [keyValueHeads * headSize]. */
    KEY_BIAS(Scope.LAYER),
    /** [keyValueHeads * headSize, H]. */
    VALUE(Scope.LAYER),
    /** [keyValueHeads * headSize]. */
    VALUE_BIAS(Scope.LAYER),
    /** [headSize]. */
    QUERY_NORM_GAIN(Scope.LAYER),
    /** [headSize]. */
    KEY_NORM_GAIN(Scope.LAYER),
    /** [H, A * headSize]. */
    ATTENTION_OUTPUT(Scope.LAYER),
    /** [H]. */
    ATTENTION_OUTPUT_BIAS(Scope.LAYER),
    /** [H]: the norm before attention (PRE), or after its residual (POST). */
    ATTENTION_NORM_GAIN(Scope.LAYER),
    /** [H]. */
    ATTENTION_NORM_BIAS(Scope.LAYER),
    /** [H]: the norm on attention's output (PRE_AND_POST). */
    ATTENTION_OUTPUT_NORM_GAIN(Scope.LAYER),
    /** [I, H], gated layers only. */
    FEED_FORWARD_GATE(Scope.LAYER),
    /** [I]. */
    FEED_FORWARD_GATE_BIAS(Scope.LAYER),
    /** [I, H]. */
    FEED_FORWARD_UP(Scope.LAYER),
    /** [I]. */
    FEED_FORWARD_UP_BIAS(Scope.LAYER),
    /** [H, I]. */
    FEED_FORWARD_DOWN(Scope.LAYER),
    /** [H]. */
    FEED_FORWARD_DOWN_BIAS(Scope.LAYER),
    /** [H]: the norm before the feed-forward block (PRE), or after its residual (POST). */
    FEED_FORWARD_NORM_GAIN(Scope.LAYER),
    /** [H]. */
    FEED_FORWARD_NORM_BIAS(Scope.LAYER),
    /** [H]: the norm on the feed-forward block's output (PRE_AND_POST). */
    FEED_FORWARD_OUTPUT_NORM_GAIN(Scope.LAYER),

    /** [out, in], by place in the head. */
    HEAD_DENSE(Scope.HEAD),
    /** [out], by place in the head. */
    HEAD_DENSE_BIAS(Scope.HEAD),
    /** [size], by place in the head. */
    HEAD_NORM_GAIN(Scope.HEAD),
    /** [size], by place in the head. */
    HEAD_NORM_BIAS(Scope.HEAD);

    private enum Scope {
        MODEL,
        LAYER,
        HEAD
    }

    private final Scope scope;

    WeightRole(Scope scope) {
        this.scope = scope;
    }

    /**
     * Tells whether every layer has its own weight of this role.
     *
     * @return true for the roles of a layer
     */
    public boolean perLayer() {
        return scope == Scope.LAYER;
    }

    /**
     * Tells whether every head module has its own weight of this role.
     *
     * @return true for the roles of a head module
     */
    public boolean perHeadModule() {
        return scope == Scope.HEAD;
    }
}
