// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;

/**
 * A shared library as the dynamic loader of 64-bit Linux reads it, as far as its dependencies go.
 *
 * <p>The idea: JCublas2's native asks for {@code libcublas.so.12} in two places, the DT_NEEDED entry (which file to load)
 * and the version references (each symbol must come from the version named {@code libcublas.so.12}, found by its hash).
 * cuBLAS 13 offers the same symbols under the version {@code libcublas.so.13}. The names are equally long, so renaming is
 * writing over the strings and the hash, in place; no offset moves.
 *
 * <p>Format: System V ABI, chapter 5 (dynamic section), and the GNU symbol versioning extension (Elf64_Verneed,
 * Elf64_Vernaux).
 */
final class ElfImage {
    private static final int MAGIC = 0x464c457f; // 7f 'E' 'L' 'F'
    private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;

    private static final int SEGMENT_LOAD = 1;
    private static final int SEGMENT_DYNAMIC = 2;

    private static final long TAG_END = 0;
    private static final long TAG_NEEDED = 1;
    private static final long TAG_STRINGS = 5;
    private static final long TAG_VERSION_NEEDS = 0x6ffffffeL;
    private static final long TAG_VERSION_NEED_COUNT = 0x6fffffffL;

    private static final int PROGRAM_HEADER_BYTES = 56;
    private static final int DYNAMIC_ENTRY_BYTES = 16;
    private static final int VERSION_ENTRY_BYTES = 16;

    /** Where a part of the file is mapped to: the dynamic section names addresses, we need offsets. */
    private record Segment(long address, long offset, long fileBytes) {}

    /**
     * One version that is asked of a library (Elf64_Vernaux).
     *
     * @param file the library
     * @param name the version's name
     * @param hash the hash of the name, as it stands in the file
     */
    record VersionNeed(String file, String name, int hash) {}

    private record NeedEntry(int fileNameAt, int entryAt, int nameAt) {}

    private final ByteBuffer bytes;
    private final List<Segment> segments = new ArrayList<>();
    private final List<Integer> neededNamesAt = new ArrayList<>();
    private final List<NeedEntry> needs = new ArrayList<>();

    /**
     * Reads the dynamic section.
     *
     * @param file the library; kept and, by {@link #renameDependency}, written to
     * @throws IllegalArgumentException if it is no such library, or a damaged one
     */
    private ElfImage(byte[] file) {
        bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        try {
            if (bytes.getInt(0) != MAGIC || bytes.getShort(4) != CLASS_64_LITTLE_ENDIAN) {
                throw new IllegalArgumentException("This is no ELF library for a 64-bit little-endian machine.");
            }
            readDynamicSection(readSegments());
        } catch (IndexOutOfBoundsException | ArithmeticException e) {
            throw new IllegalArgumentException("The ELF library is damaged: it points outside itself.", e);
        }
    }

    /**
     * Returns a copy of a library that depends on another one.
     *
     * @param library the file
     * @param from the dependency it has
     * @param to the one it shall have; as long as {@code from}
     * @throws IllegalArgumentException if there is no such dependency, the lengths differ, or the file is damaged
     */
    static byte[] renameDependency(byte[] library, String from, String to) {
        if (from.length() != to.length()) {
            throw new IllegalArgumentException("\"" + from + "\" and \"" + to + "\" differ in length.");
        }
        byte[] renamed = library.clone();
        new ElfImage(renamed).rename(from, to);
        return renamed;
    }

    /** The libraries that a library names as its dependencies. */
    static List<String> dependencies(byte[] library) {
        ElfImage image = new ElfImage(library);
        return image.neededNamesAt.stream().map(image::string).toList();
    }

    /** The versions that a library asks of its dependencies. */
    static List<VersionNeed> versionNeeds(byte[] library) {
        ElfImage image = new ElfImage(library);
        return image.needs.stream()
                .map(need -> new VersionNeed(
                        image.string(need.fileNameAt), image.string(need.nameAt), image.bytes.getInt(need.entryAt)))
                .toList();
    }

    /** The hash of a version's name, by the System V ABI. */
    static int hash(String name) {
        int hash = 0;
        for (byte c : name.getBytes(StandardCharsets.US_ASCII)) {
            hash = (hash << 4) + c;
            int high = hash & 0xf0000000;
            hash = (hash ^ (high >>> 24)) & ~high;
        }
        return hash;
    }

    /** Several entries may share one string, so the places are collected before the first is written. */
    private void rename(String from, String to) {
        Set<Integer> namesAt = new TreeSet<>();
        for (int at : neededNamesAt) {
            if (string(at).equals(from)) {
                namesAt.add(at);
            }
        }
        for (NeedEntry need : needs) {
            if (string(need.fileNameAt).equals(from)) {
                namesAt.add(need.fileNameAt);
                if (string(need.nameAt).equals(from)) {
                    namesAt.add(need.nameAt);
                    bytes.putInt(need.entryAt, hash(to));
                }
            }
        }
        if (namesAt.isEmpty()) {
            throw new IllegalArgumentException("The library does not depend on " + from + ".");
        }
        byte[] name = to.getBytes(StandardCharsets.US_ASCII);
        namesAt.forEach(at -> bytes.put(at, name));
    }

    /** Returns the dynamic segment. */
    private Segment readSegments() {
        int at = Math.toIntExact(bytes.getLong(32));
        int count = Short.toUnsignedInt(bytes.getShort(56));
        Segment dynamic = null;
        for (int i = 0; i < count; i++, at += PROGRAM_HEADER_BYTES) {
            Segment segment = new Segment(bytes.getLong(at + 16), bytes.getLong(at + 8), bytes.getLong(at + 32));
            switch (bytes.getInt(at)) {
                case SEGMENT_LOAD -> segments.add(segment);
                case SEGMENT_DYNAMIC -> dynamic = segment;
                default -> {} // notes, stack, relocations: nothing about dependencies
            }
        }
        if (dynamic == null) {
            throw new IllegalArgumentException("The ELF file has no dynamic section; it is no shared library.");
        }
        return dynamic;
    }

    private void readDynamicSection(Segment dynamic) {
        List<Long> neededNames = new ArrayList<>();
        OptionalLong strings = OptionalLong.empty();
        OptionalLong versionNeeds = OptionalLong.empty();
        long versionNeedCount = 0;
        int end = Math.toIntExact(dynamic.offset + dynamic.fileBytes);
        for (int at = Math.toIntExact(dynamic.offset); at < end; at += DYNAMIC_ENTRY_BYTES) {
            long tag = bytes.getLong(at);
            long value = bytes.getLong(at + 8);
            if (tag == TAG_END) {
                break;
            } else if (tag == TAG_NEEDED) {
                neededNames.add(value);
            } else if (tag == TAG_STRINGS) {
                strings = OptionalLong.of(value);
            } else if (tag == TAG_VERSION_NEEDS) {
                versionNeeds = OptionalLong.of(value);
            } else if (tag == TAG_VERSION_NEED_COUNT) {
                versionNeedCount = value;
            }
        }
        int stringsAt = offsetOf(
                strings.orElseThrow(() -> new IllegalArgumentException("The ELF library has no table of strings.")));
        for (long name : neededNames) {
            neededNamesAt.add(nameAt(stringsAt, name));
        }
        if (versionNeeds.isPresent()) {
            readVersionNeeds(offsetOf(versionNeeds.getAsLong()), versionNeedCount, stringsAt);
        }
    }

    /** Both levels are lists linked by relative offsets. */
    private void readVersionNeeds(int first, long count, int stringsAt) {
        int need = first;
        for (long i = 0; i < count; i++) {
            int fileNameAt = nameAt(stringsAt, bytes.getInt(need + 4));
            int entry = Math.addExact(need, bytes.getInt(need + 8));
            int entries = Short.toUnsignedInt(bytes.getShort(need + 2));
            for (int j = 0; j < entries; j++) {
                if (needs.size() > bytes.capacity() / VERSION_ENTRY_BYTES) {
                    throw new IllegalArgumentException("The ELF library is damaged: its versions form a circle.");
                }
                needs.add(new NeedEntry(fileNameAt, entry, nameAt(stringsAt, bytes.getInt(entry + 8))));
                entry = Math.addExact(entry, bytes.getInt(entry + 12));
            }
            int next = bytes.getInt(need + 12);
            if (next == 0) {
                break;
            }
            need = Math.addExact(need, next);
        }
    }

    private int offsetOf(long address) {
        for (Segment segment : segments) {
            if (address >= segment.address && address < segment.address + segment.fileBytes) {
                return Math.toIntExact(address - segment.address + segment.offset);
            }
        }
        throw new IllegalArgumentException("The ELF library is damaged: it points outside itself.");
    }

    private int nameAt(int stringsAt, long offset) {
        int at = Math.toIntExact(stringsAt + offset);
        string(at); // that it is one
        return at;
    }

    private String string(int at) {
        int end = at;
        while (bytes.get(end) != 0) {
            end++;
        }
        return new String(bytes.array(), at, end - at, StandardCharsets.US_ASCII);
    }
}
