// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.testkit.Fixture;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A project of somebody else's, with the one dependency {@code embed4j} and its version from the BOM: what this build made is
 * laid out as a local repository in front of the real one, and Maven builds the project from there.
 */
@Tag("full")
class ConsumerProjectTest {
    private static final List<String> ARTIFACTS =
            List.of("embed-api", "embed-core", "embed-cpu", "embed-cuda", "embed4j");
    private static final String COMPILER = "org.apache.maven.plugins:maven-compiler-plugin:3.16.0:compile";
    private static final String CLASS_PATH = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:build-classpath";

    @TempDir
    private Path folder;

    private String version = "";

    @BeforeEach
    void layOutTheRepositoryAndTheProject() throws IOException {
        Path root = Checkout.root();
        for (String artifact : ARTIFACTS) {
            Path pom = root.resolve(artifact).resolve(".flattened-pom.xml");
            version = Files.readString(pom)
                    .replaceFirst("(?s).*?<artifactId>" + artifact + "</artifactId>\\s*<version>([^<]+)<.*", "$1");
            Path jar = root.resolve(artifact).resolve("target/" + artifact + "-" + version + ".jar");
            assumeTrue(Files.exists(jar), jar + " is made by the phase package");
            Path target = Files.createDirectories(folder.resolve("repository/io/embed4j/" + artifact + "/" + version));
            Files.copy(pom, target.resolve(artifact + "-" + version + ".pom"));
            Files.copy(jar, target.resolve(artifact + "-" + version + ".jar"));
        }
        Path bom = Files.createDirectories(folder.resolve("repository/io/embed4j/embed-bom/" + version));
        Files.copy(root.resolve("embed-bom/.flattened-pom.xml"), bom.resolve("embed-bom-" + version + ".pom"));
        Path sources = Files.createDirectories(folder.resolve("src/main/java"));
        Files.writeString(folder.resolve("pom.xml"), """
                <project xmlns="http://maven.apache.org/POM/4.0.0">
                  <modelVersion>4.0.0</modelVersion>
                  <groupId>com.example</groupId>
                  <artifactId>consumer</artifactId>
                  <version>1</version>
                  <properties>
                    <maven.compiler.release>17</maven.compiler.release>
                    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
                  </properties>
                  <dependencyManagement>
                    <dependencies>
                      <dependency>
                        <groupId>io.embed4j</groupId>
                        <artifactId>embed-bom</artifactId>
                        <version>%s</version>
                        <type>pom</type>
                        <scope>import</scope>
                      </dependency>
                    </dependencies>
                  </dependencyManagement>
                  <dependencies>
                    <dependency>
                      <groupId>io.embed4j</groupId>
                      <artifactId>embed4j</artifactId>
                    </dependency>
                  </dependencies>
                </project>
                """.formatted(version));
        Files.writeString(sources.resolve("Consumer.java"), """
                import io.embed4j.DeviceReport;
                import io.embed4j.Devices;
                import io.embed4j.Embedder;

                public class Consumer {
                    public static void main(String[] arguments) {
                        for (DeviceReport.Entry entry : Devices.detect().entries()) {
                            System.out.println("device " + entry.id() + " " + entry.usable() + " " + entry.problem());
                        }
                        try (Embedder embedder = Embedder.builder().model(arguments[0]).build()) {
                            System.out.println("dimension " + embedder.embed("a ferry").vector(0).length);
                        }
                    }
                }
                """);
    }

    @Test
    void aProjectWithOneDependencyBuildsAndRuns() throws Exception {
        maven("", COMPILER, CLASS_PATH);
        List<String> output = run(
                Map.of(),
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                folder.resolve("target/classes") + File.pathSeparator + classPath(),
                "Consumer",
                Fixture.load("bert-h36-a3").model());
        assertThat(output).contains("dimension 36", "device cpu true ");
        assertThat(output).filteredOn(line -> line.startsWith("device cuda:0 ")).hasSize(1);
    }

    /** JCuda's own POM asks for natives that do not exist on arm. Ours asks for those of x86_64 everywhere. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-Dos.name=Linux -Dos.arch=amd64",
                "-Dos.name=Linux -Dos.arch=aarch64",
                "-Dos.name=Mac_OS_X -Dos.arch=aarch64",
                "-Dos.name=Mac_OS_X -Dos.arch=x86_64"
            })
    void itResolvesOnEverySystem(String system) throws Exception {
        maven("", CLASS_PATH);
        // Without network, for a JVM that takes this for a Mac cannot open sockets. What only the other system would
        // need is not in the repository, and would be missed.
        maven(system, "--offline", CLASS_PATH);
        assertThat(classPath().split(File.pathSeparator, -1))
                .extracting(entry -> Path.of(entry).getFileName().toString())
                .filteredOn(name -> name.startsWith("jcu"))
                .containsExactlyInAnyOrder(
                        "jcuda-12.6.0.jar",
                        "jcublas-12.6.0.jar",
                        "jcuda-natives-12.6.0-linux-x86_64.jar",
                        "jcublas-natives-12.6.0-linux-x86_64.jar",
                        "jcuda-natives-12.6.0-windows-x86_64.jar",
                        "jcublas-natives-12.6.0-windows-x86_64.jar");
    }

    private String classPath() throws IOException {
        return Files.readString(folder.resolve("classpath.txt"));
    }

    private void maven(String system, String... goals) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Checkout.root().resolve("mvnw").toString(),
                "-q",
                "-B",
                "-Dmaven.repo.local=" + folder.resolve("repository"),
                "-Dmaven.repo.local.tail=" + localRepository(),
                "-Dmdep.outputFile=" + folder.resolve("classpath.txt")));
        command.addAll(List.of(goals));
        run(Map.of("MAVEN_OPTS", system), command.toArray(String[]::new));
    }

    /** Where the build that runs this test has its artifacts from. */
    private static String localRepository() {
        return System.getProperty("maven.repo.local", System.getProperty("embed4j.localRepository", ""));
    }

    private List<String> run(Map<String, String> environment, String... command) throws Exception {
        Path output = folder.resolve("output.txt");
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        boolean ended = process.waitFor(5, TimeUnit.MINUTES);
        process.destroyForcibly();
        try (Stream<String> lines = Files.lines(output, StandardCharsets.ISO_8859_1)) {
            List<String> text = lines.toList();
            assertThat(ended && process.waitFor() == 0)
                    .as("%s printed %s", List.of(command), text)
                    .isTrue();
            return text;
        }
    }
}
