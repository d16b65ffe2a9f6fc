// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Reader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;

/** The rival's end: obeys one request after the other until it is told to finish or nobody asks any more. */
public final class RivalWorker {
    private static final Gson GSON =
            new GsonBuilder().serializeSpecialFloatingPointValues().create();

    private final Callable<? extends Rival> opener;
    private @Nullable Rival rival;

    /** Obeys with what the opener opens at the first request. */
    RivalWorker(Callable<? extends Rival> opener) {
        this.opener = opener;
    }

    /**
     * The whole of a rival's {@code main}: requests come from standard input, replies go to standard output. What the
     * library itself prints goes to standard error.
     *
     * @param opener opens the library
     * @throws IOException if nobody reads the replies
     */
    public static void serve(Callable<? extends Rival> opener) throws IOException {
        System.setOut(System.err);
        try (Reader requests = new InputStreamReader(System.in, StandardCharsets.UTF_8);
                Writer replies =
                        new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8)) {
            new RivalWorker(opener).run(requests, replies);
        }
        System.exit(0); // thread pools of a library shall not keep the process alive
    }

    /** Obeys until {@link Request.Command#FINISH} or the end of the requests. */
    void run(Reader requests, Writer replies) throws IOException {
        BufferedReader lines = new BufferedReader(requests);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Reply reply = obey(GSON.fromJson(line, Request.class));
            replies.write(GSON.toJson(reply) + "\n");
            replies.flush();
            if (reply instanceof Reply.Finished) {
                return;
            }
        }
        close();
    }

    private Reply obey(Request request) {
        try {
            return switch (request.command()) {
                case LOAD -> load(request);
                case EMBED -> new Reply.Vectors(opened().embed(request.texts()));
                case TIME -> new Reply.Timed(timeSeconds(request.texts(), request.onePerCall()));
                case FINISH -> finish();
            };
        } catch (Exception | LinkageError e) {
            return new Reply.Failed(String.valueOf(e.getMessage() == null ? e : e.getMessage()));
        }
    }

    private Reply load(Request request) throws Exception {
        Rival opened = opener.call();
        rival = opened;
        opened.embed(request.texts());
        long firstVectorMillis = System.currentTimeMillis() - request.startedEpochMillis();
        return new Reply.Loaded(opened.engine(), firstVectorMillis);
    }

    private double timeSeconds(List<String> texts, boolean onePerCall) {
        Rival opened = opened();
        int vectors = 0;
        long beganNanos = System.nanoTime();
        if (onePerCall) {
            for (String text : texts) {
                vectors += opened.embed(List.of(text)).length;
            }
        } else {
            vectors = opened.embed(texts).length;
        }
        long tookNanos = System.nanoTime() - beganNanos;
        if (vectors != texts.size()) {
            throw new IllegalStateException(texts.size() + " texts gave " + vectors + " vectors.");
        }
        return tookNanos / 1e9;
    }

    private Reply finish() throws IOException {
        long peakResidentBytes = peakResidentBytes();
        close();
        return new Reply.Finished(peakResidentBytes);
    }

    private Rival opened() {
        if (rival == null) {
            throw new IllegalStateException("LOAD comes first.");
        }
        return rival;
    }

    private void close() {
        if (rival != null) {
            rival.close();
            rival = null;
        }
    }

    /** The high-water mark that Linux keeps; 0 on other systems. */
    private static long peakResidentBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return 0;
        }
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith("VmHWM:")) {
                return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
            }
        }
        return 0;
    }
}
