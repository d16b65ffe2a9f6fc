/** From texts to token ids, truncated honestly. */
@NullMarked
package io.embed4j.core.text;

import org.jspecify.annotations.NullMarked;
