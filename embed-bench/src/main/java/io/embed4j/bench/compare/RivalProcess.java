// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import io.embed4j.bench.protocol.Reply;
import io.embed4j.bench.protocol.RivalClient;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Reader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;

/** A rival in a process of its own. What it prints to standard error goes to ours. Whoever starts it closes it. */
final class RivalProcess implements AutoCloseable {
    private static final String FIRST_TEXT = "The river is wide.";

    private final Process process;
    private final RivalClient client;
    private final Reply.Loaded loaded;

    /**
     * Starts a rival and waits for its first vector.
     *
     * @throws io.embed4j.bench.protocol.RivalException if it refuses
     */
    RivalProcess(Roster.Entry entry) throws IOException {
        long startedEpochMillis = System.currentTimeMillis();
        process = new ProcessBuilder(entry.command())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        // Also when the driver is interrupted.
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly, "ends " + entry.name()));
        Reader replies = new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8);
        Writer requests = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
        client = new RivalClient(replies, requests);
        try {
            loaded = client.load(startedEpochMillis, FIRST_TEXT);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    RivalClient client() {
        return client;
    }

    Reply.Loaded loaded() {
        return loaded;
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
