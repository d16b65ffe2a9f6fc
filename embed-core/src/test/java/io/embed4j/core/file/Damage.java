// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
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

    /** Reads a file, and checks what it says of itself. */
    @FunctionalInterface
    public interface Reader {
        /** Reads the damaged file. */
        void read(Path file) throws IOException;
    }

    /**
     * Damages a file in 2500 ways. Each must be read, or refused by an error that names the file, for less than a megabyte of
     * heap; and some of either kind there must be.
     *
     * @param valid the bytes of the file
     * @param file where to write it
     */
    static void isReadOrRefused(byte[] valid, Path file, Reader reader) throws IOException {
        int read = 0;
        for (int seed = 0; seed < 2500; seed++) {
            Files.write(file, damaged(valid, new Random(seed)));
            long before = allocatedBytes();
            try {
                reader.read(file);
                read++;
            } catch (EmbedException e) {
                assertThat(e).as("seed %s", seed).hasMessageContaining(file.toString());
            } catch (RuntimeException | StackOverflowError | AssertionError e) {
                throw new AssertionError("seed " + seed, e);
            }
            assertThat(allocatedBytes() - before).as("seed %s", seed).isLessThan(1_000_000);
        }
        assertThat(read).as("files that were still readable").isBetween(50, 2450);
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
