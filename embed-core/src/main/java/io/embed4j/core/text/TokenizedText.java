// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import io.embed4j.TokenEmbeddings.Token;
import java.util.List;

/**
 * What the encoder gets of a text.
 *
 * @param ids [n] token ids, special tokens included, cut to the model's maximum
 * @param typeIds [n] token types
 * @param tokenCount tokens before the cut, special tokens included
 * @param poolStart first token that mean-like pooling sees
 * @param tokens [n] spelling and offsets; empty unless asked for
 */
@SuppressWarnings("ArrayRecordComponent") // handed to batches as they are; never compared
public record TokenizedText(int[] ids, int[] typeIds, int tokenCount, int poolStart, List<Token> tokens) {

    /** Number of tokens that go through the encoder. */
    public int length() {
        return ids.length;
    }

    /** Whether tokens were dropped. */
    public boolean truncated() {
        return tokenCount > ids.length;
    }
}
