// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import java.io.IOException;
import java.io.PipedReader;
import java.io.PipedWriter;
import java.io.UncheckedIOException;
import java.util.concurrent.Callable;

/** A worker on a thread of this process instead of a process of its own. */
public final class InProcessRival implements AutoCloseable {
    private final PipedWriter requests = new PipedWriter();
    private final PipedReader replies = new PipedReader();
    private final Thread thread;
    private final RivalClient client;

    /** Starts the worker. */
    public InProcessRival(Callable<? extends Rival> opener) throws IOException {
        PipedReader workersRequests = new PipedReader(requests);
        PipedWriter workersReplies = new PipedWriter(replies);
        thread = new Thread(
                () -> {
                    try (workersRequests;
                            workersReplies) {
                        new RivalWorker(opener).run(workersRequests, workersReplies);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                "rival");
        thread.start();
        client = new RivalClient(replies, requests);
    }

    /** The driver's end. */
    public RivalClient client() {
        return client;
    }

    /** Ends the requests and waits for the worker. */
    @Override
    public void close() throws IOException {
        requests.close();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        replies.close();
    }
}
