/** The comparison on a GPU: embed4j beside what Python users reach, and beside what the device can do at all. */
@NullMarked
package io.embed4j.bench.gpu;

import org.jspecify.annotations.NullMarked;
