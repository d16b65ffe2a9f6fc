// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.DeviceInfo;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.spec.EncoderSpec;
import java.util.List;

/**
 * What a device says of the memory that an encoder would need: a {@link Device} that is open, or one that is not here and
 * is known by its data only ({@link BackendProvider#planner}).
 *
 * <pre>{@code
 * GpuCard card = GpuCard.named("RTX 3060 12GB");
 * for (BackendProvider backend : ServiceLoader.load(BackendProvider.class)) {
 *     backend.planner(card).ifPresent(planner -> System.out.println(planner.precisions()));
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface DevicePlanner {

    /**
     * Returns what the device is.
     *
     * @return name, engine, memory
     */
    DeviceInfo info();

    /**
     * Returns the device's memory.
     *
     * @return bytes
     */
    long totalBytes();

    /**
     * Returns what can still be reserved.
     *
     * @return bytes
     */
    long freeBytes();

    /**
     * Returns the precisions this device runs, best first.
     *
     * @return never {@link Precision#AUTO}
     */
    List<Precision> precisions();

    /**
     * Returns precisions that a later version is to run on this device, for which {@link #plan} already answers.
     *
     * @return none of {@link #precisions}
     */
    default List<Precision> plannedPrecisions() {
        return List.of();
    }

    /**
     * Returns the token budget where the user sets none.
     *
     * @param maxTokensPerText longest text in tokens
     * @return at least that
     */
    int defaultBatchTokens(int maxTokensPerText);

    /**
     * Estimates what the device's driver takes for each process, beside all plans: the context, and code that is loaded.
     * {@link #freeBytes} has it taken off.
     *
     * @return bytes; 0 for none
     */
    default long processBytes() {
        return 0;
    }

    /**
     * Estimates what the device's driver takes for the launches that an encoder records. They are recorded only where
     * there is room, so no plan counts it.
     *
     * @param spec the architecture
     * @return bytes; 0 for none
     */
    default long graphBytes(EncoderSpec spec) {
        return 0;
    }

    /**
     * Plans an encoder without loading it: the single arithmetic behind {@link Device#load} and fit reports.
     *
     * @param spec the architecture
     * @param stored how the weights are stored
     * @param options precision and budget
     * @return bytes by purpose
     * @throws io.embed4j.UnsupportedModelException if a feature of the spec or the precision cannot be honoured
     */
    MemoryPlan plan(EncoderSpec spec, WeightTypes stored, EncoderOptions options);

    /**
     * Plans an index shard without making it: the single arithmetic behind {@link Device#index} and fit reports.
     *
     * @param spec width, storage, rescoring
     * @param rows N
     * @return bytes on the device and on the host
     * @throws io.embed4j.UnsupportedModelException if the device has no index of this kind
     */
    default IndexPlan planIndex(IndexSpec spec, int rows) {
        throw new UnsupportedModelException("The device " + info().id() + " of this version has no index.");
    }
}
