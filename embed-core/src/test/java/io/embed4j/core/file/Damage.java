// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.util.Random;

/** Seeded damage to the bytes of a valid file, for property tests; and what reading it may cost. */
public final class Damage {
    private Damage() {}

    /**
     * Flips, cuts, inserts and overwrites: mostly once, else up to four times.
     *
     * @param valid the bytes, not changed
     * @param random decides
     */
    public static byte[] damaged(byte[] valid, Random random) {
        byte[] bytes = valid.clone();
        int times = random.nextInt(3) > 0 ? 1 : 2 + random.nextInt(3);
        for (int i = 0; i < times && bytes.length > 0; i++) {
            int at = random.nextInt(bytes.length);
            switch (random.nextInt(6)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt(256);
                case 2 -> bytes[at] = (byte) "0123456789-eE.\"[]{},:nN".charAt(random.nextInt(23));
                case 3 -> bytes = splice(bytes, 0, at, new byte[0], bytes.length);
                case 4 -> {
                    byte[] inserted = new byte[1 + random.nextInt(8)];
                    random.nextBytes(inserted);
                    bytes = splice(bytes, 0, at, inserted, at);
                }
                default -> {
                    int length = random.nextInt(Math.min(64, bytes.length - at) + 1);
                    bytes = splice(bytes, 0, at + length, new byte[0], at);
                }
            }
        }
        return bytes;
    }

    /** bytes[from, to), then the inserted ones, then bytes[next, end). */
    private static byte[] splice(byte[] bytes, int from, int to, byte[] inserted, int next) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(bytes, from, to - from);
        out.writeBytes(inserted);
        out.write(bytes, next, bytes.length - next);
        return out.toByteArray();
    }

    /** Bytes that this thread has allocated on the heap so far. */
    public static long allocatedBytes() {
        com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        return threads.getCurrentThreadAllocatedBytes();
    }
}
