// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit.hub;

import java.util.Map;
import java.util.Optional;

/**
 * What goes wrong with the content or the answer of a file.
 *
 * <p>{@code times} counts requests that it befalls; {@code MAX_VALUE} is for ever.
 */
public sealed interface Mischief {

    /**
     * The Hub answers with a status instead.
     *
     * @param status for instance 503
     * @param headers of the answer
     */
    record Status(int status, Map<String, String> headers) implements Mischief {}

    /**
     * The connection breaks after some bytes of the body.
     *
     * @param bytes how many
     */
    record BreakOff(int bytes) implements Mischief {}

    /**
     * Nothing more comes after some bytes of the body.
     *
     * @param bytes how many
     */
    record Stall(int bytes) implements Mischief {}

    /**
     * The body comes in pieces with pauses in between.
     *
     * @param bytes of a piece
     * @param pauseMillis between two
     */
    record Trickle(int bytes, int pauseMillis) implements Mischief {}

    /** One bit of the body is another. */
    record FlipBit() implements Mischief {}

    /** The body is longer than said. */
    record Longer() implements Mischief {}

    /**
     * The answer says of another commit that the file is of it.
     *
     * @param commit what it says; empty for nothing at all
     */
    record OtherCommit(Optional<String> commit) implements Mischief {}

    /** Ranges are ignored: the whole body comes. */
    record NoRanges() implements Mischief {}
}
