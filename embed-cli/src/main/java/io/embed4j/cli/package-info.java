/**
 * The {@code embed} command. {@link io.embed4j.cli.Main} reads arguments, {@link io.embed4j.cli.TextInput} reads texts,
 * a {@link io.embed4j.cli.VectorWriter} writes vectors; everything between is {@link io.embed4j.Embedder}.
 */
@NullMarked
package io.embed4j.cli;

import org.jspecify.annotations.NullMarked;
