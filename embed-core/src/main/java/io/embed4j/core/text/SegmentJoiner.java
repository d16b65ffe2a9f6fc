// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import io.embed4j.TokenEmbeddings.Token;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Joins the runs of segments that follow each other in one text: the special tokens between them go, words are counted on.
 * Tokens beyond a limit are counted and forgotten: a text that will be cut takes no more memory for being long.
 */
final class SegmentJoiner {
    private final int limit;
    private final List<Token> tokens = new ArrayList<>();
    private int[] ids = {};
    private int[] typeIds = {};
    private int kept;
    private int omitted;
    private int head;
    private int words;
    private boolean empty = true;

    /**
     * Begins a text.
     *
     * @param limit tokens to keep, of the special ones only those before the text included
     */
    SegmentJoiner(int limit) {
        this.limit = limit;
    }

    /** Adds a segment that others follow. */
    void add(TokenRun segment) {
        int from = empty ? 0 : segment.head();
        int to = segment.ids().length - segment.tail();
        int keep = Math.min(to - from, Math.max(0, limit - kept));
        if (empty) {
            head = segment.head();
            empty = false;
        }
        append(segment, from, from + keep);
        omitted += to - from - keep;
        words += 1 + segment.tokens().stream().mapToInt(Token::word).max().orElse(Token.NO_WORD);
    }

    /** Adds the last segment, with its special tokens behind the text, and gives the whole. */
    TokenRun end(TokenRun segment) {
        add(segment);
        append(segment, segment.ids().length - segment.tail(), segment.ids().length);
        return new TokenRun(
                Arrays.copyOf(ids, kept),
                Arrays.copyOf(typeIds, kept),
                head,
                segment.tail(),
                List.copyOf(tokens),
                omitted);
    }

    private void append(TokenRun segment, int from, int to) {
        int count = to - from;
        if (kept + count > ids.length) {
            int room = Math.max(kept + count, ids.length + ids.length / 2);
            ids = Arrays.copyOf(ids, room);
            typeIds = Arrays.copyOf(typeIds, room);
        }
        System.arraycopy(segment.ids(), from, ids, kept, count);
        System.arraycopy(segment.typeIds(), from, typeIds, kept, count);
        kept += count;
        if (!segment.tokens().isEmpty()) {
            segment.tokens().subList(from, to).forEach(token -> tokens.add(withWordsBefore(token)));
        }
    }

    private Token withWordsBefore(Token token) {
        return token.word() == Token.NO_WORD
                ? token
                : new Token(
                        token.text(), token.id(), token.start(), token.end(), token.word() + words, token.special());
    }
}
