// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import io.embed4j.TokenEmbeddings.Token;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the tokenizer made of a whole text: its tokens between the special tokens that it added at both ends.
 *
 * @param ids [n]
 * @param typeIds [n]
 * @param head special tokens before the text's own
 * @param tail special tokens behind them
 * @param tokens [n] spelling and offsets; empty unless asked for
 */
@SuppressWarnings("ArrayRecordComponent") // on its way into a TokenizedText; never compared
record TokenRun(int[] ids, int[] typeIds, int head, int tail, List<Token> tokens) {

    /**
     * Takes over an encoding.
     *
     * @param input what was encoded
     * @param skippedChars chars of the input that are not the user's text: a prompt
     * @param withTokens whether spellings and offsets are wanted
     */
    static TokenRun of(Encoding encoding, String input, int skippedChars, boolean withTokens) {
        long[] special = encoding.getSpecialTokenMask();
        int head = 0;
        while (head < special.length && special[head] == 1) {
            head++;
        }
        int tail = 0;
        while (tail < special.length - head && special[special.length - 1 - tail] == 1) {
            tail++;
        }
        return new TokenRun(
                narrow(encoding.getIds()),
                narrow(encoding.getTypeIds()),
                head,
                tail,
                withTokens ? tokens(encoding, input, skippedChars) : List.of());
    }

    /** One run of several that follow each other in one text: the inner special tokens go. */
    static TokenRun join(List<TokenRun> runs) {
        TokenRun first = runs.get(0);
        TokenRun last = runs.get(runs.size() - 1);
        int[] bounds = new int[2 * runs.size()];
        for (int i = 0; i < runs.size(); i++) {
            bounds[2 * i] = i == 0 ? 0 : runs.get(i).head();
            bounds[2 * i + 1] = runs.get(i).count()
                    - (i == runs.size() - 1 ? 0 : runs.get(i).tail());
        }
        List<int[]> ids = new ArrayList<>();
        List<int[]> typeIds = new ArrayList<>();
        List<Token> tokens = new ArrayList<>();
        int words = 0;
        for (int i = 0; i < runs.size(); i++) {
            TokenRun run = runs.get(i);
            ids.add(Arrays.copyOfRange(run.ids(), bounds[2 * i], bounds[2 * i + 1]));
            typeIds.add(Arrays.copyOfRange(run.typeIds(), bounds[2 * i], bounds[2 * i + 1]));
            if (!run.tokens().isEmpty()) {
                int wordsBefore = words;
                run.tokens().subList(bounds[2 * i], bounds[2 * i + 1]).stream()
                        .map(token -> withWordsBefore(token, wordsBefore))
                        .forEach(tokens::add);
                words += 1 + run.tokens().stream().mapToInt(Token::word).max().orElse(Token.NO_WORD);
            }
        }
        return new TokenRun(concatenated(ids), concatenated(typeIds), first.head(), last.tail(), tokens);
    }

    /** n. */
    int count() {
        return ids.length;
    }

    /**
     * The text's own tokens [from, to), counted with the head, between head and tail.
     *
     * @param tokenCount what the result says of the whole text
     * @param poolStart first token that mean-like pooling sees
     */
    TokenizedText slice(int from, int to, int tokenCount, int poolStart) {
        int end = count() - tail;
        int[] sliced = concatenated(List.of(
                Arrays.copyOfRange(ids, 0, head),
                Arrays.copyOfRange(ids, from, to),
                Arrays.copyOfRange(ids, end, count())));
        int[] slicedTypes = concatenated(List.of(
                Arrays.copyOfRange(typeIds, 0, head),
                Arrays.copyOfRange(typeIds, from, to),
                Arrays.copyOfRange(typeIds, end, count())));
        List<Token> slicedTokens = tokens.isEmpty()
                ? tokens
                : Stream.of(tokens.subList(0, head), tokens.subList(from, to), tokens.subList(end, count()))
                        .flatMap(List::stream)
                        .toList();
        return new TokenizedText(sliced, slicedTypes, tokenCount, Math.min(poolStart, sliced.length - 1), slicedTokens);
    }

    private static int[] narrow(long[] values) {
        return Arrays.stream(values).mapToInt(value -> (int) value).toArray();
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

    private static Token withWordsBefore(Token token, int words) {
        return token.word() == Token.NO_WORD
                ? token
                : new Token(
                        token.text(), token.id(), token.start(), token.end(), token.word() + words, token.special());
    }

    /**
     * Offsets of the tokenizer count code points of the input; ours count chars of the user's text. Words are counted from
     * the first that is not the prompt's alone.
     */
    private static List<Token> tokens(Encoding encoding, String input, int skippedChars) {
        int[] charAt = new int[input.codePointCount(0, input.length()) + 1];
        for (int point = 0, at = 0; point < charAt.length; point++) {
            charAt[point] = at;
            at = at < input.length() ? input.offsetByCodePoints(at, 1) : at;
        }
        long[] ids = encoding.getIds();
        long[] words = encoding.getWordIds();
        CharSpan[] spans = encoding.getCharTokenSpans();
        List<Token> tokens = new ArrayList<>(ids.length);
        long firstWord = -1;
        for (int i = 0; i < ids.length; i++) {
            boolean special = encoding.getSpecialTokenMask()[i] == 1;
            int start = special || spans[i] == null ? 0 : Math.max(0, charAt[spans[i].getStart()] - skippedChars);
            int end = special || spans[i] == null ? 0 : Math.max(0, charAt[spans[i].getEnd()] - skippedChars);
            boolean ofAWord = !special && words[i] >= 0 && (skippedChars <= 0 || end > 0);
            if (ofAWord && firstWord < 0) {
                firstWord = words[i];
            }
            int word = ofAWord ? (int) (words[i] - firstWord) : Token.NO_WORD;
            tokens.add(new Token(encoding.getTokens()[i], (int) ids[i], start, end, word, special));
        }
        return tokens;
    }
}
