// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.embed4j.TokenEmbeddings.Token;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the tokenizer made of a text: its tokens between the special tokens that it added at both ends.
 *
 * @param ids [n]
 * @param typeIds [n]
 * @param head special tokens before the text's own
 * @param tail special tokens behind them
 * @param tokens [n] spelling and offsets; empty unless asked for
 * @param omitted tokens before the tail that were counted and not kept
 */
@SuppressWarnings("ArrayRecordComponent") // on its way into a TokenizedText; never compared
record TokenRun(int[] ids, int[] typeIds, int head, int tail, List<Token> tokens, int omitted) {

    private static final TokenizersLibrary NATIVE = TokenizersLibrary.LIB;

    /**
     * Takes over an encoding.
     *
     * @param encoding handle of the native library, not deleted
     * @param input what was encoded
     * @param skippedChars chars of the input that are not the user's text: a prompt
     * @param withTokens whether spellings and offsets are wanted
     */
    static TokenRun of(long encoding, String input, int skippedChars, boolean withTokens) {
        int[] ids = narrow(NATIVE.getTokenIds(encoding));
        long[] special = NATIVE.getSpecialTokenMask(encoding);
        int head = 0;
        while (head < special.length && special[head] == 1) {
            head++;
        }
        int tail = 0;
        while (tail < special.length - head && special[special.length - 1 - tail] == 1) {
            tail++;
        }
        return new TokenRun(
                ids,
                narrow(NATIVE.getTypeIds(encoding)),
                head,
                tail,
                withTokens ? tokens(encoding, ids, special, input, skippedChars) : List.of(),
                0);
    }

    /** Tokens of the whole text: n and those that were only counted. */
    int count() {
        return ids.length + omitted;
    }

    /**
     * All tokens.
     *
     * @param poolStart first token that mean-like pooling sees
     */
    TokenizedText whole(int poolStart) {
        return new TokenizedText(ids, typeIds, count(), Math.min(poolStart, ids.length - 1), tokens);
    }

    /**
     * The text's own tokens [from, to), counted with the head, between head and tail.
     *
     * @param tokenCount what the result says of the whole text
     * @param poolStart first token that mean-like pooling sees
     */
    TokenizedText slice(int from, int to, int tokenCount, int poolStart) {
        int end = ids.length - tail;
        int[] sliced = concatenated(List.of(
                Arrays.copyOfRange(ids, 0, head),
                Arrays.copyOfRange(ids, from, to),
                Arrays.copyOfRange(ids, end, ids.length)));
        int[] slicedTypes = concatenated(List.of(
                Arrays.copyOfRange(typeIds, 0, head),
                Arrays.copyOfRange(typeIds, from, to),
                Arrays.copyOfRange(typeIds, end, ids.length)));
        List<Token> slicedTokens = tokens.isEmpty()
                ? tokens
                : Stream.of(tokens.subList(0, head), tokens.subList(from, to), tokens.subList(end, ids.length))
                        .flatMap(List::stream)
                        .toList();
        return new TokenizedText(sliced, slicedTypes, tokenCount, Math.min(poolStart, sliced.length - 1), slicedTokens);
    }

    private static int[] narrow(long[] values) {
        int[] narrow = new int[values.length];
        Arrays.setAll(narrow, i -> (int) values[i]);
        return narrow;
    }

    private static int[] concatenated(List<int[]> parts) {
        int[] all = new int[parts.stream().mapToInt(part -> part.length).sum()];
        int next = 0;
        for (int[] part : parts) {
            System.arraycopy(part, 0, all, next, part.length);
            next += part.length;
        }
        return all;
    }

    /**
     * Offsets of the tokenizer count code points of the input; ours count chars of the user's text. Words are counted from
     * the first that is not the prompt's alone.
     */
    private static List<Token> tokens(long encoding, int[] ids, long[] specialMask, String input, int skippedChars) {
        int[] charAt = new int[input.codePointCount(0, input.length()) + 1];
        for (int point = 0, at = 0; point < charAt.length; point++) {
            charAt[point] = at;
            at = at < input.length() ? input.offsetByCodePoints(at, 1) : at;
        }
        String[] spellings = NATIVE.getTokens(encoding);
        long[] words = NATIVE.getWordIds(encoding);
        CharSpan[] spans = NATIVE.getTokenCharSpans(encoding);
        List<Token> tokens = new ArrayList<>(ids.length);
        long firstWord = -1;
        for (int i = 0; i < ids.length; i++) {
            boolean special = specialMask[i] == 1;
            int start = special || spans[i] == null ? 0 : Math.max(0, charAt[spans[i].getStart()] - skippedChars);
            int end = special || spans[i] == null ? 0 : Math.max(0, charAt[spans[i].getEnd()] - skippedChars);
            boolean ofAWord = !special && words[i] >= 0 && (skippedChars <= 0 || end > 0);
            if (ofAWord && firstWord < 0) {
                firstWord = words[i];
            }
            int word = ofAWord ? (int) (words[i] - firstWord) : Token.NO_WORD;
            tokens.add(new Token(spellings[i], ids[i], start, end, word, special));
        }
        return tokens;
    }
}
