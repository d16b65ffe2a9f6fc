// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import io.embed4j.HelpTopic;
import io.embed4j.ModelFormatException;
import io.embed4j.core.file.JsonConfig;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Base64;
import java.util.BitSet;
import java.util.Deque;

/**
 * Checks the replacement table of a SentencePiece normalizer, which the native tokenizer follows without looking.
 *
 * <p>The table is base64 of: 4 bytes little-endian trie size, the trie as a double array of 32-bit units, and the
 * replacements, each UTF-8 up to a zero byte. From node n with offset o the byte b leads to unit o ^ b, if that unit's
 * label is b; a node with a leaf has its value, a place among the replacements, in unit o. All nodes that can be
 * reached are visited once, in at most 255 steps each.
 *
 * <p>Format: <a href="https://github.com/huggingface/spm_precompiled">github.com/huggingface/spm_precompiled</a>, after
 * <a href="https://github.com/s-yata/darts-clone">darts-clone</a>.
 */
final class PrecompiledCharsMap {
    private final String source;
    private final IntBuffer units;
    private final ByteBuffer replacements;

    private PrecompiledCharsMap(String source, IntBuffer units, ByteBuffer replacements) {
        this.source = source;
        this.units = units;
        this.replacements = replacements;
    }

    /**
     * Checks the table of a normalizer of type Precompiled.
     *
     * @throws ModelFormatException if following it would leave it
     */
    static void check(JsonConfig normalizer) {
        String source = normalizer.source() + " \"precompiled_charsmap\"";
        ByteBuffer bytes = decode(source, normalizer.stringValue("precompiled_charsmap"));
        long trieBytes = bytes.remaining() < Integer.BYTES ? -1 : Integer.toUnsignedLong(bytes.getInt());
        if (trieBytes < Integer.BYTES || trieBytes % Integer.BYTES != 0 || trieBytes > bytes.remaining()) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    source + " has a trie of " + trieBytes + " bytes and " + bytes.remaining()
                            + " bytes left. It is damaged.");
        }
        IntBuffer units = bytes.slice(bytes.position(), (int) trieBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .asIntBuffer();
        ByteBuffer replacements =
                bytes.position(bytes.position() + (int) trieBytes).slice();
        try {
            StandardCharsets.UTF_8.newDecoder().decode(replacements.duplicate());
        } catch (CharacterCodingException e) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER, source + " has replacements that are not UTF-8. It is damaged.", e);
        }
        new PrecompiledCharsMap(source, units, replacements).walk();
    }

    private static ByteBuffer decode(String source, String base64) {
        try {
            byte[] bytes = Base64.getDecoder().decode(base64);
            // Java drops bits that are left over at the end; the native decoder does not.
            if (Base64.getEncoder().withoutPadding().encodeToString(bytes).equals(base64.replace("=", ""))) {
                return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            }
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER, source + " is not base64: bits are left over. It is damaged.");
        } catch (IllegalArgumentException e) {
            throw new ModelFormatException(HelpTopic.TOKENIZER, source + " is not base64: " + e.getMessage() + ".", e);
        }
    }

    private void walk() {
        BitSet seen = new BitSet();
        Deque<Long> nodes = new ArrayDeque<>();
        nodes.add(offset(unit(0)));
        while (!nodes.isEmpty()) {
            long from = nodes.remove();
            for (int b = 1; b < 256; b++) {
                int unit = unit(from ^ b);
                if (label(unit) != b) {
                    continue;
                }
                long to = from ^ b ^ offset(unit);
                int value = unit(to) & Integer.MAX_VALUE;
                if (hasLeaf(unit)) {
                    checkReplacement(value);
                }
                if (!seen.get((int) to)) {
                    seen.set((int) to);
                    nodes.add(to);
                }
            }
        }
    }

    private int unit(long place) {
        if (place >= units.limit()) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    source + " leads to unit " + place + " of " + units.limit() + ". It is damaged.");
        }
        return units.get((int) place);
    }

    private void checkReplacement(int place) {
        boolean inside = place <= replacements.limit();
        boolean amidCharacter = place < replacements.limit() && (replacements.get(place) & 0xC0) == 0x80;
        if (!inside || amidCharacter) {
            throw new ModelFormatException(
                    HelpTopic.TOKENIZER,
                    source + " has a replacement at byte " + place + " of " + replacements.limit()
                            + ", where no character begins. It is damaged.");
        }
    }

    private static boolean hasLeaf(int unit) {
        return (unit >> 8 & 1) == 1;
    }

    private static int label(int unit) {
        return unit & (1 << 31 | 0xFF);
    }

    private static long offset(int unit) {
        return Integer.toUnsignedLong(unit >>> 10) << ((unit & 1 << 9) >> 6);
    }
}
