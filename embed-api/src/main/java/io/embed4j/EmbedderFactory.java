// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/**
 * What embed-core provides behind {@link Embedder#builder()}; found by {@link ServiceLoader}, so that code which only
 * passes embedders around needs embed-api alone.
 *
 * <pre>{@code
 * DeviceReport devices = EmbedderFactory.find().detectDevices();
 * }</pre>
 *
 * @since 0.1
 */
public interface EmbedderFactory {

    /**
     * Finds the implementation on the class path of the caller's thread, or of this class.
     *
     * @return the implementation
     * @throws EmbedException if there is none; the message names the artifact to add
     */
    static EmbedderFactory find() {
        for (ClassLoader loader : new ClassLoader[] {
            Thread.currentThread().getContextClassLoader(), EmbedderFactory.class.getClassLoader()
        }) {
            try {
                Iterator<EmbedderFactory> found =
                        ServiceLoader.load(EmbedderFactory.class, loader).iterator();
                if (found.hasNext()) {
                    return found.next();
                }
            } catch (ServiceConfigurationError e) {
                // A context class loader of another application sees its own copy of this interface: try ours.
                if (loader == EmbedderFactory.class.getClassLoader()) {
                    throw new EmbedException(
                            HelpTopic.NO_IMPLEMENTATION,
                            "The embed4j implementation could not be loaded: " + e.getMessage(),
                            e);
                }
            }
        }
        throw new EmbedException(
                HelpTopic.NO_IMPLEMENTATION,
                "No embed4j implementation is on the class path. Add the dependency "
                        + "io.embed4j:embed4j (or io.embed4j:embed-core and a backend).");
    }

    /**
     * Loads a model.
     *
     * @param options model, device, precision, budget
     * @return the embedder
     */
    default Embedder open(EmbedderOptions options) {
        return open(options, DownloadListener.NONE);
    }

    /**
     * Loads a model.
     *
     * @param options model, device, precision, budget
     * @param downloads hears of what has to be downloaded
     * @return the embedder
     */
    Embedder open(EmbedderOptions options, DownloadListener downloads);

    /**
     * Downloads a model of the Hub, all of what embed4j reads, or looks whether there is a newer one of a branch.
     *
     * @param model {@code hf:ORG/NAME} or {@code hf:ORG/NAME@REVISION}
     * @param downloads hears of what has to be downloaded
     * @return the model's directory in the cache
     * @throws ModelDownloadException if it cannot be downloaded
     */
    Path download(String model, DownloadListener downloads);

    /**
     * Returns the JVM's one embedder for these options.
     *
     * @param options what to share
     * @return a handle, closed by its caller
     */
    Embedder shared(EmbedderOptions options);

    /**
     * Plans a model without loading its weights.
     *
     * @param options model, device, precision, budget
     * @return whether it fits
     */
    FitReport fit(EmbedderOptions options);

    /**
     * Plans a model in every precision.
     *
     * @param options the model, the device and the token budget; the precision does not matter
     * @param cards cards that need not be here; if empty, the device of the options, every one of this machine for {@code
     *     auto}
     * @return a report for each device and precision
     */
    FitTable fitAll(EmbedderOptions options, List<GpuCard> cards);

    /**
     * Finds a card in the table of cards.
     *
     * @param name its name
     * @return the card
     * @throws IllegalArgumentException if it is unknown or not the only one
     */
    GpuCard gpuCard(String name);

    /**
     * Returns the table of cards.
     *
     * @return every card
     */
    List<GpuCard> gpuCards();

    /**
     * Asks all backends for their devices.
     *
     * @return usable devices and the others with their reasons
     */
    DeviceReport detectDevices();

    /**
     * Checks whether embed4j can work here.
     *
     * @param device a device that must be usable, or {@code auto} for any
     * @return check by check
     */
    InstallationReport checkInstallation(String device);

    /**
     * Makes an empty index.
     *
     * @param dimension D
     * @param options device, storage, similarity, ids
     * @return the index
     */
    VectorIndex index(int dimension, IndexOptions options);

    /**
     * Opens a saved index.
     *
     * @param directory where it was saved
     * @param options device, storage, exactness
     * @return the index
     */
    VectorIndex loadIndex(Path directory, IndexOptions options);

    /**
     * Writes a saved index anew without its deleted rows.
     *
     * @param directory where it was saved
     * @return how many rows were left out
     */
    int compactIndex(Path directory);

    /**
     * Plans an index without making it.
     *
     * @param dimension D
     * @param rows N
     * @param options device, storage, exactness
     * @return whether it fits
     */
    IndexFit fitIndex(int dimension, int rows, IndexOptions options);

    /**
     * Opens a file of vectors.
     *
     * @param file {@code .npy} or {@code .safetensors}
     * @param tensor the tensor's name; empty for the only one
     * @return the rows
     */
    VectorRows openRows(Path file, String tensor);
}
