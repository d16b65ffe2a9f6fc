/**
 * Thin, checked wrappers over JCudaDriver and JCublas2: contexts, memory, streams, graphs, kernels, matrix products. Every
 * return code is looked at; a failure names the call, the bytes and the device. Nothing here knows of models.
 */
@NullMarked
package io.embed4j.cuda.driver;

import org.jspecify.annotations.NullMarked;
