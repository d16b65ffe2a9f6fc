/** How the driver of a comparison and its rivals, each in a process of its own, talk: a line of JSON each way. */
@NullMarked
package io.embed4j.bench.protocol;

import org.jspecify.annotations.NullMarked;
