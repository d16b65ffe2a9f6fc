// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import java.util.List;

/**
 * What the driver asks of a rival.
 *
 * @param command what to do
 * @param texts texts to embed; none for {@link Command#FINISH}
 * @param startedEpochMillis for {@link Command#LOAD}: when the rival's process was started
 * @param onePerCall for {@link Command#TIME}: whether each text is a call of its own
 */
record Request(Command command, List<String> texts, long startedEpochMillis, boolean onePerCall) {

    /** What a rival can be asked; each has a record in {@link Reply} that answers it. */
    enum Command {
        /** Open the library and embed the texts, which is the end of the start-up. */
        LOAD,
        /** Embed the texts in one call and return the vectors. */
        EMBED,
        /** Embed the texts and return how long it took. */
        TIME,
        /** Close the library, return the peak of memory, and end. */
        FINISH
    }

    static Request load(long startedEpochMillis, List<String> texts) {
        return new Request(Command.LOAD, texts, startedEpochMillis, false);
    }

    static Request embed(List<String> texts) {
        return new Request(Command.EMBED, texts, 0, false);
    }

    static Request time(List<String> texts, boolean onePerCall) {
        return new Request(Command.TIME, texts, 0, onePerCall);
    }

    static Request finish() {
        return new Request(Command.FINISH, List.of(), 0, false);
    }
}
