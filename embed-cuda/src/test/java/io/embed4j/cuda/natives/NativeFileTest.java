// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeFileTest {
    private static final String NAME = "libnative.so";

    @TempDir
    private Path base;

    private static byte[] content(int bytes) {
        byte[] content = new byte[bytes];
        new Random(bytes).nextBytes(content);
        return content;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.walk(base)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void aFileLiesInAPrivateDirectoryNamedByItsContentAndItsLoader() throws IOException {
        byte[] content = content(1000);
        Path file = NativeFile.place(base.resolve("new/folder"), NAME, content, 0);
        assertThat(file).hasBinaryContent(content).hasFileName(NAME);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())))
                .isEqualTo("rwx------");
        assertThat(NativeFile.place(base.resolve("new/folder"), NAME, content, 0))
                .isEqualTo(file);
        assertThat(NativeFile.place(base.resolve("new/folder"), NAME, content, 1))
                .isNotEqualTo(file)
                .hasBinaryContent(content);
        assertThat(NativeFile.place(base.resolve("new/folder"), NAME, content(1001), 0))
                .isNotEqualTo(file);
        assertThat(files()).as("nothing else is left").hasSize(3);
    }

    @Test
    void aFileThatIsRightIsLeftAlone() throws IOException {
        Path file = NativeFile.place(base, NAME, content(1000), 0);
        Object before = Files.readAttributes(file, "unix:ino,ctime");
        NativeFile.place(base, NAME, content(1000), 0);
        assertThat(Files.readAttributes(file, "unix:ino,ctime")).isEqualTo(before);
    }

    @Test
    void aDamagedFileIsReplacedAndWhoeverHasItOpenKeepsIt() throws IOException {
        byte[] content = content(1000);
        Path file = NativeFile.place(base, NAME, content, 0);
        byte[] flipped = content.clone();
        flipped[500] ^= 1;
        for (byte[] damage : List.of(new byte[0], Arrays.copyOf(content, 999), Arrays.copyOf(content, 1001), flipped)) {
            Files.write(file, damage);
            try (var open = Files.newInputStream(file)) {
                assertThat(NativeFile.place(base, NAME, content, 0))
                        .isEqualTo(file)
                        .hasBinaryContent(content);
                assertThat(open.readAllBytes()).isEqualTo(damage);
            }
        }
        Files.write(file.resolveSibling(NAME + "123.part"), new byte[10]); // of a process that was killed
        assertThat(NativeFile.place(base, NAME, content, 0)).hasBinaryContent(content);
    }

    /** Whoever looks, looks often: a file is there whole or not at all. */
    @Test
    void manyThreadsAtOnceSeeWholeFilesOnly() throws Exception {
        byte[] content = content(1 << 20);
        int threads = 16;
        CountDownLatch start = new CountDownLatch(threads);
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            List<Future<Boolean>> results = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                results.add(executor.submit(() -> {
                    start.countDown();
                    start.await();
                    Path file = NativeFile.place(base, NAME, content, 0);
                    return Arrays.equals(Files.readAllBytes(file), content);
                }));
            }
            for (Future<Boolean> result : results) {
                assertThat(result.get()).isTrue();
            }
        } finally {
            executor.shutdownNow();
        }
        assertThat(files()).hasSize(1);
    }

    @Test
    void aDirectoryThatCannotBeMadeOrThatOthersCanWriteToIsRefused() throws IOException {
        Path file = Files.createFile(base.resolve("file"));
        assertThatThrownBy(() -> NativeFile.place(file.resolve("below"), NAME, content(10), 0))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(file.toString());

        Path directory = NativeFile.place(base, NAME, content(1000), 0).getParent();
        for (String permissions : List.of("rwxrwx---", "rwx----w-")) {
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(permissions));
            assertThatThrownBy(() -> NativeFile.place(base, NAME, content(1000), 0))
                    .isInstanceOf(AccessDeniedException.class)
                    .hasMessage(directory + ": other users can write to it");
        }
    }

    @Test
    void aLargeFileIsToldByItsSize() throws IOException {
        byte[] content = content(5000);
        Path directory = base.resolve("large");
        for (int damaged : new int[] {-1, 0, 4999}) {
            if (damaged >= 0) {
                Files.write(directory.resolve(NAME), new byte[damaged]);
            }
            assertThat(NativeFile.placeLarge(directory, NAME, 5000, () -> new ByteArrayInputStream(content)))
                    .hasBinaryContent(content);
        }
        NativeFile.placeLarge(directory, NAME, 5000, () -> {
            throw new IOException("read again, though it is there");
        });
        assertThat(files()).hasSize(1);
    }
}
