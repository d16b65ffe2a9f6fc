// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.EmbedException;
import io.embed4j.Hits;
import io.embed4j.IndexOptions;
import io.embed4j.ModelFormatException;
import io.embed4j.SimilarityFunction;
import io.embed4j.VectorRows;
import io.embed4j.core.file.SafetensorsFile;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.WeightTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SavedIndexTest {
    private static final int DIMENSION = 7;
    private static final IndexOptions STRINGS = IndexOptions.defaults().withStringIds(true);

    @TempDir
    private Path folder;

    private static DefaultVectorIndex empty(IndexOptions options) {
        return new DefaultVectorIndex(new PlainIndexShard(IndexSpec.exact(DIMENSION)), options, () -> {});
    }

    private static DefaultVectorIndex load(Path directory) {
        SavedIndex saved = SavedIndex.open(directory);
        PlainIndexShard shard =
                new PlainIndexShard(IndexSpec.exact(saved.manifest().dimension()));
        return DefaultVectorIndex.load(saved, shard, IndexOptions.defaults(), () -> {});
    }

    private static float[][] random(int rows, long seed) {
        Random random = new Random(seed);
        float[][] values = new float[rows][DIMENSION];
        for (float[] row : values) {
            for (int i = 0; i < DIMENSION; i++) {
                row[i] = (float) random.nextGaussian();
            }
        }
        return values;
    }

    /** Everything that can be seen of an index: all rows by three queries, with ids and scores. */
    private static List<String> seen(DefaultVectorIndex index) {
        Hits hits = index.search(random(3, 99), 4096);
        List<String> lines = new ArrayList<>();
        for (int query = 0; query < 3; query++) {
            for (int rank = 0; rank < hits.count(query); rank++) {
                lines.add(hits.id(query, rank) + " " + hits.stringId(query, rank) + " " + hits.score(query, rank));
            }
        }
        lines.add(index.size() + " of " + index.rows() + " " + index.options().similarity());
        return lines;
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> String.valueOf(file.getFileName()))
                    .sorted()
                    .toList();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 31, 1023, 1024, 1025, 4000})
    void whatIsSavedComesBackBitForBit(int rows) {
        Path place = folder.resolve("a/b");
        try (DefaultVectorIndex index = empty(IndexOptions.defaults().withSimilarity(SimilarityFunction.DOT))) {
            index.add(random(rows, 1));
            index.save(place);
            try (DefaultVectorIndex loaded = load(place)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
                loaded.add(random(1, 2));
                assertThat(loaded.rowsOf(rows).cardinality()).isEqualTo(1);
            }
        }
    }

    @Test
    void idsAndDeletedRowsComeBack() {
        try (DefaultVectorIndex index = empty(STRINGS)) {
            index.add(List.of("", "é", "a\0b", "💡", "x".repeat(5000)), VectorRows.of(DIMENSION, random(5, 1)));
            index.delete(List.of("é"));
            index.save(folder);
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
                assertThat(loaded.rowsOf(List.of("é", "💡")).toString()).isEqualTo("{3}");
                loaded.add(List.of("é"), VectorRows.of(DIMENSION, random(1, 2)));
                assertThatThrownBy(() -> loaded.add(List.of(""), VectorRows.of(DIMENSION, random(1, 2))))
                        .hasMessageContaining("in the index already, as row 0");
            }
        }
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(new long[] {Long.MIN_VALUE, 8, 5}, VectorRows.of(DIMENSION, random(3, 1)));
            index.delete(8);
            index.save(folder.resolve("numbers"));
            try (DefaultVectorIndex loaded = load(folder.resolve("numbers"))) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
                loaded.add(random(1, 2));
                assertThat(loaded.rowsOf(9).toString())
                        .as("follows the largest")
                        .isEqualTo("{3}");
            }
        }
    }

    /** A second save writes what is new and touches nothing else. */
    @Test
    void savingAgainWritesWhatIsNew() throws IOException {
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(random(100, 1));
            index.save(folder);
            Object first = Files.getLastModifiedTime(folder.resolve("segment-00000001.safetensors"));
            index.save(folder);
            assertThat(files()).containsExactly("lock", "manifest.json", "segment-00000001.safetensors");
            assertThat(SavedIndex.open(folder).manifest().generation())
                    .as("nothing was new")
                    .isEqualTo(1);
            index.add(random(10, 2));
            index.delete(3, 4);
            index.save(folder);
            index.delete(5);
            index.save(folder);
            assertThat(files())
                    .containsExactly(
                            "deleted-00000003.safetensors",
                            "lock",
                            "manifest.json",
                            "segment-00000001.safetensors",
                            "segment-00000002.safetensors");
            assertThat(Files.getLastModifiedTime(folder.resolve("segment-00000001.safetensors")))
                    .isEqualTo(first);
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
                loaded.add(random(5, 3));
                loaded.save(folder);
                try (DefaultVectorIndex again = load(folder)) {
                    assertThat(seen(again)).isEqualTo(seen(loaded));
                }
            }
        }
    }

    @Test
    void anotherIndexReplacesTheOldOne() throws IOException {
        try (DefaultVectorIndex first = empty(IndexOptions.defaults());
                DefaultVectorIndex second = empty(STRINGS)) {
            first.add(random(5, 1));
            first.save(folder);
            second.add(List.of("a"), VectorRows.of(DIMENSION, random(1, 2)));
            second.save(folder);
            assertThat(files()).containsExactly("lock", "manifest.json", "segment-00000002.safetensors");
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(second));
            }
            first.add(random(1, 3));
            assertThatThrownBy(() -> first.save(folder))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageContaining("was changed since it was loaded: it is of generation 2, this one of 1.");
        }
    }

    @Test
    void whatACrashLeftIsInNobodysWay() throws IOException {
        Files.writeString(folder.resolve("segment-00000001.safetensors"), "half");
        Files.writeString(folder.resolve("manifest.json.part"), "{");
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(random(2, 1));
            index.save(folder);
            Files.writeString(folder.resolve("segment-00000002.safetensors"), "half");
            Files.writeString(folder.resolve("deleted-00000002.safetensors"), "half");
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
            }
            index.add(random(2, 2));
            index.save(folder);
            assertThat(files())
                    .containsExactly(
                            "lock", "manifest.json", "segment-00000001.safetensors", "segment-00000002.safetensors");
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsNamed() throws IOException {
        Path place = Files.createFile(folder.resolve("file")).resolve("below");
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            assertThatThrownBy(() -> index.save(place))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageStartingWith("The index could not be saved to " + place + ": ")
                    .hasMessageEndingWith(". Name a writable directory with room.");
        }
    }

    @Test
    void whatCannotBeFinishedIsNotLeftBehind() throws IOException {
        PlainIndexShard failing = new PlainIndexShard(IndexSpec.exact(DIMENSION)) {
            @Override
            public synchronized float[] read(int firstRow, int rows) {
                if (firstRow > 0) {
                    throw new EmbedException("the device is gone");
                }
                return super.read(firstRow, rows);
            }
        };
        try (DefaultVectorIndex index = new DefaultVectorIndex(failing, IndexOptions.defaults(), () -> {})) {
            index.add(random(40_000, 1));
            assertThatThrownBy(() -> index.save(folder)).hasMessage("the device is gone");
            assertThat(files()).containsExactly("lock");
        }
    }

    /** The manifest is what comes last: rows that were written already go again, and what was there before stays. */
    @Test
    void aSaveThatFailsLeavesWhatWasThere() throws IOException {
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(random(10, 1));
            Path other = Files.createDirectories(folder.resolve("other"));
            Path inTheWay =
                    Files.createDirectories(folder.resolve("manifest.json.part").resolve("below"));
            assertThatThrownBy(() -> index.save(folder))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageStartingWith("The index could not be saved to " + folder);
            assertThat(files()).containsExactly("lock", "manifest.json.part", "other");

            Files.delete(inTheWay);
            Files.delete(inTheWay.getParent());
            Files.delete(other);
            index.save(folder);
            index.add(random(10, 2));
            index.delete(3);
            Files.createDirectories(inTheWay);
            assertThatThrownBy(() -> index.save(folder)).isInstanceOf(EmbedException.class);
            assertThat(files())
                    .containsExactly("lock", "manifest.json", "manifest.json.part", "segment-00000001.safetensors");
            Files.delete(inTheWay);
            Files.delete(inTheWay.getParent());
            index.save(folder);
            List<String> saved = files();
            Files.createDirectories(inTheWay);
            assertThatThrownBy(() -> SavedIndex.compact(folder))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageStartingWith("The index could not be saved to ");
            Files.delete(inTheWay);
            Files.delete(inTheWay.getParent());
            assertThat(files()).isEqualTo(saved);
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
            }
        }
    }

    /** Rows of an addition that failed are in no file, and later ones have their numbers. */
    @Test
    void rowsOfAFailedAdditionAreNotSaved() throws IOException {
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(random(10, 1));
            index.save(folder);
            float[][] bad = random(DefaultVectorIndex.NUMBERS_AT_A_TIME / DIMENSION + 10, 2);
            bad[bad.length - 1][0] = Float.NaN;
            assertThatThrownBy(() -> index.add(bad)).hasMessageContaining("Row " + (bad.length - 1));
            assertThat(index.rows()).isEqualTo(10);
            index.save(folder);
            assertThat(files()).containsExactly("lock", "manifest.json", "segment-00000001.safetensors");
            index.add(random(5, 3));
            index.save(folder);
            assertThat(files())
                    .containsExactly(
                            "lock", "manifest.json", "segment-00000001.safetensors", "segment-00000002.safetensors");
            try (DefaultVectorIndex loaded = load(folder)) {
                assertThat(seen(loaded)).isEqualTo(seen(index));
                assertThat(loaded.rows()).isEqualTo(15);
            }
        }
    }

    @Test
    void aDirectoryWithoutAnIndexIsNamed() {
        assertThatThrownBy(() -> SavedIndex.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessage(folder
                        + " holds no index: manifest.json is missing. Name a directory that an index was saved to.");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[] | must hold a JSON object. It is no manifest of an index, or damaged.",
                "{\"a\": | It is no manifest of an index, or damaged.",
                "{\"format\": \"faiss\"} | its \"format\" is \"faiss\", not \"embed4j-index\".",
                "{\"a\": 1} | its \"format\" is missing, not \"embed4j-index\".",
                "{\"format\": \"embed4j-index\", \"version\": 2} | has version 2; this embed4j reads version 1. Use the embed4j that wrote it, or a newer one.",
                "{\"format\": \"embed4j-index\", \"version\": 1} | does not end with its checksum: it is damaged. Restore it from a copy.",
            })
    void anotherFileIsNoIndex(String manifest, String saying) throws IOException {
        Files.writeString(folder.resolve("manifest.json"), manifest);
        assertThatThrownBy(() -> SavedIndex.open(folder))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageStartingWith(folder.resolve("manifest.json").toString())
                .hasMessageEndingWith(saying);
    }

    /** Every bit of every file counts: whatever is flipped, and wherever a file is cut, is noticed when it is opened. */
    @Test
    void damageIsNoticed() throws IOException {
        try (DefaultVectorIndex index = empty(STRINGS)) {
            index.add(List.of("a", "b", "c"), VectorRows.of(DIMENSION, random(3, 1)));
            index.delete(List.of("b"));
            index.save(folder);
        }
        Random random = new Random(1);
        for (String name : files()) {
            Path file = folder.resolve(name);
            byte[] good = Files.readAllBytes(file);
            int flips = name.equals("lock") ? 0 : 150;
            for (int flip = 0; flip < flips; flip++) {
                byte[] bad = good.clone();
                int at = random.nextInt(good.length);
                bad[at] ^= (byte) (1 << random.nextInt(8));
                Files.write(file, bad);
                assertThatThrownBy(() -> load(folder).close())
                        .as("byte %s of %s", at, name)
                        .isInstanceOf(ModelFormatException.class)
                        .hasMessageContaining(name);
                int length = random.nextInt(good.length);
                Files.write(file, Arrays.copyOf(good, length));
                assertThatThrownBy(() -> load(folder).close())
                        .as("%s cut to %s", name, length)
                        .isInstanceOf(ModelFormatException.class)
                        .hasMessageContaining(name);
            }
            Files.write(file, good);
        }
        Files.delete(folder.resolve("segment-00000001.safetensors"));
        assertThatThrownBy(() -> load(folder))
                .hasMessageEndingWith("segment-00000001.safetensors is missing. Restore it from a copy.");
    }

    /** The bytes are those of docs/index-format.md. */
    @Test
    void theFormatIsWhatIsDocumented() throws IOException {
        try (DefaultVectorIndex index = empty(IndexOptions.defaults())) {
            index.add(random(3, 1));
            index.delete(1);
            index.save(folder);
        }
        String manifest = Files.readString(folder.resolve("manifest.json"), StandardCharsets.UTF_8);
        assertThat(manifest.replaceAll("[0-9a-f]{8}\"", "CHECKSUM\"")).isEqualTo("""
                {
                  "format": "embed4j-index",
                  "version": 1,
                  "generation": 1,
                  "dimension": 7,
                  "similarity": "cosine",
                  "ids": "long",
                  "segments": [
                    {
                      "file": "segment-00000001.safetensors",
                      "rows": 3,
                      "bytes": 300,
                      "crc32c": "CHECKSUM"
                    }
                  ],
                  "deleted": {
                    "file": "deleted-00000001.safetensors",
                    "rows": 1,
                    "bytes": 136,
                    "crc32c": "CHECKSUM"
                  },
                  "crc32c": "CHECKSUM"
                }
                """);
        Map<String, WeightTensor> tensors = SafetensorsFile.read(folder.resolve("segment-00000001.safetensors"));
        assertThat(tensors.keySet()).containsExactly("vectors", "ids");
        WeightTensor vectors = Objects.requireNonNull(tensors.get("vectors"));
        assertThat(vectors.region().offset() % 64).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void compactingLeavesOutWhatWasDeleted(boolean strings) throws IOException {
        List<String> names =
                Stream.iterate(0, i -> i + 1).limit(900).map(i -> "name " + i).toList();
        DefaultVectorIndex index = empty(strings ? STRINGS : IndexOptions.defaults());
        for (int part = 0; part < 3; part++) {
            VectorRows rows = VectorRows.of(DIMENSION, random(300, part));
            if (strings) {
                index.add(names.subList(300 * part, 300 * part + 300), rows);
            } else {
                index.add(rows);
            }
            index.save(folder);
        }
        for (int gone = 0; gone < 900; gone += gone % 7 == 0 ? 1 : 3) {
            if (strings) {
                index.delete(List.of(names.get(gone)));
            } else {
                index.delete(gone);
            }
        }
        index.save(folder);
        int dead = index.rows() - index.size();
        List<String> before = ranked(index, strings);
        Path blocking = Files.createDirectory(folder.resolve("segment-00000005.safetensors"));
        Path inside = Files.createFile(blocking.resolve("file"));
        assertThatThrownBy(() -> SavedIndex.compact(folder))
                .isInstanceOf(EmbedException.class)
                .hasMessageContaining("could not be saved");
        Files.delete(inside);
        Files.delete(blocking);
        assertThat(ranked(load(folder), strings)).isEqualTo(before);

        assertThat(SavedIndex.compact(folder)).isEqualTo(dead);
        DefaultVectorIndex compacted = load(folder);
        assertThat(ranked(compacted, strings)).isEqualTo(before);
        assertThat(compacted.rows()).isEqualTo(compacted.size()).isEqualTo(900 - dead);
        assertThat(files()).containsExactly("lock", "manifest.json", "segment-00000005.safetensors");
        assertThat(SavedIndex.compact(folder)).isZero();
        if (!strings) {
            index.delete(899);
            assertThatThrownBy(() -> index.save(folder))
                    .isInstanceOf(EmbedException.class)
                    .hasMessageContaining("was changed since it was loaded");
            compacted.delete(compacted.search(random(1, 3), 4096).id(0, 0));
        }
    }

    /** What is found by ids, whatever the numbers of rows. */
    private static List<String> ranked(DefaultVectorIndex index, boolean strings) {
        Hits hits = index.search(random(3, 99), 4096);
        List<String> lines = new ArrayList<>();
        for (int query = 0; query < 3; query++) {
            for (int rank = 0; rank < hits.count(query); rank++) {
                String id = strings ? hits.stringId(query, rank) : String.valueOf(hits.id(query, rank));
                lines.add(id + " " + hits.score(query, rank));
            }
        }
        return lines;
    }

    @Test
    void anIndexOfNothingButDeletedRowsIsCompactedToAnEmptyOne() throws IOException {
        DefaultVectorIndex index = empty(IndexOptions.defaults());
        index.add(random(3, 1));
        index.delete(0, 1, 2);
        index.save(folder);
        assertThat(SavedIndex.compact(folder)).isEqualTo(3);
        assertThat(files()).containsExactly("lock", "manifest.json");
        DefaultVectorIndex compacted = load(folder);
        assertThat(compacted.rows()).isZero();
        compacted.add(random(2, 2));
        compacted.save(folder);
        assertThat(load(folder).size()).isEqualTo(2);
        assertThatThrownBy(() -> SavedIndex.compact(folder.resolve("none")))
                .isInstanceOf(ModelFormatException.class)
                .hasMessageContaining("holds no index");
    }
}
