/** The end-to-end comparison on the CPU: starts the rivals, times them in turn, reports. */
@NullMarked
package io.embed4j.bench.compare;

import org.jspecify.annotations.NullMarked;
