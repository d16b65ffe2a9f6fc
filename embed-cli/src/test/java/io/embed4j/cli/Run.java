// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * One run of the command with a fake embedder.
 *
 * @param exitCode what the process would end with
 * @param out what went to stdout
 * @param err what went to stderr
 * @param factory what was asked of the library
 */
record Run(int exitCode, String out, String err, FakeFactory factory) {

    static Run of(String... args) {
        return with(new FakeFactory(), "", args);
    }

    static Run withInput(String standardInput, String... args) {
        return with(new FakeFactory(), standardInput, args);
    }

    static Run with(FakeFactory factory, String standardInput, String... args) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StringWriter err = new StringWriter();
        Terminal terminal = new Terminal(
                new ByteArrayInputStream(standardInput.getBytes(StandardCharsets.UTF_8)),
                out,
                new PrintWriter(err, true),
                false);
        int exitCode = Main.run(args, () -> factory, terminal);
        return new Run(exitCode, out.toString(StandardCharsets.UTF_8), err.toString(), factory);
    }

    List<String> outLines() {
        return out.lines().toList();
    }

    List<String> errLines() {
        return err.lines().toList();
    }
}
