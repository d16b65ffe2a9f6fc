// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Where the Hub is, where its cache lies, who we are. The variables are those of Python's huggingface_hub and mean the
 * same; a system property of a variable's name goes before it.
 *
 * @param endpoint the Hub, without a slash at its end
 * @param cache where models lie
 * @param token sent to the endpoint, and to nobody else; null for none
 * @param tokenSource where the token was found
 * @param offline whether the Hub must not be asked
 * @param symbolicLinks whether the cache may have symbolic links, as it does where the file system has them
 * @param patience how long and how often
 */
public record HubSettings(
        URI endpoint,
        Path cache,
        @Nullable String token,
        String tokenSource,
        boolean offline,
        boolean symbolicLinks,
        Patience patience) {

    static final String PUBLIC_HUB = "https://huggingface.co";
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final int DEFAULT_SECONDS = 10;

    /** The settings of this process. */
    public static HubSettings ofProcess() {
        return of(name -> Objects.requireNonNullElse(
                System.getProperty(name), Objects.requireNonNullElse(System.getenv(name), "")));
    }

    /** Settings out of variables; one that is not set is blank. */
    static HubSettings of(UnaryOperator<String> variables) {
        Variables found = new Variables(variables);
        Path home = found.path("HF_HOME")
                .orElseGet(() -> found.path("XDG_CACHE_HOME")
                        .orElseGet(() -> userHome().resolve(".cache"))
                        .resolve("huggingface"));
        Path cache = found.path("HF_HUB_CACHE")
                .or(() -> found.path("HUGGINGFACE_HUB_CACHE"))
                .orElseGet(() -> home.resolve("hub"));
        String tokenSource = "";
        String token = null;
        if (!found.isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            Optional<String> variable = found.first("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN");
            Path file = found.path("HF_TOKEN_PATH").orElseGet(() -> home.resolve("token"));
            tokenSource = variable.isPresent() ? "HF_TOKEN" : file.toString();
            token = checked(variable.or(() -> content(file)).map(String::strip).orElse(""), tokenSource);
        }
        return new HubSettings(
                endpoint(found.first("HF_ENDPOINT").orElse(PUBLIC_HUB)),
                cache,
                token,
                token == null ? "" : tokenSource,
                found.isTrue("HF_HUB_OFFLINE") || found.isTrue("TRANSFORMERS_OFFLINE"),
                !found.isTrue("HF_HUB_DISABLE_SYMLINKS"),
                Patience.of(found.seconds("HF_HUB_ETAG_TIMEOUT"), found.seconds("HF_HUB_DOWNLOAD_TIMEOUT")));
    }

    HubSettings withPatience(Patience patience) {
        return new HubSettings(endpoint, cache, token, tokenSource, offline, symbolicLinks, patience);
    }

    private static URI endpoint(String text) {
        try {
            URI uri = URI.create(text.replaceAll("/+$", ""));
            if (uri.getHost() != null && Set.of("http", "https").contains(String.valueOf(uri.getScheme()))) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // Not a URL at all: said below.
        }
        throw new ModelDownloadException(
                HelpTopic.HUB_UNREACHABLE,
                "HF_ENDPOINT is \"" + text + "\". It must be a URL, for instance " + PUBLIC_HUB + ".");
    }

    private static Path userHome() {
        return Path.of(System.getProperty("user.home", ""));
    }

    private static Optional<String> content(Path file) {
        try {
            return Files.isRegularFile(file)
                    ? Optional.of(Files.readString(file, StandardCharsets.UTF_8))
                    : Optional.empty();
        } catch (IOException e) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_ACCESS, "The token's file " + file + " cannot be read: " + e + ".", e);
        }
    }

    /** A token is a word; the message does not show it. */
    private static @Nullable String checked(String token, String source) {
        if (!token.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_ACCESS, source + " holds something else than a token: a token has no blanks.");
        }
        return token.isEmpty() ? null : token;
    }

    /** Without the token. */
    @Override
    public String toString() {
        return endpoint + ", cache " + cache + (token == null ? ", no token" : ", token from " + tokenSource)
                + (offline ? ", offline" : "");
    }

    private record Variables(UnaryOperator<String> lookUp) {
        Optional<String> first(String... names) {
            for (String name : names) {
                String value = lookUp.apply(name).strip();
                if (!value.isEmpty()) {
                    return Optional.of(value);
                }
            }
            return Optional.empty();
        }

        boolean isTrue(String name) {
            return first(name)
                    .filter(value -> TRUE.contains(value.toUpperCase(Locale.ROOT)))
                    .isPresent();
        }

        Optional<Path> path(String name) {
            return first(name)
                    .map(value -> value.equals("~") || value.startsWith("~/")
                            ? userHome().resolve(value.substring(Math.min(2, value.length())))
                            : Path.of(value))
                    .map(Path::toAbsolutePath);
        }

        Duration seconds(String name) {
            String value = first(name).orElse("" + DEFAULT_SECONDS);
            if (!value.matches("[1-9]\\d{0,5}")) {
                throw new ModelDownloadException(
                        HelpTopic.HUB_UNREACHABLE,
                        name + " is \"" + value + "\". It must be a number of seconds, for instance " + DEFAULT_SECONDS
                                + ".");
            }
            return Duration.ofSeconds(Long.parseLong(value));
        }
    }
}
