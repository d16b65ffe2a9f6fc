// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What the processor can do, as far as it changes how we compute. */
final class InstructionSet {
    private static final Path CPUINFO = Path.of("/proc/cpuinfo");
    private static final List<String> VNNI_FLAGS = List.of("avx512_vnni", "avx_vnni");

    /** For tests: the bits to use whatever the processor. */
    private static final String BITS_PROPERTY = "embed4j.int8.weightBits";

    private InstructionSet() {}

    /**
     * How many bits int8 weights may use: 8 where products of bytes are added in 32 bits (VNNI, and everything that is
     * not x86), else 7. Where the processor does not tell, 7 is always right.
     */
    static int int8WeightBits() {
        Integer forced = Integer.getInteger(BITS_PROPERTY);
        if (forced != null) {
            return forced;
        }
        String architecture = System.getProperty("os.arch");
        boolean x86 = architecture.equals("amd64") || architecture.equals("x86_64");
        return !x86 || hasVnni() ? 8 : 7;
    }

    private static boolean hasVnni() {
        if (!Files.isReadable(CPUINFO)) {
            return false;
        }
        try (Stream<String> lines = Files.lines(CPUINFO)) {
            return lines.filter(line -> line.startsWith("flags"))
                    .flatMap(line -> Stream.of(line.split("\\s+")))
                    .anyMatch(VNNI_FLAGS::contains);
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }
}
