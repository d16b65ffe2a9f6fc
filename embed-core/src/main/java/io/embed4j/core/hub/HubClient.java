// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.hub;

import io.embed4j.EmbedException;
import io.embed4j.HelpTopic;
import io.embed4j.ModelDownloadException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Authenticator;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import javax.net.ssl.SSLHandshakeException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the Hub. Redirects are followed by hand: the token goes to the endpoint alone, and the answer that redirects to a
 * storage host is the one that carries the file's hash.
 *
 * <p>What may go better later is tried again with growing pauses; what will not is an error at once. The proxy is the
 * JVM's ({@code -Dhttps.proxyHost}).
 */
final class HubClient implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HubClient.class);
    private static final int OK = 200;
    private static final int PARTIAL_CONTENT = 206;
    private static final int RANGE_NOT_SATISFIABLE = 416;
    private static final int MAX_REDIRECTS = 10;
    private static final int MAX_LISTING_BYTES = 64 << 20;

    private final HubName name;
    private final HubSettings settings;
    private final HttpClient http;
    private final Set<PatientBody> open = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor(task -> {
        Thread thread = new Thread(task, "embed4j-download-clock");
        thread.setDaemon(true);
        return thread;
    });

    HubClient(HubName name, HubSettings settings) {
        this.name = name;
        this.settings = settings;
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1) // a connection per file: downloads side by side are faster so
                .followRedirects(HttpClient.Redirect.NEVER)
                .connectTimeout(settings.patience().connect());
        if (Authenticator.getDefault() != null) {
            builder.authenticator(Authenticator.getDefault()); // for proxies that want a password
        }
        this.http = builder.build();
    }

    /** Something that may fail and be tried again. */
    @FunctionalInterface
    interface Attempt<T> {
        T run() throws IOException, InterruptedException;
    }

    /** Which commit the revision means now, and which files it has. */
    HubListing listing() {
        URI uri = URI.create(
                settings.endpoint() + "/api/models/" + name.repository() + "/revision/" + name.encodedRevision());
        String json = patiently(() -> 0, () -> {
            HubAnswer answer = follow("GET", uri, 0, null, answered -> false);
            try (PatientBody body = body(answer)) {
                return text(body);
            }
        });
        return HubListing.parse(name, json);
    }

    /** What the Hub says of a file of a commit. */
    HubFile file(String commit, String path) {
        return patiently(() -> 0, () -> metadata(commit, path));
    }

    private URI resolve(String commit, String path) {
        String encoded = Arrays.stream(path.split("/", -1))
                .map(part -> URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20"))
                .collect(Collectors.joining("/"));
        return URI.create(settings.endpoint() + "/" + name.repository() + "/resolve/" + commit + "/" + encoded);
    }

    /** The file's hash stands on the Hub's own answer, before a redirect leaves for another host. */
    private HubFile metadata(String commit, String path) throws IOException, InterruptedException {
        HubAnswer answer = follow(
                "HEAD",
                resolve(commit, path),
                0,
                path,
                answered -> answered.header("X-Linked-Etag").isPresent()
                        && !isEndpoint(answered.redirect().orElseThrow()));
        discard(answer);
        String found = answer.header("X-Repo-Commit").orElse("");
        if (!found.equals(commit)) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_DOWNLOAD,
                    "Asked for " + path + " of commit " + commit + ", "
                            + answer.response().uri().getHost()
                            + " answers with " + (found.isEmpty() ? "no commit at all" : "that of commit " + found)
                            + ". Is HF_ENDPOINT, " + settings.endpoint() + ", a Hub?");
        }
        String etag = answer.header("X-Linked-Etag")
                .or(() -> answer.header("ETag"))
                .map(text -> text.replaceAll("^(?:W/)?\"?|\"$", ""))
                .orElse("");
        long bytes = answer.header("X-Linked-Size")
                .or(() -> answer.redirect().isPresent() ? Optional.empty() : answer.header("Content-Length"))
                .filter(text -> text.matches("\\d{1,18}"))
                .map(Long::parseLong)
                .orElse(-1L);
        if (!etag.matches("[A-Za-z0-9_-]{1,128}") || bytes < 0) {
            throw new ModelDownloadException(
                    HelpTopic.HUB_DOWNLOAD,
                    "The Hub says of " + path + " the ETag \"" + etag + "\" and "
                            + (bytes < 0 ? "no size" : bytes + " bytes")
                            + "; both are needed to check a download. Is HF_ENDPOINT, " + settings.endpoint()
                            + ", a Hub?");
        }
        return new HubFile(commit, path, etag, bytes);
    }

    /**
     * The content of a file, from a place on.
     *
     * @param body the content
     * @param start where it begins; 0 where the server does not give the rest alone
     */
    record Content(PatientBody body, long start) implements AutoCloseable {
        @Override
        public void close() {
            body.close();
        }
    }

    /**
     * Opens the content of a file. The way there leads over the Hub each time: what it redirects to is valid for some
     * minutes only.
     *
     * @param from how many bytes are there already
     */
    Content open(HubFile file, long from) throws IOException, InterruptedException {
        HubAnswer answer = follow("GET", resolve(file.commit(), file.path()), from, file.path(), answered -> false);
        if (from > 0 && !isRest(answer, from)) {
            discard(answer);
            return open(file, 0);
        }
        return new Content(body(answer), answer.status() == PARTIAL_CONTENT ? from : 0);
    }

    private static boolean isRest(HubAnswer answer, long from) {
        return answer.status() == OK
                || (answer.status() == PARTIAL_CONTENT
                        && answer.header("Content-Range").orElse("").startsWith("bytes " + from + "-"));
    }

    /** Decides whether a redirect is the answer. */
    @FunctionalInterface
    private interface Stop {
        boolean at(HubAnswer redirect);
    }

    private HubAnswer follow(String method, URI start, long from, @Nullable String path, Stop stop)
            throws IOException, InterruptedException {
        URI uri = start;
        for (int redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
            HttpRequest.Builder request = request(uri).method(method, BodyPublishers.noBody());
            if (from > 0) {
                request.header("Range", "bytes=" + from + "-");
            }
            HubAnswer answer = send(request.build());
            if (answer.status() == RANGE_NOT_SATISFIABLE) {
                return answer;
            }
            try {
                answer.requireSuccess(path);
            } catch (IOException | RuntimeException e) {
                discard(answer);
                throw e;
            }
            Optional<URI> target = answer.redirect();
            if (target.isEmpty() || stop.at(answer)) {
                return answer;
            }
            discard(answer);
            uri = target.get();
        }
        throw tooManyRedirects(uri);
    }

    private ModelDownloadException tooManyRedirects(URI uri) {
        return new ModelDownloadException(
                HelpTopic.HUB_UNREACHABLE,
                "More than " + MAX_REDIRECTS + " redirects, the last one to " + uri.getHost() + ". Is HF_ENDPOINT, "
                        + settings.endpoint() + ", a Hub?");
    }

    private HttpRequest.Builder request(URI uri) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(settings.patience().answer())
                .header("User-Agent", "embed4j; java/" + Runtime.version().feature())
                .header("Accept-Encoding", "identity"); // sizes and ranges are those of the file
        if (settings.token() != null && isEndpoint(uri)) {
            request.header("Authorization", "Bearer " + settings.token());
        }
        return request;
    }

    /** Whether a URL is on the very host, port and protocol that the user trusts with the token. */
    private boolean isEndpoint(URI uri) {
        URI endpoint = settings.endpoint();
        return endpoint.getScheme().equalsIgnoreCase(uri.getScheme())
                && endpoint.getHost().equalsIgnoreCase(uri.getHost())
                && port(endpoint) == port(uri);
    }

    private static int port(URI uri) {
        if (uri.getPort() >= 0) {
            return uri.getPort();
        }
        return uri.getScheme().equalsIgnoreCase("https") ? 443 : 80;
    }

    private HubAnswer send(HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<InputStream> response = http.send(request, BodyHandlers.ofInputStream());
        LOG.debug("{} {} {}", request.method(), request.uri(), response.statusCode());
        return new HubAnswer(response, name, settings);
    }

    private PatientBody body(HubAnswer answer) {
        return new PatientBody(
                (InputStream) answer.response().body(), settings.patience().stall(), clock, open);
    }

    private static void discard(HubAnswer answer) throws IOException {
        ((InputStream) answer.response().body()).close();
    }

    private static String text(PatientBody body) throws IOException {
        byte[] all = new byte[1 << 16];
        byte[] buffer = new byte[1 << 16];
        int size = 0;
        for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
            if (size + count > MAX_LISTING_BYTES) {
                throw new ModelDownloadException(
                        HelpTopic.HUB_UNREACHABLE,
                        "The list of files is longer than " + MAX_LISTING_BYTES + " bytes. Is HF_ENDPOINT a Hub?");
            }
            if (size + count > all.length) {
                all = Arrays.copyOf(all, Math.max(2 * all.length, size + count));
            }
            System.arraycopy(buffer, 0, all, size, count);
            size += count;
        }
        return new String(all, 0, size, StandardCharsets.UTF_8);
    }

    /**
     * Tries until it works, or until it has failed too often without anything worth mentioning having arrived in between.
     *
     * @param arrived counts what has arrived
     */
    <T> T patiently(LongSupplier arrived, Attempt<T> attempt) {
        Patience patience = settings.patience();
        int failed = 0;
        long before = arrived.getAsLong();
        while (true) {
            try {
                return attempt.run();
            } catch (SSLHandshakeException e) {
                throw new ModelDownloadException(
                        HelpTopic.HUB_UNREACHABLE,
                        "No secure connection to " + settings.endpoint() + ": " + e.getMessage()
                                + ". A proxy that reads along needs its certificate in Java's trust store"
                                + " (-Djavax.net.ssl.trustStore).",
                        e);
            } catch (IOException e) {
                if (closed) {
                    throw new EmbedException(HelpTopic.INTERRUPTED, name + ": the download was given up.", e);
                }
                failed = arrived.getAsLong() - before >= PatientBody.LEAST_BYTES ? 1 : failed + 1;
                before = arrived.getAsLong();
                Duration pause = e instanceof TransientFailure known && known.retryAfter() != null
                        ? Objects.requireNonNull(known.retryAfter())
                        : patience.pause(failed);
                if (pause.compareTo(patience.longestPause()) > 0) {
                    throw unreachable(e, "wants us to wait " + pause.toSeconds() + " s; try again then");
                }
                if (failed >= patience.tries()) {
                    throw unreachable(e, "gave up after " + failed + " tries");
                }
                LOG.info("{}: {}; trying again in {} ms", name, reason(e), pause.toMillis());
                sleep(pause);
            } catch (InterruptedException e) {
                throw interrupted(e);
            }
        }
    }

    private ModelDownloadException unreachable(IOException failure, String then) {
        return new ModelDownloadException(
                HelpTopic.HUB_UNREACHABLE,
                "The Hub at " + settings.endpoint() + " did not give " + name + ": " + reason(failure) + " (" + then
                        + "). Check the network; behind a proxy, set -Dhttps.proxyHost and -Dhttps.proxyPort;"
                        + " HF_ENDPOINT names another Hub.",
                failure);
    }

    private static String reason(IOException failure) {
        return failure.getMessage() == null ? failure.toString() : failure.getMessage();
    }

    private static void sleep(Duration pause) {
        try {
            Thread.sleep(pause.toMillis());
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private static EmbedException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new EmbedException(HelpTopic.INTERRUPTED, "The download was interrupted.", e);
    }

    /** Ends downloads that are under way, too: HttpClient's streams do not heed interrupts. */
    @Override
    public void close() {
        closed = true;
        open.forEach(PatientBody::close);
        clock.shutdownNow();
    }
}
