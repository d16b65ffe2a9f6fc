// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    private Path directory;

    @Test
    void appearsAtCommit() throws IOException {
        Path target = directory.resolve("a".repeat(250));
        try (AtomicFile file = AtomicFile.create(target)) {
            write(file, "new");
            assertThat(target).doesNotExist();
            file.commit();
            assertThat(Files.readString(target)).isEqualTo("new");
        }
        assertThat(files()).containsExactly(target);
    }

    @Test
    void leavesNothingWithoutCommit() throws IOException {
        Path target = directory.resolve("a");
        try (AtomicFile file = AtomicFile.create(target)) {
            write(file, "new");
        }
        assertThat(files()).isEmpty();
    }

    @Test
    void replacesAtCommitOnly() throws IOException {
        Path target = Files.writeString(directory.resolve("a"), "old");
        try (AtomicFile file = AtomicFile.create(target)) {
            write(file, "new");
            assertThat(Files.readString(target)).isEqualTo("old");
            file.commit();
        }
        assertThat(Files.readString(target)).isEqualTo("new");
        assertThat(files()).containsExactly(target);
    }

    @Test
    void followsALinkToAFileThatIsStillMissing() throws IOException {
        Path target = directory.resolve("target");
        Path link = Files.createSymbolicLink(directory.resolve("link"), Path.of("target"));
        try (AtomicFile file = AtomicFile.create(link)) {
            write(file, "new");
            file.commit();
        }
        assertThat(link).isSymbolicLink();
        assertThat(Files.readString(target)).isEqualTo("new");
    }

    @Test
    void failsAtOnceWhereNothingCanBeWritten() throws IOException {
        Path noDirectory = Files.writeString(directory.resolve("file"), "");
        assertThatThrownBy(() -> AtomicFile.create(noDirectory.resolve("a"))).isInstanceOf(FileSystemException.class);
    }

    private static void write(AtomicFile file, String text) throws IOException {
        assertThat(file.channel().write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))))
                .isEqualTo(text.length());
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.toList();
        }
    }
}
