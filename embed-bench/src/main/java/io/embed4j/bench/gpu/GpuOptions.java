// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.gpu;

import io.embed4j.Precision;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * What a comparison was asked for.
 *
 * @param out directory of the reports
 * @param work directory of models and texts, some gigabytes
 * @param peers the program {@code peers.py}
 * @param python the Python that has torch, transformers and sentence-transformers
 * @param device {@code cuda:0}
 * @param shapes models, in this order
 * @param precisions of both sides; never AUTO
 * @param budgetSeconds for everything together
 * @param commit what was built
 */
record GpuOptions(
        Path out,
        Path work,
        Path peers,
        String python,
        String device,
        List<Shape> shapes,
        List<Precision> precisions,
        int budgetSeconds,
        String commit) {
    private static final int BUDGET_SECONDS = 560;

    /**
     * Reads a command line.
     *
     * @throws IllegalArgumentException if it is not one; the message says why
     */
    static GpuOptions parse(List<String> arguments) {
        Path out = null;
        Path work = null;
        Path peers = null;
        String python = "python3";
        String device = "cuda:0";
        List<Shape> shapes = Shape.standard();
        List<Precision> precisions = List.of(Precision.FP16, Precision.BF16);
        int budget = BUDGET_SECONDS;
        String commit = "unknown";
        for (Iterator<String> rest = arguments.iterator(); rest.hasNext(); ) {
            String option = rest.next();
            switch (option) {
                case "--out" -> out = Path.of(value(option, rest)).toAbsolutePath();
                case "--work" -> work = Path.of(value(option, rest)).toAbsolutePath();
                case "--peers" -> peers = Path.of(value(option, rest)).toAbsolutePath();
                case "--python" -> python = value(option, rest);
                case "--device" -> device = value(option, rest);
                case "--shapes" ->
                    shapes = Arrays.stream(value(option, rest).split(",", -1))
                            .map(Shape::parse)
                            .toList();
                case "--dtypes" ->
                    precisions = Arrays.stream(value(option, rest).split(",", -1))
                            .map(Precision::parse)
                            .toList();
                case "--budget" -> budget = seconds(value(option, rest));
                case "--commit" -> commit = value(option, rest);
                default -> throw new IllegalArgumentException("there is no option " + option + ".");
            }
        }
        if (out == null || work == null || peers == null) {
            throw new IllegalArgumentException("--out, --work and --peers must be given.");
        }
        return new GpuOptions(out, work, peers, python, device, shapes, precisions, budget, commit);
    }

    private static String value(String option, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value.");
        }
        return rest.next();
    }

    private static int seconds(String text) {
        if (!text.matches("[1-9]\\d{0,5}")) {
            throw new IllegalArgumentException("--budget needs whole seconds, not \"" + text + "\".");
        }
        return Integer.parseInt(text);
    }
}
