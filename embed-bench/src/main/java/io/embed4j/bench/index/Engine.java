// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** An engine in a process of its own, which searches when it is told to. */
final class Engine implements AutoCloseable {
    private final String name;
    private final Process process;
    private final BufferedReader out;
    private final BufferedWriter in;

    /**
     * What a search answers.
     *
     * @param millis how long it took
     * @param lastFound the rows found for the last query
     */
    record Answer(double millis, Set<String> lastFound) {}

    /**
     * Starts an engine and waits until it has its rows.
     *
     * @param name for messages
     * @param command its process, which speaks the protocol of {@link IndexWorker}
     */
    Engine(String name, List<String> command) throws IOException {
        this.name = name;
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        in = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
        String ready = out.readLine();
        if (!"ready".equals(ready)) {
            throw new IOException(name + " said " + ready + " instead of ready.");
        }
    }

    /**
     * Searches once.
     *
     * @param queries Q, the first of those that it knows
     * @param k results per query
     */
    Answer search(int queries, int k) throws IOException {
        in.write(queries + " " + k + "\n");
        in.flush();
        String answer = out.readLine();
        if (answer == null) {
            throw new IOException(name + " ended without an answer.");
        }
        List<String> words = Arrays.asList(answer.split(" ", -1));
        return new Answer(1000 * Double.parseDouble(words.get(0)), Set.copyOf(words.subList(1, words.size())));
    }

    @Override
    public void close() throws IOException {
        in.close();
        out.close();
        process.destroy();
    }
}
