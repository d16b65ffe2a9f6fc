// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings one file into the cache: download to a file beside the blob, check size and hash of what lies on the disk, give
 * it the blob's name in one step. What a broken download leaves is taken up by the next one.
 */
final class BlobDownload {
    private static final Logger LOG = LoggerFactory.getLogger(BlobDownload.class);
    private static final int BUFFER_BYTES = 1 << 16;

    /** Not the name that Python gives its own: older versions append to a file that they find. */
    private static final String UNFINISHED = ".embed4j.incomplete";

    private final HubClient client;
    private final HubCache cache;
    private final HubFile file;
    private final LongConsumer arrived;
    private final AtomicLong received = new AtomicLong();
    private long reported;

    /**
     * Prepares.
     *
     * @param arrived hears of bytes that are there, also of those that were there before; negative where some were of
     *     no use
     */
    BlobDownload(HubClient client, HubCache cache, HubFile file, LongConsumer arrived) {
        this.client = client;
        this.cache = cache;
        this.file = file;
        this.arrived = arrived;
    }

    /** Makes sure that the blob is there. */
    void run() {
        Path blob = cache.blob(file.etag());
        if (!Files.exists(blob)) {
            BlobLock.hold(cache.lock(file.etag()), alone -> {
                if (!Files.exists(blob)) {
                    String ending = (alone ? "" : "." + UUID.randomUUID()) + UNFINISHED;
                    download(blob.resolveSibling(blob.getFileName() + ending), blob);
                }
            });
        }
        report(file.bytes());
    }

    private void download(Path unfinished, Path blob) {
        cache.writing(() -> Files.createDirectories(Objects.requireNonNull(blob.getParent())));
        requireRoom(unfinished);
        boolean resumed = client.patiently(received::get, () -> receive(unfinished));
        if (resumed && !isRight(unfinished)) {
            // What lay there was damaged, after a crash of the machine for instance: once more from the beginning.
            cache.writing(() -> Files.deleteIfExists(unfinished));
            client.patiently(received::get, () -> receive(unfinished));
        }
        if (!isRight(unfinished)) {
            cache.writing(() -> Files.deleteIfExists(unfinished));
            throw new ModelDownloadException(
                    HelpTopic.HUB_DOWNLOAD,
                    file.path() + " came with another content than the Hub says: its hash is not " + file.etag()
                            + ". It was thrown away. Try again; if it happens again, a proxy in between changes files.");
        }
        cache.writing(() ->
                Files.move(unfinished, blob, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING));
    }

    private boolean isRight(Path unfinished) {
        if (!file.hasHash()) {
            LOG.warn("{} has the ETag {}, which is no hash: only its size is checked.", file.path(), file.etag());
        }
        boolean[] right = new boolean[1];
        cache.writing(() -> right[0] = file.isContentOf(unfinished));
        return right[0];
    }

    private void requireRoom(Path unfinished) {
        cache.writing(() -> {
            long there = Files.exists(unfinished) ? Files.size(unfinished) : 0;
            long room = Files.getFileStore(Objects.requireNonNull(unfinished.getParent()))
                    .getUsableSpace();
            if (room < file.bytes() - there) {
                throw new IOException("no room for " + file.path() + ", " + file.bytes() + " bytes of which " + there
                        + " are there; " + room + " bytes are free");
            }
        });
    }

    /**
     * Receives what is missing.
     *
     * @return whether some was there before
     * @throws IOException if the connection or the server fails; what has arrived stays
     */
    private boolean receive(Path unfinished) throws IOException, InterruptedException {
        try (FileChannel out = openUnfinished(unfinished)) {
            long there = out.size();
            if (there > file.bytes()) {
                there = 0;
            }
            boolean resumed = there > 0;
            if (there < file.bytes() || there == 0) {
                try (HubClient.Content content = open(there)) {
                    resumed = content.start() > 0;
                    receive(content, out);
                }
            }
            cache.writing(() -> out.force(true)); // a name that outlives a power failure must not lead to zeros
            return resumed;
        }
    }

    private FileChannel openUnfinished(Path unfinished) {
        FileChannel[] channel = new FileChannel[1];
        cache.writing(
                () -> channel[0] = FileChannel.open(unfinished, StandardOpenOption.CREATE, StandardOpenOption.WRITE));
        return Objects.requireNonNull(channel[0]);
    }

    private void receive(HubClient.Content content, FileChannel out) throws IOException {
        cache.writing(() -> out.truncate(content.start()));
        long end = content.start();
        report(end);
        byte[] buffer = new byte[BUFFER_BYTES];
        for (int count = read(content, buffer, end); count >= 0; count = read(content, buffer, end)) {
            if (end + count > file.bytes()) {
                cache.writing(() -> out.truncate(0));
                throw new ModelDownloadException(
                        HelpTopic.HUB_DOWNLOAD,
                        file.path() + " is longer than the " + file.bytes() + " bytes that the Hub says."
                                + " It was thrown away. Try again; if it happens again, a proxy in between changes files.");
            }
            ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, count);
            long position = end;
            cache.writing(() -> writeFully(out, bytes, position));
            end += count;
            received.addAndGet(count);
            report(end);
        }
        if (end < file.bytes()) {
            throw brokenOff(end, null);
        }
    }

    private HubClient.Content open(long there) throws IOException, InterruptedException {
        try {
            return client.open(file, there);
        } catch (TransientFailure | SSLException e) {
            throw e;
        } catch (IOException e) {
            throw brokenOff(there, e);
        }
    }

    private int read(HubClient.Content content, byte[] buffer, long there) throws IOException {
        try {
            return content.body().read(buffer);
        } catch (IOException e) {
            throw brokenOff(there, e);
        }
    }

    private IOException brokenOff(long there, @Nullable IOException failure) {
        return new IOException(
                file.path() + " broke off after " + there + " of " + file.bytes() + " bytes"
                        + (failure == null ? "" : ": " + failure.getMessage()),
                failure);
    }

    private static void writeFully(FileChannel out, ByteBuffer bytes, long position) throws IOException {
        long at = position;
        while (bytes.hasRemaining()) {
            at += out.write(bytes, at);
        }
    }

    private void report(long there) {
        arrived.accept(there - reported);
        reported = there;
    }
}
