// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import io.embed4j.bench.protocol.RivalException;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/**
 * Who is compared, and how each is started. Rivals in Java run on the driver's Java with its defaults. DJL's use reports
 * are switched off for all of them: a benchmark calls nobody, and waiting for the call would count.
 */
final class Roster {
    static final String EMBED4J_FP32 = "embed4j fp32";
    static final String EMBED4J_INT8 = "embed4j int8";

    /** What the others are measured against. */
    static final String BASELINE = "LangChain4j fp32";

    static final String LANGCHAIN4J_QUANTIZED = "LangChain4j quantized";
    static final String ONNX_RUNTIME = "onnxruntime padded 32";
    static final String SENTENCE_TRANSFORMERS = "sentence-transformers";

    static final List<String> NAMES =
            List.of(EMBED4J_FP32, EMBED4J_INT8, BASELINE, LANGCHAIN4J_QUANTIZED, ONNX_RUNTIME, SENTENCE_TRANSFORMERS);

    private static final String RIVALS = "io.embed4j.bench.rivals.";
    private static final List<String> JVM_OPTIONS = List.of(
            "-DOPT_OUT_TRACKING=true", "-Dai.djl.offline=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");

    private final Path root;
    private final String python;

    /**
     * One way to start a rival.
     *
     * @param name its name
     * @param command program and arguments
     * @param libraries file names of its class path
     */
    record Entry(String name, List<String> command, List<String> libraries) {}

    /**
     * The rivals of a built working tree.
     *
     * @param root the working tree
     * @param python a Python with sentence-transformers; empty if there is none
     */
    Roster(Path root, String python) {
        this.root = root;
        this.python = python;
    }

    /**
     * How to start a rival.
     *
     * @throws RivalException if it cannot be started here
     */
    Entry entry(String name) throws IOException {
        return switch (name) {
            case EMBED4J_FP32 -> java(name, ownClassPath(), "Embed4jRival", "fp32");
            case EMBED4J_INT8 -> java(name, ownClassPath(), "Embed4jRival", "int8");
            case BASELINE -> java(name, langChain4jClassPath(), "LangChain4jRival", "fp32");
            case LANGCHAIN4J_QUANTIZED -> java(name, langChain4jClassPath(), "LangChain4jRival", "quantized");
            case ONNX_RUNTIME -> java(name, ownClassPath(), "OnnxRuntimeRival");
            case SENTENCE_TRANSFORMERS -> sentenceTransformers();
            default -> throw new IllegalArgumentException("There is no rival " + name + ".");
        };
    }

    private Entry java(String name, List<Path> libraries, String mainClass, String... arguments) {
        // The classes of this module, not its jar: the jar's manifest would add our libraries to LangChain4j's.
        Path classes = root.resolve("embed-bench/target/classes");
        String classPath = String.join(
                File.pathSeparator,
                Stream.concat(Stream.of(classes), libraries.stream())
                        .map(Path::toString)
                        .toList());
        List<String> command = Stream.of(
                        Stream.of(Path.of(System.getProperty("java.home"), "bin", "java")
                                .toString()),
                        JVM_OPTIONS.stream(),
                        Stream.of("-cp", classPath, RIVALS + mainClass),
                        Arrays.stream(arguments))
                .flatMap(parts -> parts)
                .toList();
        return new Entry(
                name,
                command,
                libraries.stream()
                        .map(library -> library.getFileName().toString())
                        .toList());
    }

    /** The libraries named in the manifest of this module's jar: exactly what Maven resolved. */
    private List<Path> ownClassPath() throws IOException {
        Path target = root.resolve("embed-bench/target");
        try (JarFile jar = new JarFile(target.resolve("embed-bench.jar").toFile())) {
            String classPath = Objects.requireNonNull(
                    jar.getManifest().getMainAttributes().getValue(Attributes.Name.CLASS_PATH),
                    "embed-bench.jar has no class path in its manifest.");
            return Arrays.stream(classPath.split(" ", -1)).map(target::resolve).toList();
        }
    }

    private List<Path> langChain4jClassPath() throws IOException {
        String classPath = Files.readString(root.resolve("embed-bench/rival-langchain4j/target/class-path.txt"));
        return Arrays.stream(classPath.strip().split(File.pathSeparator, -1))
                .map(Path::of)
                .toList();
    }

    private Entry sentenceTransformers() {
        if (python.isEmpty()) {
            throw new RivalException("EMBED_BENCH_PYTHON names no Python");
        }
        String script = root.resolve("embed-bench/rivals/sentence_transformers_rival.py")
                .toString();
        String model =
                root.resolve("embed-bench/target/compare/all-MiniLM-L6-v2").toString();
        // Beforehand, so that the start-up is that of loading a model, not of converting one.
        ProcessBuilder conversion = new ProcessBuilder(
                        python, script, "convert", modelJar().toString(), model)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        int status;
        try {
            status = conversion.start().onExit().join().exitValue();
        } catch (IOException e) {
            System.err.println(e.getMessage()); // reports do not tell the folders of a machine
            throw new RivalException("EMBED_BENCH_PYTHON names no program that runs");
        }
        if (status != 0) {
            throw new RivalException("writing its model failed with exit code " + status);
        }
        return new Entry(SENTENCE_TRANSFORMERS, List.of(python, script, "serve", model), List.of());
    }

    /** The jar with the ONNX weights, which is on the class path of the driver. */
    private static Path modelJar() {
        URL resource = Objects.requireNonNull(
                Roster.class.getResource("/all-minilm-l6-v2.onnx"), "The model is not on the class path.");
        String jar = resource.getPath(); // file:/.../some.jar!/all-minilm-l6-v2.onnx
        try {
            return Path.of(new URI(jar.substring(0, jar.indexOf('!'))));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
