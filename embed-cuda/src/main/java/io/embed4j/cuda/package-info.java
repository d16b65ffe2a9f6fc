/** The CUDA backend. So far it finds devices, and says that it cannot run models on them yet. */
@NullMarked
package io.embed4j.cuda;

import org.jspecify.annotations.NullMarked;
