// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.EmbedException;
import io.embed4j.Embedder;
import io.embed4j.testkit.Fixture;
import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Surroundings that native libraries mind: two class loaders in one JVM, and a home directory that is not there. */
class ClassLoadersTest {

    /** Runs in other class loaders and in other JVMs. */
    public static final class Probe {
        private Probe() {}

        /** Embeds a text and returns the dimension, or the message of embed4j's own error. */
        public static String embed() {
            try (Embedder embedder = Embedder.builder()
                    .model(Fixture.load("bert-h36-a3").model())
                    .device("cpu")
                    .build()) {
                return "dimension " + embedder.embed("a ferry").vector(0).length;
            } catch (EmbedException e) {
                return "EmbedException: " + e.getMessage();
            }
        }

        /** Without arguments embeds here, else in as many class loaders as there are arguments. */
        public static void main(String[] arguments) throws Exception {
            if (arguments.length == 0) {
                System.out.println(embed());
            }
            for (String loader : arguments) {
                System.out.println(loader + ": " + embedInALoader());
            }
        }
    }

    private static URL[] classPath() throws MalformedURLException {
        String[] entries = System.getProperty("java.class.path").split(File.pathSeparator, -1);
        URL[] urls = new URL[entries.length];
        for (int i = 0; i < urls.length; i++) {
            urls[i] = Path.of(entries[i]).toUri().toURL();
        }
        return urls;
    }

    /** In a JVM of its own: the first loader takes the native libraries with it, and other tests need them here. */
    @Test
    void eachClassLoaderWorksOrSaysWhatToDo() throws Exception {
        List<String> output = inAnotherJvm(List.of(), "first", "second");
        for (String loader : List.of("first: ", "second: ")) {
            assertThat(output)
                    .filteredOn(line -> line.startsWith(loader))
                    .singleElement()
                    .satisfiesAnyOf(
                            line -> assertThat(line).isEqualTo(loader + "dimension 36"),
                            line -> assertThat(line)
                                    .startsWith(loader + "EmbedException: ")
                                    .contains("share a class loader"));
        }
    }

    private static String embedInALoader() throws Exception {
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = new URLClassLoader(classPath(), ClassLoader.getPlatformClassLoader())) {
            Thread.currentThread().setContextClassLoader(loader);
            Class<?> probe = loader.loadClass(Probe.class.getName());
            return String.valueOf(probe.getMethod("embed").invoke(null));
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    @Test
    void aHomeThatCannotBeWrittenIsNoObstacle(@TempDir Path directory) throws Exception {
        // Below a file: not even root can make it.
        Path home = Files.writeString(directory.resolve("file"), "").resolve("home");
        assertThat(inAnotherJvm(List.of("-Duser.home=" + home))).contains("dimension 36");
    }

    /** Runs the probe, and returns its lines. */
    private static List<String> inAnotherJvm(List<String> options, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Probe.class.getName()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
        return Arrays.asList(output.split("\n"));
    }
}
