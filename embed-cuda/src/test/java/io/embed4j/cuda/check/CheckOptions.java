// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What a check was asked for.
 *
 * @param out directory of the report
 * @param commit what was built, as the bundle tells it
 * @param model whether the second bundle, the embedded default, is on the class path
 * @param parts which are run; the facts always
 * @param budgetSeconds for all parts together
 */
record CheckOptions(Path out, String commit, boolean model, Set<CheckPart> parts, int budgetSeconds) {
    private static final int BUDGET_SECONDS = 560;

    /**
     * Reads a command line: --out DIR --commit TEXT [--model] [--parts a,b] [--budget SECONDS].
     *
     * @throws IllegalArgumentException if it is not one
     */
    static CheckOptions parse(List<String> arguments) {
        Path out = null;
        String commit = "unknown";
        boolean model = false;
        Set<CheckPart> parts = EnumSet.allOf(CheckPart.class);
        int budget = BUDGET_SECONDS;
        for (Iterator<String> rest = arguments.iterator(); rest.hasNext(); ) {
            String option = rest.next();
            switch (option) {
                case "--out" -> out = Path.of(value(option, rest)).toAbsolutePath();
                case "--commit" -> commit = value(option, rest);
                case "--model" -> model = true;
                case "--budget" -> budget = Integer.parseInt(value(option, rest));
                case "--parts" -> {
                    parts = EnumSet.of(CheckPart.FACTS);
                    for (String name : value(option, rest).split(",", -1)) {
                        parts.add(CheckPart.valueOf(name.toUpperCase(Locale.ROOT)));
                    }
                }
                default -> throw new IllegalArgumentException("there is no option " + option + ".");
            }
        }
        if (out == null) {
            throw new IllegalArgumentException("--out names the directory of the report.");
        }
        return new CheckOptions(out, commit, model, Set.copyOf(parts), budget);
    }

    private static String value(String option, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value.");
        }
        return rest.next();
    }

    boolean wants(CheckPart part) {
        return parts.contains(part);
    }

    /** The fixture that is left out; empty for none. */
    String without() {
        return model ? "" : "minilm-default";
    }

    /** All parts, on all fixtures. */
    boolean whole() {
        return model && parts.size() == CheckPart.values().length;
    }
}
