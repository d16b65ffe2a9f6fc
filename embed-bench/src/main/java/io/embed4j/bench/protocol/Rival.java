// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import java.util.List;

/** A library that embeds texts with all-MiniLM-L6-v2, used the way its documentation tells users to. */
public interface Rival extends AutoCloseable {

    /** What computes, with its versions and settings; among them the version of ONNX Runtime, where that is used. */
    String engine();

    /**
     * Embeds texts in one call.
     *
     * @param texts B texts of at most 128 tokens
     * @return [B][D], in the order of the texts
     */
    float[][] embed(List<String> texts);

    @Override
    void close();
}
