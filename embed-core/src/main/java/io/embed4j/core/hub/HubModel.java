// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.DownloadListener;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import io.embed4j.core.source.FileStore;
import io.embed4j.core.source.ModelFiles;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * A model of the Hub, in a directory. What is whole in the cache is used as it is, without asking the Hub: a program
 * starts as fast as from a directory, also without a network, and a hundred at once do not meet the Hub's limits. Only
 * where something is missing the Hub is asked what the revision means now, and that commit is brought.
 */
public final class HubModel {
    private final HubName name;
    private final HubSettings settings;
    private final HubCache cache;

    /**
     * Prepares; nothing is looked for yet.
     *
     * @param name which model
     * @param settings where to look
     */
    public HubModel(HubName name, HubSettings settings) {
        this.name = name;
        this.settings = settings;
        this.cache = new HubCache(settings, name);
    }

    /**
     * Makes sure that the configuration and the tokenizer are there, without the weights.
     *
     * @return a directory in Hugging Face layout
     * @throws ModelDownloadException if that cannot be
     */
    public Path configuration(DownloadListener listener) {
        return bring(ModelFiles::bringConfiguration, listener);
    }

    /**
     * Makes sure that the whole model is there. Its configuration comes first and is looked at before the weights come,
     * which may be some thousand times as large.
     *
     * @param check looks at the directory when all but the weights is there; throws if the model is of no use
     * @return a directory in Hugging Face layout
     * @throws ModelDownloadException if that cannot be
     */
    public Path whole(Consumer<Path> check, DownloadListener listener) {
        return bring(
                store -> {
                    ModelFiles.bringConfiguration(store);
                    if (store instanceof RemoteFiles) {
                        check.accept(store.directory());
                    }
                    ModelFiles.bringWeights(store);
                },
                listener);
    }

    /**
     * Asks the Hub what the revision means now, whatever is in the cache, and brings that.
     *
     * @param check as for {@link #whole}
     * @return a directory in Hugging Face layout
     * @throws ModelDownloadException if that cannot be
     */
    public Path newest(Consumer<Path> check, DownloadListener listener) {
        if (settings.offline()) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_OFFLINE, "HF_HUB_OFFLINE is set: " + name + " cannot be downloaded. Unset it.");
        }
        return download(
                store -> {
                    ModelFiles.bringConfiguration(store);
                    check.accept(store.directory());
                    ModelFiles.bringWeights(store);
                },
                listener);
    }

    private Path bring(Consumer<FileStore> needed, DownloadListener listener) {
        Optional<String> commit = cache.commit(name.revision());
        Collection<String> missing = new TreeSet<>();
        if (commit.isPresent()) {
            CachedFiles cached = new CachedFiles(name, cache, commit.get());
            needed.accept(cached);
            if (cached.missing().isEmpty()) {
                return cached.directory();
            }
            missing = cached.missing();
        }
        if (settings.offline()) {
            throw offline(commit, missing);
        }
        try {
            return download(needed, listener);
        } catch (ModelDownloadException e) {
            if (e.helpTopic() != HelpTopic.HUB_UNREACHABLE || missing.isEmpty()) {
                throw e;
            }
            throw new ModelDownloadException(
                    e.helpTopic(), e.getMessage() + " The model cache lacks " + String.join(", ", missing) + ".", e);
        }
    }

    private Path download(Consumer<FileStore> needed, DownloadListener listener) {
        try (HubClient client = new HubClient(name, settings)) {
            HubListing listing = client.listing();
            RemoteFiles remote = new RemoteFiles(name, cache, client, listing, listener);
            needed.accept(remote);
            cache.note(name.revision(), listing.commit());
            return remote.directory();
        }
    }

    private ModelDownloadException offline(Optional<String> commit, Collection<String> missing) {
        String what = commit.map(
                        found -> "of " + name + " at commit " + found + " it lacks " + String.join(", ", missing))
                .orElse("it knows no revision \"" + name.revision() + "\" of " + name.repository());
        return new ModelDownloadException(
                HelpTopic.HUB_OFFLINE,
                "HF_HUB_OFFLINE is set, and the model cache " + cache.root() + " is not enough: " + what
                        + ". Unset it once, or fill the cache where there is a network and copy it here"
                        + commit.map(found -> "; if the model has no other files than those there, name its directory, "
                                        + cache.snapshot(found))
                                .orElse("")
                        + ".");
    }
}
