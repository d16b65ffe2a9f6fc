// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The driver's end: sends a request and waits for its reply. Used by one thread at a time. */
public final class RivalClient {
    private static final Gson GSON =
            new GsonBuilder().serializeSpecialFloatingPointValues().create();

    private final BufferedReader replies;
    private final Writer requests;

    /**
     * Talks over the given streams, which the caller closes.
     *
     * @param replies what the rival writes
     * @param requests what the rival reads
     */
    public RivalClient(Reader replies, Writer requests) {
        this.replies = new BufferedReader(replies);
        this.requests = requests;
    }

    /**
     * Opens the library and has it embed one text.
     *
     * @param startedEpochMillis when the rival's process was started
     * @param text the first text
     */
    public Reply.Loaded load(long startedEpochMillis, String text) {
        return ask(Request.load(startedEpochMillis, List.of(text)), Reply.Loaded.class);
    }

    /**
     * Has texts embedded in one call.
     *
     * @param texts B texts
     * @return [B][D]
     */
    public float[][] embed(List<String> texts) {
        return ask(Request.embed(texts), Reply.Vectors.class).vectors();
    }

    /**
     * Has texts embedded and the calls timed where they are made, so that neither JSON nor pipes count.
     *
     * @param texts B texts
     * @param onePerCall whether each text is a call of its own
     * @return wall time in seconds
     */
    public double timeSeconds(List<String> texts, boolean onePerCall) {
        return ask(Request.time(texts, onePerCall), Reply.Timed.class).seconds();
    }

    /** Ends the rival and returns the most memory it ever had. */
    public Reply.Finished finish() {
        return ask(Request.finish(), Reply.Finished.class);
    }

    private <R extends Reply> R ask(Request request, Class<R> type) {
        try {
            requests.write(GSON.toJson(request) + "\n");
            requests.flush();
            JsonObject reply = readReply();
            if (reply == null) {
                throw new RivalException("it ended without answering " + request.command());
            }
            if (reply.has("error")) {
                throw new RivalException(
                        GSON.fromJson(reply, Reply.Failed.class).error());
            }
            return GSON.fromJson(reply, type);
        } catch (IOException e) {
            throw new RivalException("it went away before " + request.command() + ": " + e.getMessage());
        }
    }

    /** The next line that is an object. Anything else is what a native library printed; it goes to standard error. */
    private @Nullable JsonObject readReply() throws IOException {
        for (String line = replies.readLine(); line != null; line = replies.readLine()) {
            if (line.startsWith("{")) {
                return GSON.fromJson(line, JsonObject.class);
            }
            System.err.println(line);
        }
        return null;
    }
}
