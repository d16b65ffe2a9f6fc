/** Discovery of backends, shared open devices, memory accounts. */
@NullMarked
package io.embed4j.core.device;

import org.jspecify.annotations.NullMarked;
