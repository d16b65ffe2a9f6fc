// SPDX-License-Identifier: Apache-2.0
package io.embed4j.testkit.hub;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A Hugging Face Hub in this process: repositories with branches and commits, small files behind a relative redirect,
 * large ones behind a redirect to a storage host of its own, ranges, gated models, error codes, and whatever
 * {@link Mischief} a test wants. Every request is noted.
 */
public final class FakeHub implements AutoCloseable {
    private static final String HOST = "127.0.0.1";
    private static final Pattern API = Pattern.compile("/api/models/([^/]+/[^/]+?)(?:/(revision|tree)/([^/]+))?");
    private static final Pattern RESOLVE = Pattern.compile("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)");
    private static final Pattern CACHED = Pattern.compile("/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)");
    private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-");

    private final HttpServer hub = server();
    private final HttpServer storage = server();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Map<String, FakeRepository> repositories = new ConcurrentHashMap<>();
    private final Map<String, String> renamed = new ConcurrentHashMap<>();
    private final Map<String, Pending> mischief = new ConcurrentHashMap<>();
    private final List<Request> requests = new ArrayList<>();

    /** By default another name than the Hub's, as in reality. */
    private volatile String storageHost = "localhost";

    private record Pending(Mischief mischief, int times) {}

    /**
     * A request that came.
     *
     * @param toStorage whether it came to the storage host
     * @param method GET or HEAD
     * @param path of the URL
     * @param token the value of Authorization; null if there was none
     * @param range the value of Range; null if there was none
     */
    public record Request(
            boolean toStorage,
            String method,
            String path,
            @Nullable String token,
            @Nullable String range) {}

    /** Starts it on free ports of the loopback address. */
    public FakeHub() {
        for (HttpServer server : List.of(hub, storage)) {
            server.setExecutor(threads);
            server.createContext("/", exchange -> {
                try (exchange) {
                    note(exchange, server == storage);
                    if (server == storage) {
                        answerStorage(exchange);
                    } else {
                        answerHub(exchange);
                    }
                }
            });
            server.start();
        }
    }

    private static HttpServer server() {
        try {
            return HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What HF_ENDPOINT has to be. */
    public String endpoint() {
        return url(HOST, hub);
    }

    private static String url(String host, HttpServer server) {
        return "http://" + host + ":" + server.getAddress().getPort();
    }

    /** Lets the storage host differ from the Hub by its port alone. */
    public void storeOnTheSameHost() {
        storageHost = HOST;
    }

    /**
     * Makes a commit on the branch main.
     *
     * @param repository {@code org/name}
     * @param files content by path
     * @return the commit's hash
     */
    public String commit(String repository, Map<String, byte[]> files) {
        return repositories.computeIfAbsent(repository, FakeRepository::new).commit("main", files);
    }

    /** Makes a commit out of the files of a directory. */
    public String commit(String repository, Path directory) {
        Map<String, byte[]> files = new ConcurrentHashMap<>();
        try (Stream<Path> found = Files.walk(directory)) {
            for (Path file : found.filter(Files::isRegularFile).toList()) {
                files.put(directory.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return commit(repository, files);
    }

    /** Lets a branch mean what main means now. */
    public void branch(String repository, String branch) {
        repository(repository).branch(branch);
    }

    /** Asks for this token from now on. */
    public void gate(String repository, String token) {
        repository(repository).gate(token);
    }

    /** Answers for an old name with a redirect to the new one. */
    public void rename(String from, String to) {
        renamed.put(from, to);
    }

    /**
     * Lets something go wrong.
     *
     * @param path a file's path, or {@code api} for the list of files
     * @param what goes wrong
     * @param times how often
     */
    public void spoil(String path, Mischief what, int times) {
        mischief.put(path, new Pending(what, times));
    }

    /** Lets everything go well again. */
    public void heal() {
        mischief.clear();
    }

    /** What has come so far. */
    public List<Request> requests() {
        synchronized (requests) {
            return List.copyOf(requests);
        }
    }

    /** Forgets what has come so far. */
    public void forget() {
        synchronized (requests) {
            requests.clear();
        }
    }

    private FakeRepository repository(String name) {
        return Optional.ofNullable(repositories.get(name))
                .orElseThrow(() -> new IllegalArgumentException("There is no " + name));
    }

    private void note(HttpExchange exchange, boolean toStorage) {
        Headers headers = exchange.getRequestHeaders();
        synchronized (requests) {
            requests.add(new Request(
                    toStorage,
                    exchange.getRequestMethod(),
                    exchange.getRequestURI().getRawPath(),
                    headers.getFirst("Authorization"),
                    headers.getFirst("Range")));
        }
    }

    private @Nullable Mischief next(String path) {
        Pending pending = mischief.computeIfPresent(
                path, (key, found) -> found.times() <= 0 ? null : new Pending(found.mischief(), found.times() - 1));
        return pending == null ? null : pending.mischief();
    }

    private void answerHub(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getRawPath();
        Matcher api = API.matcher(path);
        Matcher resolve = RESOLVE.matcher(path);
        Matcher cached = CACHED.matcher(path);
        if (cached.matches()) {
            withFile(exchange, cached.group(1), cached.group(2), cached.group(3), false);
        } else if (api.matches()) {
            answerApi(exchange, api.group(1), api.group(2), api.group(3));
        } else if (resolve.matches()) {
            String moved = renamed.get(resolve.group(1));
            if (moved != null) {
                redirect(exchange, 307, path.replace(resolve.group(1), moved));
            } else {
                withFile(exchange, resolve.group(1), resolve.group(2), resolve.group(3), true);
            }
        } else {
            refuse(exchange, 404, "", "Not found");
        }
    }

    private void answerApi(HttpExchange exchange, String name, @Nullable String what, @Nullable String revision)
            throws IOException {
        String moved = renamed.get(name);
        if (moved != null) {
            redirect(exchange, 307, exchange.getRequestURI().getRawPath().replace(name, moved));
            return;
        }
        if (next("api") instanceof Mischief.Status wrong) {
            refuse(exchange, wrong);
            return;
        }
        FakeRepository repository = repositories.get(name);
        if (repository == null) {
            boolean known = exchange.getRequestHeaders().containsKey("Authorization");
            refuse(exchange, known ? 404 : 401, "RepoNotFound", "Repository not found");
            return;
        }
        String commit = repository.resolve(decoded(revision == null ? "main" : revision));
        if (commit == null) {
            refuse(exchange, 404, "RevisionNotFound", "Invalid rev id: " + revision);
            return;
        }
        String json = "tree".equals(what)
                ? tree(repository.files(commit)).toString()
                : info(repository, commit).toString();
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        send(exchange, 200, json.getBytes(StandardCharsets.UTF_8));
    }

    private static JsonObject info(FakeRepository repository, String commit) {
        JsonObject info = new JsonObject();
        info.addProperty("id", repository.name());
        info.addProperty("modelId", repository.name());
        info.addProperty("sha", commit);
        info.addProperty("private", false);
        JsonArray siblings = new JsonArray();
        for (FakeFile file : repository.files(commit).values()) {
            JsonObject sibling = new JsonObject();
            sibling.addProperty("rfilename", file.path());
            siblings.add(sibling);
        }
        info.add("siblings", siblings);
        return info;
    }

    private static JsonArray tree(Map<String, FakeFile> files) {
        JsonArray tree = new JsonArray();
        for (FakeFile file : files.values()) {
            JsonObject entry = new JsonObject();
            entry.addProperty("type", "file");
            entry.addProperty("oid", file.gitOid());
            entry.addProperty("size", file.content().length);
            entry.addProperty("path", file.path());
            if (file.isLarge()) {
                JsonObject lfs = new JsonObject();
                lfs.addProperty("oid", file.etag());
                lfs.addProperty("size", file.content().length);
                lfs.addProperty("pointerSize", file.pointer().length);
                entry.add("lfs", lfs);
            }
            tree.add(entry);
        }
        return tree;
    }

    /** Small files are redirected once, to another path of the Hub; large ones to the storage host. */
    private void withFile(HttpExchange exchange, String name, String rawRevision, String rawPath, boolean first)
            throws IOException {
        String path = decoded(rawPath);
        FakeRepository repository = repositories.get(name);
        String commit = repository == null ? null : repository.resolve(decoded(rawRevision));
        if (repository == null) {
            refuse(exchange, 401, "RepoNotFound", "Repository not found");
            return;
        }
        if (!repository.admits(exchange.getRequestHeaders().getFirst("Authorization"))) {
            boolean known = exchange.getRequestHeaders().containsKey("Authorization");
            refuse(
                    exchange,
                    known ? 403 : 401,
                    "GatedRepo",
                    "Access to model " + name + " is restricted. You must have access to it.");
            return;
        }
        FakeFile file = commit == null ? null : repository.files(commit).get(path);
        if (commit == null || file == null) {
            exchange.getResponseHeaders().set("X-Repo-Commit", String.valueOf(commit));
            refuse(exchange, 404, commit == null ? "RevisionNotFound" : "EntryNotFound", "Not found");
            return;
        }
        boolean hasContent = !first && exchange.getRequestMethod().equals("GET");
        @Nullable Mischief wrong = first || hasContent ? nextOf(path, hasContent) : null;
        if (wrong instanceof Mischief.Status status) {
            refuse(exchange, status);
            return;
        }
        Headers headers = exchange.getResponseHeaders();
        if (wrong instanceof Mischief.OtherCommit other) {
            other.commit().ifPresent(said -> headers.set("X-Repo-Commit", said));
        } else {
            headers.set("X-Repo-Commit", commit);
        }
        if (first && file.isLarge()) {
            headers.set("X-Linked-Etag", '"' + file.etag() + '"');
            headers.set("X-Linked-Size", String.valueOf(file.content().length));
            redirect(
                    exchange,
                    302,
                    url(storageHost, storage) + "/" + name + "/" + file.etag() + "?path=" + rawPath + "&signed=1");
        } else if (first) {
            redirect(exchange, 307, "/api/resolve-cache/models/" + name + "/" + commit + "/" + rawPath);
        } else {
            headers.set("ETag", '"' + file.etag() + '"');
            sendContent(exchange, file.content(), wrong);
        }
    }

    /** Statuses and commits go wrong at the Hub's first answer, contents where the content is. */
    private @Nullable Mischief nextOf(String path, boolean hasContent) {
        Pending pending = mischief.get(path);
        if (pending == null) {
            return null;
        }
        boolean beforeContent =
                pending.mischief() instanceof Mischief.Status || pending.mischief() instanceof Mischief.OtherCommit;
        return beforeContent == hasContent ? null : next(path);
    }

    private void answerStorage(HttpExchange exchange) throws IOException {
        String query = exchange.getRequestURI().getRawQuery();
        String path = decoded(query.substring("path=".length(), query.indexOf('&')));
        String[] parts = exchange.getRequestURI().getPath().substring(1).split("/", -1);
        FakeFile file = repository(parts[0] + "/" + parts[1]).blob(parts[2]);
        sendContent(exchange, file.content(), nextOf(path, true));
    }

    private void sendContent(HttpExchange exchange, byte[] content, @Nullable Mischief wrong) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        if (exchange.getRequestMethod().equals("HEAD")) {
            headers.set("Content-Length", String.valueOf(content.length));
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        String range = exchange.getRequestHeaders().getFirst("Range");
        Matcher asked = RANGE.matcher(range == null || wrong instanceof Mischief.NoRanges ? "" : range);
        int from = asked.matches() ? Integer.parseInt(asked.group(1)) : 0;
        if (from > 0 && from >= content.length) {
            headers.set("Content-Range", "bytes */" + content.length);
            exchange.sendResponseHeaders(416, -1);
            return;
        }
        if (from > 0) {
            headers.set("Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
        }
        byte[] body = content.clone();
        if (wrong instanceof Mischief.FlipBit) {
            body[content.length - 1] ^= 1;
        }
        int extra = wrong instanceof Mischief.Longer ? 100_000 : 0;
        int rest = content.length - from;
        exchange.sendResponseHeaders(from > 0 ? 206 : 200, rest + extra == 0 ? -1 : rest + extra);
        OutputStream out = exchange.getResponseBody();
        if (wrong instanceof Mischief.BreakOff || wrong instanceof Mischief.Stall) {
            int bytes = wrong instanceof Mischief.BreakOff off ? off.bytes() : ((Mischief.Stall) wrong).bytes();
            out.write(body, from, Math.min(bytes, rest));
            out.flush();
            if (wrong instanceof Mischief.Stall) {
                awaitClose();
            }
        } else if (wrong instanceof Mischief.Trickle trickle) {
            for (int at = from; at < content.length && closed.getCount() > 0; at += trickle.bytes()) {
                out.write(body, at, Math.min(trickle.bytes(), content.length - at));
                out.flush();
                sleep(trickle.pauseMillis());
            }
        } else {
            out.write(body, from, rest);
            out.write(new byte[extra]);
        }
    }

    private void awaitClose() {
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void sleep(int millis) {
        try {
            closed.await(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void redirect(HttpExchange exchange, int status, String target) throws IOException {
        exchange.getResponseHeaders().set("Location", target);
        send(exchange, status, ("Redirecting to " + target).getBytes(StandardCharsets.UTF_8));
    }

    private static void refuse(HttpExchange exchange, Mischief.Status wrong) throws IOException {
        wrong.headers().forEach(exchange.getResponseHeaders()::set);
        send(exchange, wrong.status(), new byte[0]);
    }

    private static void refuse(HttpExchange exchange, int status, String code, String message) throws IOException {
        if (!code.isEmpty()) {
            exchange.getResponseHeaders().set("X-Error-Code", code);
        }
        exchange.getResponseHeaders().set("X-Error-Message", message);
        send(exchange, status, message.getBytes(StandardCharsets.UTF_8));
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean isHead = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, isHead || body.length == 0 ? -1 : body.length);
        if (!isHead) {
            exchange.getResponseBody().write(body);
        }
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    /** Ends all answers. */
    @Override
    public void close() {
        closed.countDown();
        hub.stop(0);
        storage.stop(0);
        threads.shutdownNow();
    }

    /**
     * Serves directories until it is killed, for a look with Python.
     *
     * @param args pairs of {@code org/name} and a directory
     */
    public static void main(String[] args) throws InterruptedException {
        try (FakeHub hub = new FakeHub()) {
            for (int i = 0; i + 1 < args.length; i += 2) {
                System.out.println(args[i] + " " + hub.commit(args[i], Path.of(args[i + 1])));
            }
            System.out.println(URI.create(hub.endpoint()));
            hub.closed.await();
        }
    }
}
