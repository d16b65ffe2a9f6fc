// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.DownloadListener;
import io.embed4j.DownloadProgress;
import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.core.source.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A commit on the Hub, of which files are brought into the cache, some at a time side by side. */
final class RemoteFiles implements FileStore {
    private static final Logger LOG = LoggerFactory.getLogger(RemoteFiles.class);
    private static final int CONNECTIONS = 8;

    private final HubName name;
    private final HubCache cache;
    private final HubClient client;
    private final HubListing listing;
    private final Progress progress;

    RemoteFiles(HubName name, HubCache cache, HubClient client, HubListing listing, DownloadListener listener) {
        this.name = name;
        this.cache = cache;
        this.client = client;
        this.listing = listing;
        this.progress = new Progress(name.repository(), listener);
    }

    @Override
    public String name() {
        return name.toString();
    }

    @Override
    public Path directory() {
        return cache.snapshot(listing.commit());
    }

    /** Also notes what the commit does not have, so that the next time nobody has to be asked. */
    @Override
    public boolean has(String path) {
        boolean there = listing.paths().contains(path);
        if (!there) {
            cache.noteAbsence(listing.commit(), path);
        }
        return there;
    }

    @Override
    public void bring(Collection<String> paths) {
        List<String> missing = paths.stream()
                .filter(path -> !Files.exists(directory().resolve(path)))
                .toList();
        if (missing.isEmpty()) {
            return;
        }
        ExecutorService threads = Executors.newFixedThreadPool(Math.min(CONNECTIONS, missing.size()), task -> {
            Thread thread = new Thread(task, "embed4j-download");
            thread.setDaemon(true);
            return thread;
        });
        try {
            List<HubFile> files = all(
                    threads,
                    missing.stream()
                            .map(path -> (Callable<HubFile>) () -> client.file(listing.commit(), path))
                            .toList());
            progress.begin(files);
            LOG.info("{}: downloading {} files to {}", name, files.size(), directory());
            all(
                    threads,
                    files.stream()
                            .map(file -> (Callable<HubFile>) () -> {
                                new BlobDownload(client, cache, file, progress::arrived).run();
                                cache.link(file);
                                progress.done();
                                return file;
                            })
                            .toList());
        } finally {
            threads.shutdownNow();
        }
    }

    /** Runs all; the first failure ends the others. */
    private static List<HubFile> all(ExecutorService threads, List<Callable<HubFile>> tasks) {
        CompletionService<HubFile> running = new ExecutorCompletionService<>(threads);
        tasks.forEach(running::submit);
        List<HubFile> results = new ArrayList<>();
        try {
            for (int i = 0; i < tasks.size(); i++) {
                results.add(running.take().get());
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof EmbedException known) {
                throw known;
            }
            throw new EmbedException("The model could not be downloaded: " + e.getCause(), e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbedException(HelpTopic.INTERRUPTED, "The download was interrupted.", e);
        }
        return results;
    }

    /** Adds up what several threads report. */
    private static final class Progress {
        private final String model;
        private final DownloadListener listener;
        private int filesDone;
        private int files;
        private long bytesDone;
        private long bytes;

        Progress(String model, DownloadListener listener) {
            this.model = model;
            this.listener = listener;
        }

        synchronized void begin(List<HubFile> more) {
            files += more.size();
            bytes += more.stream().mapToLong(HubFile::bytes).sum();
            tell();
        }

        synchronized void arrived(long more) {
            bytesDone += more;
            tell();
        }

        synchronized void done() {
            filesDone++;
            tell();
        }

        private void tell() {
            listener.onProgress(new DownloadProgress(model, filesDone, files, bytesDone, bytes));
        }
    }
}
