// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;

/**
 * Where the command reads and writes: results on {@code out}, everything else on {@code err}.
 *
 * @param in bytes of standard input
 * @param out bytes of standard output; failures to write are exceptions here, unlike {@code System.out}
 * @param err messages for people
 * @param errIsTerminal whether a person sees {@code err} at once, so that progress is welcome
 */
record Terminal(InputStream in, OutputStream out, PrintWriter err, boolean errIsTerminal) {

    /**
     * The streams of this process. Java 17 cannot tell whether stderr is a terminal: the launcher can, and says so in
     * {@code EMBED_STDERR_TTY}.
     */
    static Terminal ofProcess() {
        return new Terminal(
                new FileInputStream(FileDescriptor.in),
                new FileOutputStream(FileDescriptor.out),
                new PrintWriter(new OutputStreamWriter(System.err, Charset.defaultCharset()), true),
                "1".equals(System.getenv("EMBED_STDERR_TTY")));
    }

    /**
     * Prints a result.
     *
     * @param text whole lines
     * @throws CliException if nobody can read it: a full disk, a closed pipe
     */
    void print(String text) {
        try {
            out.write(text.getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException e) {
            throw CliException.ofStandardOutput(e);
        }
    }

    /** Returns JSON for people and programs, with the line's end. */
    static String toJson(JsonElement element) {
        return new GsonBuilder()
                        .setPrettyPrinting()
                        .disableHtmlEscaping()
                        .create()
                        .toJson(element) + "\n";
    }
}
