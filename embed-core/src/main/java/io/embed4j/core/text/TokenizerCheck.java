// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import java.util.HashSet;
import java.util.Set;

/**
 * Refuses the contents of tokenizer.json on which Hugging Face's tokenizers panics instead of returning an error.
 *
 * <p>A panic crosses JNI as an abort: the JVM is gone, nothing can be caught. What is checked here was found by feeding
 * malformed files to tokenizers 0.21.4 in processes of their own; everything else that is wrong with a file, tokenizers
 * reports itself. Regular expressions are not looked into: one that matches nothing, in a normalizer that puts something
 * in its place, still panics.
 */
final class TokenizerCheck {
    /** Normalizers that can take white space away. */
    private static final Set<String> STRIPPING = Set.of("Strip", "Replace", "Precompiled");

    private final Set<String> normalizerTypes = new HashSet<>();
    private int templates;

    private TokenizerCheck() {}

    /**
     * Checks a tokenizer.
     *
     * @param tokenizer tokenizer.json
     * @throws ModelFormatException if tokenizers would panic on it
     */
    static void check(JsonConfig tokenizer) {
        TokenizerCheck check = new TokenizerCheck();
        tokenizer.optionalObject("normalizer").ifPresent(check::checkNormalizer);
        tokenizer.optionalObject("pre_tokenizer").ifPresent(check::checkPreTokenizer);
        tokenizer.optionalObject("post_processor").ifPresent(check::checkPostProcessor);
        tokenizer.optionalObject("model").ifPresent(check::checkModel);
        tokenizer.objects("added_tokens").forEach(check::checkAddedToken);
    }

    private void checkNormalizer(JsonConfig normalizer) {
        normalizer.objects("normalizers").forEach(this::checkNormalizer);
        String type = normalizer.optionalString("type").orElse("");
        normalizerTypes.add(type);
        switch (type) {
            case "Precompiled" -> PrecompiledCharsMap.check(normalizer);
            case "Prepend" -> requireText(normalizer, "prepend");
            case "Replace" ->
                normalizer.optionalObject("pattern").ifPresent(pattern -> {
                    requireText(pattern, "String");
                    requireText(pattern, "Regex");
                });
            default -> {
                // The others take any settings.
            }
        }
    }

    private static void requireText(JsonConfig json, String key) {
        if (json.optionalString(key).filter(String::isEmpty).isPresent()) {
            throw new ModelFormatException(HelpTopic.TOKENIZER, json.source() + ": \"" + key + "\" is empty.");
        }
    }

    private void checkPreTokenizer(JsonConfig preTokenizer) {
        preTokenizer.objects("pretokenizers").forEach(this::checkPreTokenizer);
        if (preTokenizer.has("length")) {
            preTokenizer.intBetween("length", 1, Integer.MAX_VALUE);
        }
    }

    /** A template may name only special tokens that it describes, and only the one text that it gets. */
    private void checkPostProcessor(JsonConfig processor) {
        processor.objects("processors").forEach(this::checkPostProcessor);
        if (!processor.has("single")) {
            return;
        }
        if (++templates > 1) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER, processor.source() + " has a second template; there may be one.");
        }
        JsonConfig specials = processor
                .optionalObject("special_tokens")
                .orElseThrow(() -> new ModelFormatException(
                        HelpTopic.TOKENIZER, processor.source() + " has no \"special_tokens\"."));
        for (JsonConfig piece : processor.objects("single")) {
            piece.optionalObject("SpecialToken")
                    .map(token -> token.stringValue("id"))
                    .ifPresent(id -> {
                        if (!specials.has(id)) {
                            throw new ModelFormatException(
                                    HelpTopic.TOKENIZER,
                                    processor.source() + ": \"single\" wants the special token \"" + id
                                            + "\", which \"special_tokens\" does not describe.");
                        }
                    });
            piece.optionalObject("Sequence").map(text -> text.stringValue("id")).ifPresent(id -> {
                if (!id.equals("A")) {
                    throw new ModelFormatException(
                            HelpTopic.TOKENIZER,
                            processor.source() + ": \"single\" wants a text \"" + id + "\"; a single text is \"A\".");
                }
            });
        }
        for (String name : specials.json().keySet()) {
            specials.optionalObject(name).ifPresent(TokenizerCheck::checkSpecialToken);
        }
    }

    private static void checkSpecialToken(JsonConfig special) {
        int ids = special.longs("ids").size();
        int tokens = special.strings("tokens").size();
        if (ids != tokens) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER, special.source() + " has " + ids + " ids but " + tokens + " tokens.");
        }
    }

    /** Unknown words must have a token: WordPiece, WordLevel and BPE name it, Unigram gives its place. */
    private void checkModel(JsonConfig model) {
        JsonElement vocabulary = model.json().get("vocab");
        if (vocabulary instanceof JsonObject tokens && model.has("unk_token")) {
            String unknown = model.stringValue("unk_token");
            if (!tokens.has(unknown)) {
                throw new ModelFormatException(
                        HelpTopic.TOKENIZER,
                        model.source() + ": the token for unknown words, \"" + unknown + "\", is not among the "
                                + tokens.size() + " tokens of \"vocab\".");
            }
        }
        if (vocabulary instanceof JsonArray && !model.has("unk_id") && !model.booleanValue("byte_fallback", false)) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    model.source()
                            + " has neither \"unk_id\" nor \"byte_fallback\": unknown characters would have no token.");
        }
        checkMerges(model);
    }

    /** BPE cuts the prefix off the second half of every merge, whether it is there or not. */
    private static void checkMerges(JsonConfig model) {
        String prefix = model.optionalString("continuing_subword_prefix").orElse("");
        if (prefix.isEmpty() || !(model.json().get("merges") instanceof JsonArray merges)) {
            return;
        }
        for (JsonElement merge : merges) {
            if (!second(merge).startsWith(prefix)) {
                throw new ModelFormatException(
                        HelpTopic.TOKENIZER,
                        model.source() + ": the merge " + merge
                                + " does not continue with the \"continuing_subword_prefix\" \"" + prefix + "\".");
            }
        }
    }

    /** A merge is written as ["a", "b"] or as "a b"; of anything else, nothing. */
    private static String second(JsonElement merge) {
        boolean isPair = merge instanceof JsonArray pair && pair.size() == 2;
        JsonElement text = isPair ? merge.getAsJsonArray().get(1) : merge;
        if (!text.isJsonPrimitive()) {
            return "";
        }
        String value = text.getAsString();
        return isPair ? value : value.substring(value.indexOf(' ') + 1);
    }

    /** Tokens are looked for in the text; one that is empty, or begins before the one before it ended, is a panic. */
    private void checkAddedToken(JsonConfig token) {
        String content = token.optionalString("content").orElse("");
        if (token.booleanValue("lstrip", false) && content.isBlank()) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    token.source() + ": \"" + content + "\" is white space and has \"lstrip\": true.");
        }
        if (!content.isEmpty()
                && token.booleanValue("normalized", false)
                && content.codePoints().allMatch(this::mayVanish)) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    token.source() + ": the token " + token.json().get("content")
                            + " has \"normalized\": true, but normalization may leave nothing of it.");
        }
    }

    /** Whether a normalizer removes it: control characters and accents most do, white space some. */
    private boolean mayVanish(int codePoint) {
        if (Character.isWhitespace(codePoint)) {
            return normalizerTypes.stream().anyMatch(STRIPPING::contains);
        }
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.UNASSIGNED,
                    Character.PRIVATE_USE,
                    Character.SURROGATE,
                    Character.NON_SPACING_MARK -> !normalizerTypes.isEmpty();
            default -> false;
        };
    }
}
