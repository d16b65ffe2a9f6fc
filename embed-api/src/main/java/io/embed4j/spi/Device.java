// SPDX-License-Identifier: Apache-2.0
package io.embed4j.spi;

import io.embed4j.spec.EncoderSpec;

/**
 * An open device. It owns memory; what it loads are its tenants and must be closed before it.
 *
 * <pre>{@code
 * BackendProvider cpu = ServiceLoader.load(BackendProvider.class).stream()
 *         .map(ServiceLoader.Provider::get)
 *         .filter(backend -> backend.name().equals("cpu"))
 *         .findFirst()
 *         .orElseThrow();
 * try (Device device = cpu.open(DeviceId.CPU)) {
 *     System.out.println(device.info() + " " + device.memory().freeBytes());
 * }
 * }</pre>
 *
 * @since 0.1
 */
public interface Device extends DevicePlanner, AutoCloseable {

    /**
     * Returns the account of the device's memory.
     *
     * @return the ledger
     */
    MemoryLedger memory();

    @Override
    default long totalBytes() {
        return memory().totalBytes();
    }

    @Override
    default long freeBytes() {
        return memory().freeBytes();
    }

    /**
     * Loads an encoder.
     *
     * @param spec the architecture
     * @param weights the weights by role
     * @param options precision and budget
     * @return the encoder; the caller closes it
     * @throws io.embed4j.UnsupportedModelException if a feature of the spec or the precision cannot be honoured
     * @throws io.embed4j.ModelFormatException if a weight is missing or has the wrong shape
     * @throws io.embed4j.OutOfDeviceMemoryException if it does not fit
     */
    Encoder load(EncoderSpec spec, WeightSource weights, EncoderOptions options);

    /**
     * Makes an empty index shard. It enters what it needs in {@link #memory()} as it grows.
     *
     * @param spec width, storage, rescoring
     * @return the shard; the caller closes it
     * @throws io.embed4j.UnsupportedModelException if the device has no index of this kind
     */
    IndexShard index(IndexSpec spec);

    /** Frees the device. */
    @Override
    void close();
}
