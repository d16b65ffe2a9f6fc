// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What the status and the headers of an answer mean. The Hub says in {@code X-Error-Code} which of its many reasons it
 * has for a 401, 403 or 404; without a token it answers 401 for models that do not exist too.
 *
 * @param response the answer
 * @param name the model that was asked for
 * @param settings who asked
 */
record HubAnswer(HttpResponse<?> response, HubName name, HubSettings settings) {
    private static final Set<Integer> TRANSIENT = Set.of(408, 429, 500, 502, 503, 504);
    private static final Pattern NO_URI_CHARACTER = Pattern.compile("[^\\x21-\\x7e]+|[\"<>\\\\^`{|}]");
    private static final Pattern RESET_SECONDS = Pattern.compile(";\\s*t=(\\d{1,9})");

    int status() {
        return response.statusCode();
    }

    Optional<String> header(String name) {
        return headers().firstValue(name);
    }

    private HttpHeaders headers() {
        return response.headers();
    }

    Optional<URI> redirect() {
        return status() / 100 == 3
                ? header("Location").map(location -> response.uri().resolve(escaped(location)))
                : Optional.empty();
    }

    /** Signed URLs may hold characters that java.net.URI does not take and everybody else does. */
    private static String escaped(String location) {
        return NO_URI_CHARACTER
                .matcher(location)
                .replaceAll(found ->
                        URLEncoder.encode(found.group(), StandardCharsets.UTF_8).replace("+", "%20"));
    }

    /**
     * Lets 2xx and redirects pass.
     *
     * @param file the file that was asked for; null for the model as a whole
     * @throws TransientFailure if it may go better later
     * @throws ModelDownloadException if it will not
     */
    void requireSuccess(@Nullable String file) throws TransientFailure {
        if (status() / 100 == 2 || redirect().isPresent()) {
            return;
        }
        if (TRANSIENT.contains(status())) {
            throw new TransientFailure(
                    response.uri().getHost() + " answers " + status() + (status() == 429 ? " (too many requests)" : ""),
                    retryAfter());
        }
        throw refusal(file);
    }

    private ModelDownloadException refusal(@Nullable String file) {
        String code = header("X-Error-Code").orElse("");
        String said = header("X-Error-Message").map(text -> ": " + text).orElse("");
        String page = settings.endpoint() + "/" + name.repository();
        String answer = " (" + status() + said + ")";
        if (code.equals("GatedRepo")) {
            return access("The model " + name.repository() + " is gated" + answer + ". Accept its terms at " + page
                    + (settings.token() == null
                            ? ", then set HF_TOKEN to a token of that account."
                            : " with the account of the token in " + settings.tokenSource() + "."));
        }
        if (code.equals("RevisionNotFound")) {
            return notFound("The model " + name.repository() + " has no revision \"" + name.revision() + "\"" + answer
                    + ". " + page + "/tree/main lists its branches and tags.");
        }
        if (code.equals("EntryNotFound") && file != null) {
            return notFound("The model " + name.repository() + " has no file " + file + " at revision "
                    + name.revision() + answer + ".");
        }
        if (status() == 401 && settings.token() != null && !code.equals("RepoNotFound")) {
            return access("The Hub refuses the token in " + settings.tokenSource() + answer + ". Make a new one at "
                    + settings.endpoint() + "/settings/tokens, or take the old one away: open models need none.");
        }
        if (status() == 404 || status() == 401) {
            return notFound(
                    "The Hub at " + settings.endpoint() + " knows no model \"" + name.repository() + "\"" + answer
                            + ". Check how it is spelled; if it is private, "
                            + (settings.token() == null
                                    ? "set HF_TOKEN."
                                    : "the token in " + settings.tokenSource() + " must be allowed to read it."));
        }
        if (status() == 403) {
            return access("The Hub does not let us read " + name.repository() + answer
                    + (settings.token() == null
                            ? ". Set HF_TOKEN to a token that may."
                            : ". The token in " + settings.tokenSource() + " must be allowed to read it."));
        }
        return new ModelDownloadException(
                HelpTopic.HUB_UNREACHABLE,
                response.uri().getHost() + " answers " + status() + said + " to "
                        + response.request().method() + " " + response.uri().getPath() + ". Is HF_ENDPOINT, "
                        + settings.endpoint() + ", a Hub?");
    }

    private static ModelDownloadException access(String message) {
        return new ModelDownloadException(HelpTopic.HUB_ACCESS, message);
    }

    private static ModelDownloadException notFound(String message) {
        return new ModelDownloadException(HelpTopic.MODEL_NOT_FOUND, message);
    }

    /** From Retry-After, in seconds or as a date, or from the RateLimit header of the Hub. */
    private @Nullable Duration retryAfter() {
        Optional<String> retry = header("Retry-After");
        if (retry.isPresent()) {
            String value = retry.get().strip();
            if (value.matches("\\d{1,9}")) {
                return Duration.ofSeconds(Long.parseLong(value));
            }
            try {
                Duration until = Duration.between(
                        ZonedDateTime.now(ZoneOffset.UTC),
                        ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME));
                return until.isNegative() ? Duration.ZERO : until;
            } catch (DateTimeParseException e) {
                return null; // neither: as if it were not there
            }
        }
        Matcher reset = RESET_SECONDS.matcher(header("RateLimit").orElse(""));
        return reset.find() ? Duration.ofSeconds(Long.parseLong(reset.group(1))) : null;
    }
}
