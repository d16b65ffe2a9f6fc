// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu.graph;

import io.embed4j.spec.WeightRole;

/**
 * A linear layer's place in the encoder.
 *
 * @param weight its weight's role
 * @param index the transformer layer
 */
public record LinearSite(WeightRole weight, int index) {}
