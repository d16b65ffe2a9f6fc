/** From calls to batches and back: validation, merging, retry, order. */
@NullMarked
package io.embed4j.core.pipeline;

import org.jspecify.annotations.NullMarked;
