// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The {@code embed} script in a tree whose Maven and Java are small scripts that say what they were asked. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "embed is a POSIX shell script")
class LauncherTest {
    private static final String JAVA = """
            #!/bin/sh
            if [ "$1" = -version ]; then
                echo 'openjdk version "%s" 2021-10-19' >&2
                exit 0
            fi
            echo "in $(pwd)"
            echo "tty=$EMBED_STDERR_TTY LC_ALL=${LC_ALL:-}"
            for arg; do
                echo "<$arg>"
            done
            """;
    private static final String MAVEN = """
            #!/bin/sh
            echo "$(pwd): $*" >> builds
            echo "a word from Maven"
            mkdir -p embed-cli/target/lib
            echo library > embed-cli/target/lib/gson.jar
            echo ours > embed-cli/target/lib/embed-api.jar
            echo half > embed-cli/target/embed-cli.jar
            sleep 0.3
            [ ! -f fail ] || exit 1
            echo whole > embed-cli/target/embed-cli.jar
            """;
    private static final List<String> TOOLS = List.of(
            "cat",
            "cp",
            "dirname",
            "find",
            "flock",
            "head",
            "ln",
            "mkdir",
            "mv",
            "readlink",
            "rm",
            "sed",
            "sleep",
            "touch");

    @TempDir
    private Path directory;

    private Path root;
    private Path javaHome;
    private Path tools;

    /**
     * How a run ended.
     *
     * @param exitCode its exit code
     * @param out its stdout
     * @param err its stderr
     */
    private record Outcome(int exitCode, List<String> out, List<String> err) {}

    @BeforeEach
    void makeTree() throws IOException {
        root = Files.createDirectories(directory.resolve("a tree")).toRealPath();
        Files.copy(Path.of("..", "embed"), root.resolve("embed"));
        executable(root.resolve("mvnw"), MAVEN);
        Files.createDirectories(root.resolve("embed-api/src/main/java"));
        Files.createDirectories(root.resolve(".mvn"));
        Files.createDirectories(root.resolve("embed-cli"));
        for (String file : List.of("pom.xml", "embed-api/pom.xml", "embed-api/src/main/java/A.java")) {
            Files.writeString(root.resolve(file), "");
        }
        javaHome = Files.createDirectories(directory.resolve("jdk"));
        executable(javaHome.resolve("bin/java"), JAVA.formatted("17.0.1"));
        executable(javaHome.resolve("bin/javac"), "");
        tools = Files.createDirectories(directory.resolve("tools"));
        for (String tool : TOOLS) {
            for (Path bin : List.of(Path.of("/bin"), Path.of("/usr/bin"))) {
                if (Files.exists(bin.resolve(tool)) && !Files.exists(tools.resolve(tool))) {
                    executable(tools.resolve(tool), "#!/bin/sh\nexec " + bin.resolve(tool) + " \"$@\"\n");
                }
            }
        }
    }

    @Test
    void buildsOnceThenRunsInTheCallersDirectory() throws Exception {
        Outcome first = run("encode", "--input", "a b.txt", "*", "");

        assertThat(first.err())
                .containsExactly("embed: building (first run downloads dependencies)...", "a word from Maven");
        assertThat(first.exitCode()).isZero();
        assertThat(first.out())
                .startsWith("in " + directory.toRealPath(), "tty=0 LC_ALL=C.UTF-8")
                .endsWith("<-jar>", "<" + jar(1) + ">", "<encode>", "<--input>", "<a b.txt>", "<*>", "<>");
        Outcome second = run();
        assertThat(second.err()).isEmpty();
        assertThat(builds()).containsExactly(root + ": -q -Plauncher -pl embed-cli -am package");
    }

    @Test
    void runsThroughSymbolicLinks() throws Exception {
        Path bin = Files.createDirectories(directory.resolve("bin"));
        Files.createSymbolicLink(bin.resolve("second"), Path.of("..", "a tree", "embed"));
        Files.createSymbolicLink(bin.resolve("first"), bin.resolve("second"));

        Outcome run = finish(start(bin.resolve("first"), Map.of()));

        assertThat(run.exitCode()).isZero();
        assertThat(run.out()).contains("<" + jar(1) + ">");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"pom.xml", "embed-api/pom.xml", "embed-api/src/main/java/A.java", "embed-api/src/main/java"})
    void buildsAgainWhenASourceIsNewer(String source) throws Exception {
        run();
        touchAfterBuild(root.resolve(source));
        run();
        assertThat(builds()).hasSize(2);
    }

    @Test
    void buildsAgainWhenTheJarIsGone() throws Exception {
        run();
        Files.delete(jar(1));
        assertThat(run().exitCode()).isZero();
        assertThat(builds()).hasSize(2);
    }

    @Test
    void keepsTheBuildThatSomebodyStillRuns() throws Exception {
        run();
        Files.writeString(jar(1), "in use");
        Files.writeString(root.resolve("embed-cli/target/embed-cli.jar"), "half, by a Maven that runs beside");
        assertThat(run().out()).contains("<" + jar(1) + ">");
        Files.delete(root.resolve("embed-api/src/main/java/A.java"));
        touchAfterBuild(root.resolve("embed-api/src/main/java"));

        assertThat(run().out()).contains("<" + jar(2) + ">");
        assertThat(jar(1)).hasContent("in use");
        assertThat(jar(2)).hasContent("whole");
        assertThat(jar(2).resolveSibling("lib/gson.jar")).hasContent("library");
        assertThat(jar(2).resolveSibling("lib/embed-api.jar")).hasContent("ours");
    }

    @Test
    void neverRunsWhatAFailedBuildLeft() throws Exception {
        Files.writeString(root.resolve("fail"), "");
        for (int attempt = 0; attempt < 2; attempt++) {
            Outcome run = run();
            assertThat(run.exitCode()).isEqualTo(1);
            assertThat(run.out()).isEmpty();
            assertThat(run.err()).last().isEqualTo("embed: The build failed; its output is above.");
        }
        assertThat(root.resolve("embed-cli/target/embed-cli.jar")).hasContent("half");
        Files.delete(root.resolve("fail"));
        assertThat(run().exitCode()).isZero();
        assertThat(builds()).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void firstRunsAtTheSameTimeBuildOnce(boolean withFlock) throws Exception {
        if (!withFlock) {
            Files.deleteIfExists(tools.resolve("flock"));
        }
        List<Process> processes = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            processes.add(start(root.resolve("embed"), Map.of()));
        }
        for (Process process : processes) {
            Outcome run = finish(process);
            assertThat(run.exitCode()).as(run.toString()).isZero();
        }
        assertThat(builds()).hasSize(1);
        assertThat(root.resolve("embed-cli/target/launcher/lock.d")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.8.0_392", "11.0.2", "16"})
    void refusesAnOldJava(String version) throws Exception {
        executable(javaHome.resolve("bin/java"), JAVA.formatted(version));
        Outcome run = run();

        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.err())
                .containsExactly("embed: " + javaHome + "/bin/java is Java " + version
                        + ". Set JAVA_HOME to a Java 17 or newer.");
        assertThat(root.resolve("builds")).doesNotExist();
    }

    @Test
    void namesAMissingJava() throws Exception {
        assertThat(finish(start(root.resolve("embed"), Map.of("JAVA_HOME", "/nowhere")))
                        .err())
                .containsExactly("embed: JAVA_HOME is /nowhere, which has no bin/java."
                        + " Let it name a Java 17 or newer, or unset it.");
        assertThat(finish(start(root.resolve("embed"), Map.of("JAVA_HOME", ""))).err())
                .containsExactly("embed: No java in PATH. Install Java 17 or newer, or set JAVA_HOME.");
        Files.delete(javaHome.resolve("bin/javac"));
        assertThat(run().err())
                .containsExactly("embed: Building needs a JDK 17 or newer; " + javaHome
                        + "/bin/java comes without javac. Set JAVA_HOME to a JDK.");
    }

    @Test
    void passesJavaOptionsAndKeepsALocaleThatWasChosen() throws Exception {
        Outcome run = finish(
                start(root.resolve("embed"), Map.of("EMBED_JAVA_OPTS", "-Xmx8g  -Dx=*", "LANG", "de_DE.ISO-8859-1")));

        assertThat(run.out()).contains("<-Xmx8g>", "<-Dx=*>", "tty=0 LC_ALL=");
    }

    /** What the launcher runs after its n-th build. */
    private Path jar(int build) {
        return root.resolve("embed-cli/target/launcher/run." + build + "/embed-cli.jar");
    }

    private Outcome run(String... args) throws Exception {
        return finish(start(root.resolve("embed"), Map.of(), args));
    }

    /** Some file systems know seconds only. */
    private void touchAfterBuild(Path file) throws IOException {
        Path stamp = root.resolve("embed-cli/target/launcher/built");
        long millis = Files.getLastModifiedTime(stamp).toMillis() + 2000;
        Files.setLastModifiedTime(file, FileTime.fromMillis(millis));
    }

    private Process start(Path script, Map<String, String> environment, String... args) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                Stream.concat(Stream.of(script.toString()), Stream.of(args)).collect(Collectors.toList()));
        builder.environment().clear();
        builder.environment().put("PATH", tools.toString());
        builder.environment().put("JAVA_HOME", javaHome.toString());
        builder.environment().putAll(environment);
        return builder.directory(directory.toFile()).start();
    }

    /** Little is printed, so pipes never fill up. */
    private static Outcome finish(Process process) throws Exception {
        int exitCode = process.waitFor();
        return new Outcome(
                exitCode,
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .toList(),
                new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .toList());
    }

    private List<String> builds() throws IOException {
        return Files.readAllLines(root.resolve("builds"));
    }

    private static void executable(Path file, String content) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.writeString(file, content);
        if (!file.toFile().setExecutable(true)) {
            throw new IOException(file + " cannot be made executable");
        }
    }
}
