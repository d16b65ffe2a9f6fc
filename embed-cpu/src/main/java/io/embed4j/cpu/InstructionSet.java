// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** What the processor can do, as far as it changes how we compute. */
final class InstructionSet {
    private static final Path CPUINFO = Path.of("/proc/cpuinfo");
    private static final List<String> THAT_MATTER = List.of(
            "avx2",
            "fma",
            "f16c",
            "avx512f",
            "avx512bw",
            "avx512_bf16",
            "avx_vnni",
            "avx512_vnni",
            "amx_int8",
            "amx_bf16",
            "asimd",
            "asimddp",
            "i8mm",
            "bf16",
            "sve");
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
        return VNNI_FLAGS.stream().anyMatch(flags()::contains);
    }

    /** Instruction sets that ONNX Runtime's kernels choose by, as far as this processor has them. */
    static List<String> thatMatter() {
        Set<String> flags = flags();
        return THAT_MATTER.stream().filter(flags::contains).toList();
    }

    /** What the processor calls itself, or at least its architecture. */
    static String processorName() {
        return cpuInfo("model name")
                .filter(name -> !name.isBlank())
                .orElse(System.getProperty("os.arch") + " processor");
    }

    /** Names as Linux has them: flags on x86, features on Arm. */
    private static Set<String> flags() {
        return cpuInfo("flags")
                .or(() -> cpuInfo("Features"))
                .map(flags -> Set.copyOf(List.of(flags.split("\\s+"))))
                .orElse(Set.of());
    }

    /** The first value of a key. */
    private static Optional<String> cpuInfo(String key) {
        if (!Files.isReadable(CPUINFO)) {
            return Optional.empty();
        }
        try (Stream<String> lines = Files.lines(CPUINFO)) {
            return lines.filter(line -> line.startsWith(key) && line.contains(":"))
                    .findFirst()
                    .map(line -> line.substring(line.indexOf(':') + 1).strip());
        } catch (IOException | UncheckedIOException e) {
            return Optional.empty();
        }
    }
}
