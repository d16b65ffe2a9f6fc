/** Model files: JSON, safetensors, ONNX. Everything read here may be damaged or hostile. */
@NullMarked
package io.embed4j.core.file;

import org.jspecify.annotations.NullMarked;
