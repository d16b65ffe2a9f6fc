/** From an {@link io.embed4j.spec.EncoderSpec} to an ONNX graph whose weights stay in the model's files. */
@NullMarked
package io.embed4j.cpu.graph;

import org.jspecify.annotations.NullMarked;
