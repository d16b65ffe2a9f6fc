// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import io.embed4j.spec.EncoderSpec;
import io.embed4j.spi.WeightTypes;

/**
 * What a model needs memory for, which its configuration says without its weights.
 *
 * @param name for people
 * @param spec the architecture, and with it the shape of every weight
 * @param stored how the weights are stored
 * @param maxTokens longest text in tokens, special tokens included
 */
public record ModelOutline(String name, EncoderSpec spec, WeightTypes stored, int maxTokens) {}
