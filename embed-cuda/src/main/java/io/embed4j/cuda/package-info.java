/**
 * The CUDA backend: encoders on NVIDIA GPUs.
 *
 * <p>{@link io.embed4j.cuda.EncoderArena} plans an encoder's memory, {@link io.embed4j.cuda.EncoderProgram} is its forward
 * pass as launches, {@link io.embed4j.cuda.EncoderEngine} its memory and streams, {@link io.embed4j.cuda.CudaEncoder} its
 * life among threads.
 */
@NullMarked
package io.embed4j.cuda;

import org.jspecify.annotations.NullMarked;
