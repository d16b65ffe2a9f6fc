/** The plain-Java twin of the vector index. */
@NullMarked
package io.embed4j.core.index;

import org.jspecify.annotations.NullMarked;
