// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

/** What a rival answers, one record per command. */
public sealed interface Reply {

    /**
     * Answers any command that failed.
     *
     * @param error what went wrong
     */
    record Failed(String error) implements Reply {}

    /**
     * Answers {@link Request.Command#LOAD}.
     *
     * @param engine {@link Rival#engine()}
     * @param firstVectorMillis from the start of the process to the first vector
     */
    record Loaded(String engine, long firstVectorMillis) implements Reply {}

    /**
     * Answers {@link Request.Command#EMBED}.
     *
     * @param vectors [B][D]
     */
    @SuppressWarnings("ArrayRecordComponent") // made once, read once
    record Vectors(float[][] vectors) implements Reply {}

    /**
     * Answers {@link Request.Command#TIME}.
     *
     * @param seconds wall time of the calls alone
     */
    record Timed(double seconds) implements Reply {}

    /**
     * Answers {@link Request.Command#FINISH}.
     *
     * @param peakResidentBytes most memory that the process ever had; 0 where the system does not tell
     */
    record Finished(long peakResidentBytes) implements Reply {}
}
