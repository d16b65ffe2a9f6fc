/** Plain Java arithmetic shared by backends, in float64: pooling and the head. */
@NullMarked
package io.embed4j.core.math;

import org.jspecify.annotations.NullMarked;
