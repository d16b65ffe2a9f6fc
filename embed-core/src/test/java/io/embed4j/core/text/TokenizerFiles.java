// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Small tokenizer.json files: good ones, and ones on which the native tokenizer panics. */
final class TokenizerFiles {
    static final String WORD_PIECE = """
            {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "b": 3, "##b": 4}}""";

    static final String WORD_LEVEL = """
            {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1, "b": 2}}""";

    static final String BPE = """
            {"type": "BPE", "dropout": null, "unk_token": "[UNK]", "continuing_subword_prefix": "",
             "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false,
             "vocab": {"[UNK]": 0, "a": 1, "b": 2, "ab": 3}, "merges": ["a b"]}""";

    static final String UNIGRAM = """
            {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
             "vocab": [["[UNK]", 0.0], ["a", -1.0], ["b", -1.5], ["ab", -2.0]]}""";

    /** [CLS] before the text. */
    static final String TEMPLATE = """
            {"type": "TemplateProcessing",
             "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [],
             "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}}""";

    private static final String TOKEN = """
            {"id": 9, "content": "%s", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
             "special": false}""";

    /**
     * A file that must be refused.
     *
     * @param name what is wrong
     * @param json the file
     * @param text a text on which the native tokenizer panics, if it has not done so while loading
     * @param saying part of our message
     */
    record Panicking(String name, String json, String text, String saying) {
        @Override
        public String toString() {
            return name;
        }
    }

    private TokenizerFiles() {}

    /**
     * A whole file.
     *
     * @param model its model
     * @param parts names of other parts, each followed by its JSON
     */
    static String file(String model, String... parts) {
        JsonObject file = json("""
                        {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                         "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null}""").getAsJsonObject();
        file.add("model", json(model));
        for (int i = 0; i < parts.length; i += 2) {
            file.add(parts[i], json(parts[i + 1]));
        }
        return file.toString();
    }

    private static JsonElement json(String text) {
        return JsonParser.parseString(text);
    }

    /** An added token with one of its flags set. */
    static String token(String content, String flag) {
        return TOKEN.formatted(content).replace("\"" + flag + "\": false", "\"" + flag + "\": true");
    }

    static String sequence(String key, String... steps) {
        return "{\"type\": \"Sequence\", \"" + key + "\": [" + String.join(", ", steps) + "]}";
    }

    static String precompiled(String base64) {
        return "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"" + base64 + "\"}";
    }

    /** Every kind of file that tokenizers 0.21.4 panics on, as far as we know. */
    static List<Panicking> panicking() {
        List<Panicking> all = new ArrayList<>();
        all.addAll(withoutUnknownToken());
        all.addAll(withBrokenParts());
        all.addAll(withBrokenCharsMap());
        return all;
    }

    private static List<Panicking> withoutUnknownToken() {
        return List.of(
                new Panicking(
                        "WordPiece without its unknown token",
                        file(WORD_PIECE.replace("\"[UNK]\": 0, ", "")),
                        "c",
                        "\"model\": the token for unknown words, \"[UNK]\", is not among the 4 tokens of \"vocab\"."),
                new Panicking(
                        "WordLevel without its unknown token",
                        file(WORD_LEVEL.replace("\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<unk>\"")),
                        "c",
                        "the token for unknown words, \"<unk>\", is not among the 3 tokens of \"vocab\"."),
                new Panicking(
                        "BPE without its unknown token",
                        file(BPE.replace("\"[UNK]\": 0, ", "")),
                        "c",
                        "the token for unknown words, \"[UNK]\", is not among the 3 tokens of \"vocab\"."),
                new Panicking(
                        "a model of no type without its unknown token",
                        file(WORD_LEVEL.replace("\"type\": \"WordLevel\", ", "").replace("\"[UNK]\": 0, ", "")),
                        "c",
                        "the token for unknown words, \"[UNK]\", is not among the 2 tokens of \"vocab\"."),
                new Panicking(
                        "an empty vocabulary",
                        file("{\"type\": \"WordLevel\", \"unk_token\": \"[UNK]\", \"vocab\": {}}"),
                        "c",
                        "is not among the 0 tokens of \"vocab\"."),
                new Panicking(
                        "Unigram without unknown token",
                        file(UNIGRAM.replace("\"unk_id\": 0", "\"unk_id\": null")),
                        "c",
                        "\"model\" has neither \"unk_id\" nor \"byte_fallback\": unknown characters would have no token."));
    }

    private static List<Panicking> withBrokenParts() {
        String prefixed = BPE.replace("\"continuing_subword_prefix\": \"\"", "\"continuing_subword_prefix\": \"##\"");
        String undescribed = TEMPLATE.replace("{\"[CLS]\":", "{\"<s>\":");
        String twoSpecials = TEMPLATE.replace(
                "\"single\": [", "\"single\": [{\"SpecialToken\": {\"id\": \"[CLS]\", \"type_id\": 0}},");
        return List.of(
                new Panicking(
                        "merges without the prefix",
                        file(prefixed),
                        "ab",
                        "the merge \"a b\" does not continue with the \"continuing_subword_prefix\" \"##\"."),
                new Panicking(
                        "merges as pairs without the prefix",
                        file(prefixed.replace("\"a b\"", "[\"a\", \"b\"]")),
                        "ab",
                        "the merge [\"a\",\"b\"] does not continue with"),
                new Panicking(
                        "a template with a special token that is not described",
                        file(WORD_PIECE, "post_processor", undescribed),
                        "a",
                        "\"single\" wants the special token \"[CLS]\", which \"special_tokens\" does not describe."),
                new Panicking(
                        "the same among other steps",
                        file(WORD_PIECE, "post_processor", sequence("processors", undescribed)),
                        "a",
                        "\"post_processor\" \"processors\": \"single\" wants the special token \"[CLS]\""),
                new Panicking(
                        "a template with a second text",
                        file(WORD_PIECE, "post_processor", TEMPLATE.replace("\"id\": \"A\"", "\"id\": \"B\"")),
                        "a",
                        "\"single\" wants a text \"B\"; a single text is \"A\"."),
                new Panicking(
                        "two templates",
                        file(WORD_PIECE, "post_processor", sequence("processors", twoSpecials, TEMPLATE)),
                        "a",
                        "has a second template; there may be one."),
                new Panicking(
                        "words of length 0",
                        file(WORD_LEVEL, "pre_tokenizer", "{\"type\": \"FixedLength\", \"length\": 0}"),
                        "a",
                        "\"pre_tokenizer\": \"length\" must be a whole number from 1 to 2147483647, found 0."),
                new Panicking(
                        "the same among other steps",
                        file(
                                WORD_LEVEL,
                                "pre_tokenizer",
                                sequence(
                                        "pretokenizers",
                                        "{\"type\": \"Whitespace\"}",
                                        "{\"type\": \"FixedLength\", \"length\": 0}")),
                        "a",
                        "\"pretokenizers\": \"length\" must be a whole number"),
                new Panicking(
                        "an empty prefix",
                        file(
                                WORD_LEVEL,
                                "normalizer",
                                sequence(
                                        "normalizers",
                                        "{\"type\": \"Prepend\", \"prepend\": \"\"}",
                                        "{\"type\": \"NFD\"}")),
                        "a",
                        "\"normalizers\": \"prepend\" is empty."),
                new Panicking(
                        "an empty pattern",
                        file(
                                WORD_LEVEL,
                                "normalizer",
                                sequence(
                                        "normalizers",
                                        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"\"}, \"content\": \"x\"}",
                                        "{\"type\": \"NFD\"}")),
                        "a",
                        "\"normalizers\" \"pattern\": \"Regex\" is empty."),
                new Panicking(
                        "a token that normalization removes",
                        file(
                                WORD_LEVEL,
                                "normalizer",
                                "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true,"
                                        + " \"strip_accents\": null, \"lowercase\": true}",
                                "added_tokens",
                                "[" + token("\\u0001", "normalized") + "]"),
                        "\u4E2D",
                        "the token \"\\u0001\" has \"normalized\": true, but normalization may leave nothing of it."),
                new Panicking(
                        "a token of white space that is stripped",
                        file(
                                WORD_LEVEL,
                                "normalizer",
                                "{\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}",
                                "added_tokens",
                                "[" + token("  ", "normalized") + "]"),
                        "\u4E2D",
                        "the token \"  \" has \"normalized\": true, but normalization may leave nothing of it."),
                new Panicking(
                        "tokens that overlap",
                        file(
                                WORD_LEVEL,
                                "added_tokens",
                                "[" + token("<x>", "rstrip").replace("\"id\": 9", "\"id\": 8") + ", "
                                        + token("\\t", "lstrip") + "]"),
                        "<x>\t\ta",
                        "is white space and has \"lstrip\": true."));
    }

    private static List<Panicking> withBrokenCharsMap() {
        byte noCharacter = (byte) 0xC3;
        return List.of(
                charsMap("not base64", "!!", "is not base64"),
                charsMap(
                        "with stray bits at its end",
                        new CharsMapBytes().base64().replaceAll("A==$", "B=="),
                        "is not base64: bits are left over. It is damaged."),
                charsMap("empty", "", "has a trie of -1 bytes and 0 bytes left. It is damaged."),
                charsMap("without trie", base64(0, 0, 0, 0, 'a', 0), "has a trie of 0 bytes and 2 bytes left."),
                charsMap("a trie beyond the end", base64(0, 0, 1, 0, 'a', 0), "has a trie of 65536 bytes and 2 bytes"),
                charsMap(
                        "replacements that are not UTF-8",
                        new CharsMapBytes()
                                .withReplacements(noCharacter, (byte) 0)
                                .base64(),
                        "has replacements that are not UTF-8. It is damaged."),
                charsMap(
                        "a replacement that begins amid a character",
                        new CharsMapBytes()
                                .withReplacements((byte) 0xC3, (byte) 0xA9, (byte) 0, (byte) 0)
                                .withUnit(CharsMapBytes.X_VALUE, CharsMapBytes.LEAF | 1)
                                .base64(),
                        "has a replacement at byte 1 of 4, where no character begins. It is damaged."),
                charsMap(
                        "a replacement beyond the end",
                        new CharsMapBytes()
                                .withUnit(CharsMapBytes.X_VALUE, CharsMapBytes.LEAF | 99)
                                .base64(),
                        "has a replacement at byte 99 of 5, where no character begins. It is damaged."),
                charsMap(
                        "a root that leads beyond the end",
                        new CharsMapBytes().withUnit(0, 4096 << 10).base64(),
                        "leads to unit 4097 of 1024. It is damaged."),
                charsMap(
                        "a node that leads beyond the end",
                        new CharsMapBytes()
                                .withUnit(CharsMapBytes.X_LINK, 8192 << 10 | 1 << 8 | 'X')
                                .base64(),
                        "leads to unit 8536 of 1024. It is damaged."));
    }

    private static Panicking charsMap(String name, String base64, String saying) {
        return new Panicking(
                "a table " + name,
                file(UNIGRAM, "normalizer", sequence("normalizers", precompiled(base64))),
                "X\u00E9",
                "\"normalizer\" \"normalizers\" \"precompiled_charsmap\" " + saying);
    }

    private static String base64(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return Base64.getEncoder().encodeToString(bytes);
    }
}
