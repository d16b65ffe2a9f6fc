/**
 * The architecture of a transformer encoder as data: what a model family fills in and what every backend reads.
 *
 * <p>Symbols in shapes, everywhere the same: B rows, T packed tokens, S longest row, H hidden, A heads, L layers,
 * D output dimension.
 */
@NullMarked
package io.embed4j.spec;

import org.jspecify.annotations.NullMarked;
