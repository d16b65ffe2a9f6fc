/** The CUDA backend. So far it only says that it cannot run models yet. */
@NullMarked
package io.embed4j.cuda;

import org.jspecify.annotations.NullMarked;
