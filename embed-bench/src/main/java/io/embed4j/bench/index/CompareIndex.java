// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Top-k on the CPU beside FAISS IndexFlatIP, and Lucene's and JVector's dot products: the same vectors, the same cores, one search
 * after the other, engines taking turns. Prints a table of medians, and the bandwidth floor: the time that reading the fp32 rows
 * once takes at the pace of a large copy, measured in the same run. Then how time grows with the rows: searches of an eighth, a
 * quarter, a half and all of them, and the slope of the logarithms.
 *
 * <p>Run it with {@code embed-bench/compare-index [rows [dimension [rounds]]]}; by default 1000000 x 384, 5 rounds.
 */
public final class CompareIndex {
    static final int MAX_QUERIES = 1024;

    private static final int[] QUERIES = {1, 32, MAX_QUERIES};
    private static final int[] RESULTS = {10, 100};
    private static final int COPY_BYTES = 1 << 28;
    private static final String OURS = "embed4j fp32";

    /** Dot products of single vectors take minutes for more; then the rival is FAISS, which multiplies matrices. */
    private static final int MAX_QUERIES_OF_DOT_PRODUCTS = 32;

    private CompareIndex() {}

    /** An engine in a process of its own. */
    private static final class Worker implements AutoCloseable {
        private final Process process;
        private final BufferedReader out;
        private final BufferedWriter in;

        Worker(List<String> command) throws IOException {
            process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            in = new BufferedWriter(new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
            String ready = out.readLine();
            if (!"ready".equals(ready)) {
                throw new IOException(command + " said " + ready + " instead of ready.");
            }
        }

        String[] ask(int queries, int k) throws IOException {
            in.write(queries + " " + k + "\n");
            in.flush();
            String answer = out.readLine();
            if (answer == null) {
                throw new IOException("An engine ended without an answer.");
            }
            return answer.split(" ", -1);
        }

        @Override
        public void close() throws IOException {
            in.close();
            out.close();
            process.destroy();
        }
    }

    /**
     * Runs the comparison.
     *
     * @param args rows, dimension, rounds
     */
    public static void main(String[] args) throws IOException {
        int rows = args.length > 0 ? Integer.parseInt(args[0]) : 1_000_000;
        int dimension = args.length > 1 ? Integer.parseInt(args[1]) : 384;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 5;
        Path root = Path.of(System.getProperty("embed.bench.root"));
        Path folder = Files.createTempDirectory("compare-index");
        Path rowFile = folder.resolve("rows.npy");
        Path queryFile = folder.resolve("queries.npy");
        try {
            write(rowFile, rows, dimension, 1);
            write(queryFile, MAX_QUERIES, dimension, 2);
            run(commands(root, rowFile, queryFile), rows, dimension, rounds);
            grow(rowFile, queryFile, rows, rounds);
        } finally {
            Files.deleteIfExists(rowFile);
            Files.deleteIfExists(queryFile);
            Files.deleteIfExists(folder);
        }
    }

    private static Map<String, List<String>> commands(Path root, Path rowFile, Path queryFile) throws IOException {
        Map<String, List<String>> commands = new LinkedHashMap<>();
        for (String storage : new String[] {"fp32", "fp16", "bf16"}) {
            commands.put("embed4j " + storage, ours(rowFile, queryFile, storage, Integer.MAX_VALUE));
        }
        Path rivals = root.resolve("embed-bench/rivals");
        String python = System.getenv("EMBED_BENCH_PYTHON");
        if (python != null) {
            String script = rivals.resolve("faiss_rival.py").toString();
            commands.put("FAISS", List.of(python, script, rowFile.toString(), queryFile.toString()));
        } else {
            System.err.println("Without FAISS: EMBED_BENCH_PYTHON names no Python with faiss-cpu.");
        }
        String home = System.getenv().getOrDefault("EMBED_BENCH_RIVAL_JAVA", System.getProperty("java.home"));
        String version = javaVersion(Path.of(home, "release"));
        if (Integer.parseInt(version.replaceAll("\\..*", "")) < 21) {
            System.err.println("Without Lucene and JVector: they want Java 21, and EMBED_BENCH_RIVAL_JAVA names none.");
            return commands;
        }
        String classPath = Files.readString(root.resolve("embed-bench/rival-search/target/class-path.txt"));
        for (String engine : new String[] {"Lucene", "JVector"}) {
            commands.put(
                    engine + " on Java " + version,
                    List.of(
                            Path.of(home, "bin", "java").toString(),
                            "-Xmx6g",
                            "--add-modules",
                            "jdk.incubator.vector",
                            "--enable-native-access=ALL-UNNAMED",
                            "-cp",
                            classPath.strip(),
                            rivals.resolve("SearchRival.java").toString(),
                            engine.toLowerCase(Locale.ROOT),
                            rowFile.toString(),
                            queryFile.toString()));
        }
        return commands;
    }

    /** Of the JDK that a file {@code release} belongs to; 0 if it says nothing. */
    private static String javaVersion(Path release) throws IOException {
        if (!Files.exists(release)) {
            return "0";
        }
        return Files.readAllLines(release).stream()
                .filter(line -> line.startsWith("JAVA_VERSION="))
                .map(line -> line.replaceAll("[^\\d.]", ""))
                .findFirst()
                .orElse("0");
    }

    private static List<String> ours(Path rowFile, Path queryFile, String storage, int rows) {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:MaxDirectMemorySize=16g",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                IndexWorker.class.getName(),
                rowFile.toString(),
                queryFile.toString(),
                storage,
                Integer.toString(rows));
    }

    private static void run(Map<String, List<String>> commands, int rows, int dimension, int rounds)
            throws IOException {
        Map<String, Worker> workers = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, List<String>> command : commands.entrySet()) {
                System.err.println("Starting " + command.getKey());
                workers.put(command.getKey(), new Worker(command.getValue()));
            }
            double copied = copyBytesPerSecond();
            System.out.printf(
                    Locale.ROOT,
                    "%d x %d, %d cores, Java %s, %d rounds; milliseconds, median (fastest to slowest). Reading: %.1f GB/s%n%n",
                    rows,
                    dimension,
                    Runtime.getRuntime().availableProcessors(),
                    System.getProperty("java.version"),
                    rounds,
                    copied / 1e9);
            System.out.println(
                    "| Q | k | bandwidth floor | " + String.join(" | ", workers.keySet()) + " | fp32 is faster by |");
            System.out.println("|---:|---:|---:|" + "---|".repeat(workers.size()) + "---|");
            for (int queries : QUERIES) {
                for (int k : RESULTS) {
                    compare(workers, queries, k, rounds, (double) rows * dimension * Float.BYTES / copied);
                }
            }
        } finally {
            for (Worker worker : workers.values()) {
                worker.close();
            }
        }
    }

    private static void compare(Map<String, Worker> workers, int queries, int k, int rounds, double floorSeconds)
            throws IOException {
        Map<String, Set<String>> found = new LinkedHashMap<>();
        Map<String, double[]> millis = take(workers, queries, k, rounds, found);
        StringBuilder line =
                new StringBuilder(String.format(Locale.ROOT, "| %d | %d | %.1f |", queries, k, 1000 * floorSeconds));
        for (String name : workers.keySet()) {
            double[] sorted = millis.get(name);
            line.append(
                    sorted == null
                            ? " - |"
                            : String.format(
                                    Locale.ROOT,
                                    " %.1f (%.1f to %.1f) |",
                                    median(sorted),
                                    sorted[0],
                                    sorted[sorted.length - 1]));
        }
        System.out.println(line.append(advantage(millis)));
        Set<String> first = found.values().iterator().next();
        found.forEach((name, rows) -> {
            Set<String> common = new HashSet<>(rows);
            common.retainAll(first);
            if (common.size() < first.size()) {
                System.err.println(name + " found " + common.size() + " of the " + first.size()
                        + " nearest rows of query " + (queries - 1) + ".");
            }
        });
    }

    /** Rounds that do not count: short searches need more of them until compilers are done. */
    private static int warmUps(int queries) {
        return queries == 1 ? 10 : queries <= MAX_QUERIES_OF_DOT_PRODUCTS ? 3 : 1;
    }

    /** Times of searches, ascending, engines taking turns. */
    private static Map<String, double[]> take(
            Map<String, Worker> workers, int queries, int k, int rounds, Map<String, Set<String>> found)
            throws IOException {
        Map<String, List<Double>> millis = new LinkedHashMap<>();
        for (int round = -warmUps(queries); round < rounds; round++) {
            for (Map.Entry<String, Worker> worker : workers.entrySet()) {
                String name = worker.getKey();
                if (queries > MAX_QUERIES_OF_DOT_PRODUCTS && name.contains(" on Java ")) {
                    continue;
                }
                String[] answer = worker.getValue().ask(queries, k);
                found.put(name, new HashSet<>(Arrays.asList(answer).subList(1, answer.length)));
                if (round >= 0) {
                    millis.computeIfAbsent(name, absent -> new ArrayList<>()).add(1000 * Double.parseDouble(answer[0]));
                }
            }
        }
        Map<String, double[]> sorted = new LinkedHashMap<>();
        millis.forEach((name, times) -> sorted.put(
                name, times.stream().mapToDouble(Double::doubleValue).sorted().toArray()));
        return sorted;
    }

    private static double median(double[] sorted) {
        return sorted[sorted.length / 2];
    }

    /** How embed4j stands to the fastest of the others. */
    private static String advantage(Map<String, double[]> millis) {
        double ours = median(millis.getOrDefault(OURS, new double[] {Double.NaN}));
        return millis.entrySet().stream()
                .filter(entry -> !entry.getKey().startsWith("embed4j"))
                .min(Comparator.comparingDouble(entry -> median(entry.getValue())))
                .map(entry ->
                        String.format(Locale.ROOT, " %.2f than %s |", median(entry.getValue()) / ours, entry.getKey()))
                .orElse(" |");
    }

    // ---- growth ----

    private static void grow(Path rowFile, Path queryFile, int rows, int rounds) throws IOException {
        Map<String, Worker> workers = new LinkedHashMap<>();
        int[] sizes = {rows / 8, rows / 4, rows / 2, rows};
        try {
            for (int size : sizes) {
                workers.put(Integer.toString(size), new Worker(ours(rowFile, queryFile, "fp32", size)));
            }
            System.out.println("\nembed4j fp32 by rows, k = 10\n");
            System.out.println("| Q | " + String.join(" | ", workers.keySet()) + " | log-log slope |");
            System.out.println("|---:|" + "---|".repeat(sizes.length) + "---|");
            for (int queries : QUERIES) {
                Map<String, double[]> millis = take(workers, queries, 10, Math.max(rounds, 5), new HashMap<>());
                StringBuilder line = new StringBuilder("| " + queries + " |");
                Map<Integer, Double> medians = new LinkedHashMap<>();
                millis.forEach((size, sorted) -> medians.put(Integer.valueOf(size), median(sorted)));
                medians.values().forEach(median -> line.append(String.format(Locale.ROOT, " %.1f |", median)));
                System.out.println(line.append(String.format(Locale.ROOT, " %.3f |", Growth.slope(medians))));
            }
        } finally {
            for (Worker worker : workers.values()) {
                worker.close();
            }
        }
    }

    /** How fast memory can be read, by a large copy that reads and writes on all cores; half of its traffic is reading. */
    private static double copyBytesPerSecond() {
        int threads = Runtime.getRuntime().availableProcessors();
        ByteBuffer[] from = new ByteBuffer[threads];
        ByteBuffer[] to = new ByteBuffer[threads];
        for (int t = 0; t < threads; t++) {
            from[t] = ByteBuffer.allocateDirect(COPY_BYTES);
            to[t] = ByteBuffer.allocateDirect(COPY_BYTES);
        }
        double best = 0;
        for (int round = 0; round < 5; round++) {
            long start = System.nanoTime();
            Thread[] copiers = new Thread[threads];
            for (int t = 0; t < threads; t++) {
                int mine = t;
                copiers[t] = new Thread(() -> to[mine].put(0, from[mine], 0, COPY_BYTES));
                copiers[t].start();
            }
            for (Thread copier : copiers) {
                join(copier);
            }
            best = Math.max(best, 2.0 * threads * COPY_BYTES / ((System.nanoTime() - start) / 1e9));
        }
        return best;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Unit vectors in random directions, as numpy's save writes them. */
    private static void write(Path file, int rows, int dimension, long seed) {
        String header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + rows + ", " + dimension + "), }";
        header += " ".repeat(Math.floorMod(-(10 + header.length() + 1), 64)) + "\n";
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ByteBuffer start = ByteBuffer.allocate(10 + header.length()).order(ByteOrder.LITTLE_ENDIAN);
            start.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0}).putShort((short) header.length());
            channel.write(start.put(header.getBytes(StandardCharsets.US_ASCII)).flip());
            Random random = new Random(seed);
            ByteBuffer bytes = ByteBuffer.allocate(dimension * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            double[] row = new double[dimension];
            for (int r = 0; r < rows; r++) {
                double square = 0;
                for (int i = 0; i < dimension; i++) {
                    row[i] = random.nextGaussian();
                    square += row[i] * row[i];
                }
                bytes.clear();
                for (double value : row) {
                    bytes.putFloat((float) (value / Math.sqrt(square)));
                }
                channel.write(bytes.flip());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
