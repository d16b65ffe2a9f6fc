// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import java.util.Map;

/**
 * What integer layers are built with.
 *
 * @param weightBits 8, or 7 for processors that saturate; see {@link Int8Linear}
 * @param inputMagnitudes largest magnitude of each input channel that samples showed, [in] per layer
 */
public record Quantization(int weightBits, Map<LinearSite, float[]> inputMagnitudes) {}
