// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an owner has opened, closed together, the last first. Not thread-safe. */
final class Resources implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Resources.class);

    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    /**
     * Takes over a resource.
     *
     * @param resource what was opened
     * @return the same
     */
    <T extends AutoCloseable> T add(T resource) {
        open.push(resource);
        return resource;
    }

    /** Closes all, whatever happens: of a device that is lost, nothing can be given back, and that is said before. */
    @Override
    public void close() {
        while (!open.isEmpty()) {
            AutoCloseable resource = open.pop();
            try {
                resource.close();
            } catch (Exception e) {
                LOG.debug("{} could not be closed", resource.getClass().getSimpleName(), e);
            }
        }
    }
}
