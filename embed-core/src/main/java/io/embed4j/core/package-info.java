/** Behind {@link io.embed4j.Embedder#builder()}: puts models, devices and the pipeline together. */
@NullMarked
package io.embed4j.core;

import org.jspecify.annotations.NullMarked;
