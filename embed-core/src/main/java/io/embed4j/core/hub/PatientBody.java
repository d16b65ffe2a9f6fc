// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads the body of an answer and gives up on a peer that sends next to nothing: HttpClient's own timeout ends where the
 * body begins. A clock looks at the count of bytes at regular times, and closes the stream under the reader if it has
 * hardly moved.
 */
final class PatientBody implements AutoCloseable {
    /** What must arrive from one look to the next, so that a trickle counts as a stall too. */
    static final long LEAST_BYTES = 1024;

    private final InputStream body;
    private final Duration stall;
    private final Set<PatientBody> open;
    private final AtomicLong received = new AtomicLong();
    private final Future<?> looking;
    private long receivedBefore;
    private volatile boolean stalled;

    /**
     * Begins to look.
     *
     * @param body what to read
     * @param stall from one look to the next
     * @param clock looks
     * @param open holds this one until it is closed
     */
    PatientBody(InputStream body, Duration stall, ScheduledExecutorService clock, Set<PatientBody> open) {
        this.body = body;
        this.stall = stall;
        this.open = open;
        open.add(this);
        this.looking = clock.scheduleAtFixedRate(this::look, stall.toNanos(), stall.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Runs on the clock's thread only. */
    private void look() {
        long now = received.get();
        if (now - receivedBefore < LEAST_BYTES) {
            stalled = true;
            closeQuietly();
        }
        receivedBefore = now;
    }

    /**
     * Reads some bytes.
     *
     * @return how many; -1 at the end
     * @throws HttpTimeoutException if the peer has stalled
     */
    int read(byte[] buffer) throws IOException {
        try {
            int count = body.read(buffer);
            if (stalled) {
                throw timeout();
            }
            received.addAndGet(Math.max(0, count));
            return count;
        } catch (IOException e) {
            throw stalled ? timeout() : e;
        }
    }

    private HttpTimeoutException timeout() {
        return new HttpTimeoutException("less than " + LEAST_BYTES + " bytes came in " + stall.toMillis() + " ms");
    }

    private void closeQuietly() {
        try {
            body.close();
        } catch (IOException e) {
            // It is given up in any case.
        }
    }

    @Override
    public void close() {
        open.remove(this);
        looking.cancel(false);
        closeQuietly();
    }
}
