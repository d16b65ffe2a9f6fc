/**
 * Finds, unpacks and loads the native libraries behind JCuda, and says what is missing when they cannot be loaded.
 *
 * <p>{@link io.embed4j.cuda.natives.CudaLibraries} loads, {@link io.embed4j.cuda.natives.CudaProbe} looks for devices,
 * {@link io.embed4j.cuda.natives.CudaProblem} lists what can be in the way. No other package may touch a class of JCuda
 * before {@code CudaLibraries.load()} has returned: a JCuda class that misses its library is lost to its JVM.
 */
@NullMarked
package io.embed4j.cuda.natives;

import org.jspecify.annotations.NullMarked;
