/** Whether models fit devices, how fast they may be there, and what to load where users leave it open. */
@NullMarked
package io.embed4j.core.fit;

import org.jspecify.annotations.NullMarked;
