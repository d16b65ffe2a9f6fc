// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import ai.djl.util.Utils;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.embed4j.EmbedException;
import io.embed4j.EmbedderClosedException;
import io.embed4j.HelpTopic;
import io.embed4j.InvalidTextException;
import io.embed4j.ModelFormatException;
import io.embed4j.TruncationPolicy;
import io.embed4j.core.file.JsonConfig;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.IntStream;

/**
 * Turns texts into token ids with the model's tokenizer.json, run by Hugging Face's tokenizers through DJL.
 *
 * <p>The truncation and padding blocks of tokenizer.json are switched off: what was exported there is one user's setting
 * (128 in the embedded default), not the model's maximum. Texts are cut here instead: special tokens that the tokenizer
 * added at both ends stay, the text's own tokens are dropped from the end.
 */
public final class TextTokenizer implements AutoCloseable {
    private static final int SEGMENT_CHARS = 1 << 15;
    private static final int[] SAMPLE_LENGTHS = {0, 1, 2, 3, 5, 8, 16, 16, 32, 32, 64, 64, 128};

    private static final String TWO_WORDS = """
            {"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
             "pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
             "model":{"type":"WordLevel","vocab":{"hello":0,"world":1,"[UNK]":2},"unk_token":"[UNK]"}}
            """;

    private final HuggingFaceTokenizer tokenizer;
    private final int maxTokens;

    /** Held for reading while the native tokenizer works, for writing while it is freed: it does not check itself. */
    private final ReadWriteLock life = new ReentrantReadWriteLock();

    private boolean closed;

    private TextTokenizer(HuggingFaceTokenizer tokenizer, int maxTokens) {
        this.tokenizer = tokenizer;
        this.maxTokens = maxTokens;
    }

    /**
     * Loads a tokenizer.
     *
     * @param file tokenizer.json
     * @param maxTokens longest text in tokens, special tokens included
     * @param lowerCase whether texts are lower-cased before the tokenizer's own normalizer
     * @throws ModelFormatException if the file is missing, not a tokenizer, or one that would abort the JVM
     * @throws EmbedException if the native library cannot be loaded
     */
    public static TextTokenizer load(Path file, int maxTokens, boolean lowerCase) {
        // DJL reports usage and asks for cloud metadata unless told not to; it must be told before its first class
        // loads.
        System.setProperty("OPT_OUT_TRACKING", "true");
        System.setProperty("ai.djl.offline", "true");
        Map<String, String> options =
                Map.of("addSpecialTokens", "true", "truncation", "do_not_truncate", "padding", "do_not_pad");
        try {
            JsonConfig json = JsonConfig.parse(file.toString(), Files.readString(file));
            TokenizerCheck.check(json);
            String text = (lowerCase ? lowerCasing(json.json()) : json.json()).toString();
            return new TextTokenizer(
                    HuggingFaceTokenizer.newInstance(
                            new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)), options),
                    maxTokens);
        } catch (NoSuchFileException e) {
            throw new ModelFormatException(HelpTopic.TOKENIZER, file + " is missing.", e);
        } catch (ModelFormatException e) {
            throw e;
        } catch (LinkageError | EngineException e) {
            throw new EmbedException(
                    HelpTopic.NATIVE_TOKENIZER,
                    "The native tokenizer library could not be loaded: " + rootMessage(e) + ". It is unpacked to "
                            + Utils.getEngineCacheDir("tokenizers") + ", which must be writable and not mounted noexec;"
                            + " set DJL_CACHE_DIR to another directory. A JVM loads it into one class loader only: if"
                            + " several applications share this JVM, put embed4j and its dependencies where they share"
                            + " a class loader, such as the server's lib directory.",
                    e);
        } catch (IOException | RuntimeException e) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER, file + " cannot be loaded as a tokenizer: " + e.getMessage(), e);
        }
    }

    /**
     * Loads the native library and lets it tokenize two words.
     *
     * @throws EmbedException if it cannot be loaded, or does not do what it should
     */
    public static void requireNative() {
        try {
            Path file = Files.createTempFile("embed4j-words", ".json");
            try {
                Files.writeString(file, TWO_WORDS);
                try (TextTokenizer words = load(file, 2, false)) {
                    int[] ids = words.tokenize(List.of("hello world"), 0, "", true, TruncationPolicy.ERROR, false)
                            .get(0)
                            .get(0)
                            .ids();
                    if (!Arrays.equals(ids, new int[] {0, 1})) {
                        throw new EmbedException(
                                HelpTopic.NATIVE_TOKENIZER,
                                "The native tokenizer gives the ids " + Arrays.toString(ids)
                                        + " where 0 and 1 are right. Is another version of it on the class path?");
                    }
                }
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new EmbedException(
                    HelpTopic.NATIVE_TOKENIZER,
                    "The temporary directory " + System.getProperty("java.io.tmpdir") + " cannot be written: " + e
                            + ". Native libraries are unpacked there: set the system property java.io.tmpdir to"
                            + " another.",
                    e);
        }
    }

    private static String rootMessage(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage());
    }

    /** The tokenizer with a lower-casing step before its normalizer, as sentence-transformers puts it there. */
    private static JsonObject lowerCasing(JsonObject tokenizer) {
        JsonObject lowerCase = new JsonObject();
        lowerCase.addProperty("type", "Lowercase");
        JsonArray steps = new JsonArray();
        steps.add(lowerCase);
        if (tokenizer.has("normalizer") && !tokenizer.get("normalizer").isJsonNull()) {
            steps.add(tokenizer.get("normalizer"));
        }
        JsonObject sequence = new JsonObject();
        sequence.addProperty("type", "Sequence");
        sequence.add("normalizers", steps);
        JsonObject changed = tokenizer.deepCopy();
        changed.add("normalizer", sequence);
        return changed;
    }

    /**
     * Tokenizes texts in parallel.
     *
     * @param texts texts that passed {@link #check}
     * @param firstIndex place of the first text in the user's call, for messages
     * @param prompt put before every text
     * @param includePrompt whether the prompt's tokens are pooled
     * @param policy what happens to texts that are too long
     * @param withTokens whether spellings and offsets are wanted
     * @return per text one entry, or several in order under {@link TruncationPolicy#CHUNK}
     * @throws EmbedderClosedException if the tokenizer was closed
     * @throws InvalidTextException if a text has no tokens, or too many under {@link TruncationPolicy#ERROR}
     * @throws EmbedException if the tokenizer fails on a text
     */
    public List<List<TokenizedText>> tokenize(
            List<String> texts,
            long firstIndex,
            String prompt,
            boolean includePrompt,
            TruncationPolicy policy,
            boolean withTokens) {
        if (texts.isEmpty()) {
            return List.of();
        }
        int limit = policy == TruncationPolicy.CHUNK ? Integer.MAX_VALUE : maxTokens;
        int promptTokens = includePrompt || prompt.isEmpty() ? 0 : leadingTokens(prompt);
        IntStream places = IntStream.range(0, texts.size());
        return (texts.size() == 1 ? places : places.parallel())
                .mapToObj(i -> {
                    long index = firstIndex + i;
                    TokenRun run =
                            run(prompt.concat(texts.get(i)), prompt.length(), withTokens, limit, "Text " + index);
                    return cut(run, promptTokens, policy, index);
                })
                .toList();
    }

    /** Applies the policy to one text. */
    private List<TokenizedText> cut(TokenRun run, int promptTokens, TruncationPolicy policy, long index) {
        int count = run.count();
        if (count == 0) {
            throw new InvalidTextException(
                    index, "Text " + index + " gives no tokens at all, so it has no vector. Leave it out.");
        }
        int end = count - run.tail();
        if (count <= maxTokens) {
            return List.of(run.whole(promptTokens));
        }
        int room = maxTokens - run.head() - run.tail();
        if (policy == TruncationPolicy.ERROR) {
            throw new InvalidTextException(
                    HelpTopic.TEXT_TOO_LONG,
                    index,
                    "Text " + index + " has " + count + " tokens; the model takes " + maxTokens
                            + ". Shorten it, or use the truncation policy TRUNCATE or CHUNK.");
        }
        if (room < 1) {
            throw new InvalidTextException(
                    HelpTopic.TEXT_TOO_LONG,
                    index,
                    "Text " + index + " cannot be cut: the model takes " + maxTokens + " tokens, and the "
                            + (run.head() + run.tail()) + " special tokens leave no room.");
        }
        if (policy == TruncationPolicy.TRUNCATE) {
            return List.of(run.slice(run.head(), run.head() + room, count, promptTokens));
        }
        List<TokenizedText> chunks = new ArrayList<>();
        for (int from = run.head(); from < end; from += room) {
            int to = Math.min(from + room, end);
            int length = run.head() + to - from + run.tail();
            chunks.add(run.slice(from, to, length, from == run.head() ? promptTokens : 0));
        }
        return chunks;
    }

    /**
     * Tokenizes one text, a long one segment by segment: the tokenizer's bookkeeping takes hundreds of bytes a token.
     * Segments end before a single space between letters or digits, where every tokenizer we know begins a new word, so
     * the ids are those of the whole.
     *
     * @param limit tokens to keep; those beyond are counted only
     */
    private TokenRun run(String input, int skippedChars, boolean withTokens, int limit, String what) {
        SegmentJoiner joiner = new SegmentJoiner(limit);
        for (int from = 0; ; ) {
            int to = segmentEnd(input, from);
            String segment = input.substring(from, to);
            TokenRun run = encode(segment, skippedChars - from, withTokens, what);
            if (to == input.length()) {
                return joiner.end(run);
            }
            joiner.add(run);
            from = to;
        }
    }

    private static int segmentEnd(String input, int from) {
        for (int at = from + SEGMENT_CHARS; at < input.length() - 1; at++) {
            if (input.charAt(at) == ' '
                    && Character.isLetterOrDigit(input.charAt(at - 1))
                    && Character.isLetterOrDigit(input.charAt(at + 1))) {
                return at;
            }
        }
        return input.length();
    }

    /**
     * Checks that a text can be tokenized.
     *
     * @param text the text, possibly null whatever its type says
     * @param index its place in the user's call
     * @throws InvalidTextException if it is null or holds half of a surrogate pair
     */
    @SuppressWarnings("ConstantValue")
    public static void check(String text, long index) {
        if (text == null) {
            throw new InvalidTextException(index, "Text " + index + " is null. Use \"\" for an empty text.");
        }
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (Character.isSurrogate(unit)) {
                if (Character.isHighSurrogate(unit)
                        && i + 1 < text.length()
                        && Character.isLowSurrogate(text.charAt(i + 1))) {
                    i++;
                } else {
                    throw new InvalidTextException(
                            index,
                            String.format(
                                    "Text %d has a lone surrogate U+%04X at char %d: it is not valid Unicode. Was it cut"
                                            + " in the middle of a character?",
                                    index, (int) unit, i));
                }
            }
        }
    }

    /**
     * Tokenizes a text or segment, by a call of its own: where it throws, tokenizers' batch call aborts the JVM. The native
     * library is asked directly, for what is wanted: DJL's Encoding always holds spellings, words and offsets too, which take
     * a quarter of the time.
     */
    private TokenRun encode(String input, int skippedChars, boolean withTokens, String what) {
        life.readLock().lock();
        try {
            if (closed) {
                throw new EmbedderClosedException("The embedder was closed during the call.");
            }
            long encoding = TokenizersLibrary.LIB.encode(tokenizer.getHandle(), input, true);
            try {
                return TokenRun.of(encoding, input, skippedChars, withTokens);
            } finally {
                TokenizersLibrary.LIB.deleteEncoding(encoding);
            }
        } catch (EmbedderClosedException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new EmbedException(HelpTopic.TOKENIZER, what + " cannot be tokenized: " + e.getMessage(), e);
        } finally {
            life.readLock().unlock();
        }
    }

    /**
     * Makes token ids to calibrate quantization with: random tokens between the special tokens that stand around every
     * text. Outliers of activations sit on special tokens and in short texts, so short rows come first; which words
     * stand between them matters little.
     *
     * @param vocabularySize random ids are below it
     * @return rows of different lengths, the first without tokens of its own
     */
    public List<int[]> sampleRows(int vocabularySize) {
        int[] specials = encode("", 0, false, "The empty text").ids();
        int head = (specials.length + 1) / 2;
        Random random = new Random(0);
        List<int[]> rows = new ArrayList<>();
        for (int length : SAMPLE_LENGTHS) {
            int own = Math.min(length, maxTokens - specials.length);
            if (own >= 0 && own + specials.length > 0) {
                int[] row =
                        random.ints(own + specials.length, 0, vocabularySize).toArray();
                System.arraycopy(specials, 0, row, 0, head);
                System.arraycopy(specials, head, row, head + own, specials.length - head);
                rows.add(row);
            }
        }
        return rows;
    }

    /** How many tokens a prompt takes at the beginning: its own, and the special ones before it. */
    private int leadingTokens(String prompt) {
        TokenRun run = run(prompt, 0, false, Integer.MAX_VALUE, "The prompt");
        return run.count() - run.tail();
    }

    @Override
    public void close() {
        life.writeLock().lock();
        try {
            closed = true;
            tokenizer.close();
        } finally {
            life.writeLock().unlock();
        }
    }
}
