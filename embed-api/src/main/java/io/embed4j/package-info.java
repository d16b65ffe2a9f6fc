/**
 * Text in, vectors out, top-k back. Start at {@link io.embed4j.Embedder}.
 *
 * <p>Symbols in shapes, everywhere the same: B rows, T packed tokens, S longest row, H hidden, A heads, L layers,
 * D output dimension, Q queries, N index rows, k results.
 */
@NullMarked
package io.embed4j;

import org.jspecify.annotations.NullMarked;
