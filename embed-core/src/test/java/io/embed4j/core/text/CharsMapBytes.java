// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.text;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** A SentencePiece table, written unit by unit, that replaces X by ab and é by b. A test may then spoil it. */
final class CharsMapBytes {
    static final int UNITS = 1024;
    static final int LEAF = 1 << 31;

    /** Where the unit lies that X leads to, and the one that holds its value. */
    static final int X_LINK = 256 ^ 'X';

    static final int X_VALUE = 512;

    private final int[] units = new int[UNITS];
    private byte[] replacements = "ab\0b\0".getBytes(StandardCharsets.UTF_8);

    CharsMapBytes() {
        units[0] = 256 << 10;
        link(256, 'X', X_VALUE, true);
        units[X_VALUE] = LEAF;
        // é is the two bytes C3 A9.
        link(256, 0xC3, 768, false);
        link(768, 0xA9, 600, true);
        units[600] = LEAF | 3;
    }

    /** From the node with this base, the byte leads to a node with that one. */
    private void link(int base, int label, int nextBase, boolean hasLeaf) {
        int place = base ^ label;
        units[place] = (place ^ nextBase) << 10 | (hasLeaf ? 1 << 8 : 0) | label;
    }

    CharsMapBytes withUnit(int place, int value) {
        units[place] = value;
        return this;
    }

    CharsMapBytes withReplacements(byte... bytes) {
        replacements = bytes.clone();
        return this;
    }

    String base64() {
        byte[] bytes = new byte[Integer.BYTES * (1 + UNITS) + replacements.length];
        ByteBuffer map = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(Integer.BYTES * UNITS);
        for (int unit : units) {
            map.putInt(unit);
        }
        map.put(replacements);
        return Base64.getEncoder().encodeToString(bytes);
    }
}
