/** Which files a model needs, wherever they come from. */
@NullMarked
package io.embed4j.core.source;

import org.jspecify.annotations.NullMarked;
