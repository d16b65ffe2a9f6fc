// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds in a printed line the share of a bar or tolerance that an error takes. */
final class Share {
    private static final Pattern SHARE = Pattern.compile("(\\d+(?:\\.\\d+)?|NaN|Infinity) % of the (?:bar|tolerance)");

    private Share() {}

    /** In percent. What is not a number is infinitely much. */
    static OptionalDouble find(String line) {
        Matcher matcher = SHARE.matcher(line);
        if (!matcher.find()) {
            return OptionalDouble.empty();
        }
        double share = Double.parseDouble(matcher.group(1));
        return OptionalDouble.of(Double.isNaN(share) ? Double.POSITIVE_INFINITY : share);
    }
}
