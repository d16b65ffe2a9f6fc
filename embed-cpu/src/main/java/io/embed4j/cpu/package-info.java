/** The CPU backend: DJL's OnnxRuntime engine on a graph generated from the EncoderSpec. */
@NullMarked
package io.embed4j.cpu;

import org.jspecify.annotations.NullMarked;
