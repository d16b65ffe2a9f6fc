/** Model families: from {@code config.json} to an {@link io.embed4j.spec.EncoderSpec} and parameter names. */
@NullMarked
package io.embed4j.core.family;

import org.jspecify.annotations.NullMarked;
