// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import java.util.concurrent.CompletableFuture;

/**
 * A batch under way.
 *
 * <pre>{@code
 * CompletableFuture<VectorBlock> done = new CompletableFuture<>();
 * Submission submission = () -> done;
 * submission.result().cancel(false);
 * }</pre>
 *
 * @since 0.1
 */
@FunctionalInterface
public interface Submission {

    /**
     * Returns the vectors to come. Completed on a thread of the backend: what hangs on it must be short. Cancelling it
     * drops the batch if it has not begun.
     *
     * @return [B, D] for pooled output, [T, H] per requested layer for token output; whoever takes the block closes it
     */
    CompletableFuture<VectorBlock> result();
}
