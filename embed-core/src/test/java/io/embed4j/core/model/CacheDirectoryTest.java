// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.EmbedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CacheDirectoryTest {
    @TempDir
    private Path folder;

    /** A place below a regular file: nobody can make a directory there, not even root. */
    private Path impossible() throws IOException {
        Path file = folder.resolve("file");
        return (Files.exists(file) ? file : Files.createFile(file)).resolve("below");
    }

    private static void assumeNoVariables() {
        assumeTrue(
                System.getenv("EMBED4J_CACHE") == null && System.getenv("XDG_CACHE_HOME") == null,
                "EMBED4J_CACHE or XDG_CACHE_HOME is set and goes before the home directory");
    }

    @Test
    void thePropertyGoesFirstAndTheDirectoryIsMade() {
        Path named = folder.resolve("a/b");
        try (Properties properties = new Properties().with("embed4j.cache", named.toString())) {
            assertThat(properties).isNotNull();
            assertThat(CacheDirectory.find()).isEqualTo(named).isDirectory();
        }
    }

    @Test
    void aNamedPlaceThatCannotBeWrittenIsNotReplaced() throws IOException {
        Path named = impossible();
        try (Properties properties = new Properties().with("embed4j.cache", named.toString())) {
            assertThat(properties).isNotNull();
            assertThatThrownBy(CacheDirectory::find)
                    .isInstanceOf(EmbedException.class)
                    .hasMessage("No cache directory can be written; tried [" + named
                            + "]. Set the system property embed4j.cache to a writable directory.")
                    .hasCauseInstanceOf(IOException.class);
        }
    }

    @Test
    void withoutAPropertyItIsBelowTheHomeDirectory() {
        assumeNoVariables();
        try (Properties properties =
                new Properties().with("embed4j.cache", null).with("user.home", folder.toString())) {
            assertThat(properties).isNotNull();
            assertThat(CacheDirectory.find())
                    .isEqualTo(folder.resolve(".cache/embed4j"))
                    .isDirectory();
        }
    }

    @Test
    void whereTheHomeDirectoryCannotBeWrittenItIsTemporary() throws IOException {
        assumeNoVariables();
        try (Properties properties = new Properties()
                .with("embed4j.cache", " ")
                .with("user.home", impossible().toString())
                .with("user.name", "ann")
                .with("java.io.tmpdir", folder.toString())) {
            assertThat(properties).isNotNull();
            assertThat(CacheDirectory.find())
                    .isEqualTo(folder.resolve("embed4j-ann"))
                    .isDirectory();
        }
    }

    @Test
    void aNameThatIsNoPathIsRefusedWithTheRemedy() {
        try (Properties properties = new Properties().with("embed4j.cache", "a\0b")) {
            assertThat(properties).isNotNull();
            assertThatThrownBy(CacheDirectory::find)
                    .isInstanceOf(EmbedException.class)
                    .hasMessageStartingWith("The directory \"a\0b\" is no path in the locale's encoding, ")
                    .hasMessageEndingWith(
                            "Set LC_ALL=C.UTF-8, or the system property embed4j.cache to another directory.");
        }
    }
}
