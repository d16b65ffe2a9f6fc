// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.testkit.hub.FakeHub;
import io.embed4j.testkit.hub.FakeHub.Request;
import io.embed4j.testkit.hub.Mischief;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that share a cache, and one that is killed. */
class HubProcessesTest {
    private static final String NAME = "org/tiny";
    private static final String WEIGHTS = "model.safetensors";
    private static final byte[] CONTENT = new byte[400_000];

    static {
        new Random(7).nextBytes(CONTENT);
    }

    private final FakeHub hub = new FakeHub();
    private final List<Process> processes = new ArrayList<>();

    @TempDir
    private Path cache;

    @AfterEach
    void close() {
        processes.forEach(Process::destroyForcibly);
        hub.close();
    }

    private String commit() {
        return hub.commit(
                NAME,
                Map.of(
                        "config.json",
                        "{}".getBytes(StandardCharsets.UTF_8),
                        "tokenizer.json",
                        "{\"a\": 1}".getBytes(StandardCharsets.UTF_8),
                        WEIGHTS,
                        CONTENT));
    }

    private Process start() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        DownloadProgram.class.getName(),
                        "hf:" + NAME)
                .redirectErrorStream(true);
        builder.environment()
                .putAll(Map.of(
                        "HF_HUB_CACHE", cache.toString(), "HF_HOME", cache.toString(), "HF_ENDPOINT", hub.endpoint()));
        builder.environment().keySet().removeAll(List.of("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"));
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private static String finished(Process process) throws IOException, InterruptedException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    private Path snapshot(String commit) {
        return cache.resolve("models--org--tiny/snapshots").resolve(commit);
    }

    private List<Path> unfinished() throws IOException {
        Path blobs = cache.resolve("models--org--tiny/blobs");
        if (!Files.exists(blobs)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(blobs)) {
            return files.filter(file -> file.toString().endsWith(".incomplete")).toList();
        }
    }

    private void awaitUnfinished(long bytes) throws IOException, InterruptedException {
        while (unfinished().isEmpty() || Files.size(unfinished().get(0)) < bytes) {
            Thread.sleep(10);
        }
    }

    @Test
    void processesThatStartAtOnceDownloadOnce() throws Exception {
        String commit = commit();
        hub.spoil(WEIGHTS, new Mischief.Trickle(20_000, 100), Integer.MAX_VALUE); // two seconds
        List<Process> several = List.of(start(), start(), start());
        for (Process process : several) {
            assertThat(finished(process)).contains(snapshot(commit).toString());
        }
        assertThat(snapshot(commit).resolve(WEIGHTS)).hasBinaryContent(CONTENT);
        assertThat(hub.requests()).filteredOn(Request::toStorage).hasSize(1);
        assertThat(unfinished()).isEmpty();
    }

    @Test
    void whatAKilledProcessLeavesIsNotUsedButResumed() throws Exception {
        String commit = commit();
        hub.spoil(WEIGHTS, new Mischief.Trickle(20_000, 100), 1);
        Process killed = start();
        awaitUnfinished(60_000);
        killed.destroyForcibly().waitFor();
        assertThat(snapshot(commit).resolve(WEIGHTS)).doesNotExist();
        assertThat(cache.resolve("models--org--tiny/refs"))
                .as("nobody is led there")
                .doesNotExist();
        long there = Files.size(unfinished().get(0));
        assertThat(there).isBetween(60_000L, CONTENT.length - 1L);
        hub.forget();
        finished(start());
        assertThat(snapshot(commit).resolve(WEIGHTS)).hasBinaryContent(CONTENT);
        assertThat(hub.requests())
                .filteredOn(Request::toStorage)
                .extracting(Request::range)
                .containsExactly("bytes=" + there + "-");
        assertThat(unfinished()).isEmpty();
    }
}
