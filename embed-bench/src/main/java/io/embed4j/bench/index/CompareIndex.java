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
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * Top-k on the CPU beside FAISS IndexFlatIP and Lucene's dot products: the same vectors, the same cores, one search after the
 * other, engines taking turns. Prints a table of medians, and the floor: the time that reading the rows once takes at the pace
 * of a large copy, measured in the same run.
 *
 * <p>Run it with {@code embed-bench/compare-index [rows [dimension [rounds]]]}; by default 1000000 x 384, 5 rounds.
 */
public final class CompareIndex {
    static final int MAX_QUERIES = 1024;

    private static final int[] QUERIES = {1, 32, MAX_QUERIES};
    private static final int[] RESULTS = {10, 100};
    private static final int COPY_BYTES = 1 << 28;

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
        } finally {
            Files.deleteIfExists(rowFile);
            Files.deleteIfExists(queryFile);
            Files.deleteIfExists(folder);
        }
    }

    private static Map<String, List<String>> commands(Path root, Path rowFile, Path queryFile) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String rowName = rowFile.toString();
        String queryName = queryFile.toString();
        Map<String, List<String>> commands = new LinkedHashMap<>();
        for (String storage : new String[] {"fp32", "fp16", "bf16"}) {
            commands.put(
                    "embed4j " + storage,
                    List.of(
                            java,
                            "-XX:MaxDirectMemorySize=16g",
                            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                            "-cp",
                            System.getProperty("java.class.path"),
                            IndexWorker.class.getName(),
                            rowName,
                            queryName,
                            storage));
        }
        Path rivals = root.resolve("embed-bench/rivals");
        String python = System.getenv("EMBED_BENCH_PYTHON");
        if (python != null) {
            commands.put(
                    "FAISS", List.of(python, rivals.resolve("faiss_rival.py").toString(), rowName, queryName));
        } else {
            System.err.println("Without FAISS: EMBED_BENCH_PYTHON names no Python with faiss-cpu.");
        }
        Path lucene = root.resolve("embed-bench/rival-lucene/target/class-path.txt");
        if (Files.exists(lucene)) {
            commands.put(
                    "Lucene",
                    List.of(
                            java,
                            "-Xmx12g",
                            "--add-modules",
                            "jdk.incubator.vector",
                            "-cp",
                            Files.readString(lucene).strip(),
                            rivals.resolve("LuceneRival.java").toString(),
                            rowName,
                            queryName));
        } else {
            System.err.println("Without Lucene: " + lucene + " is missing.");
        }
        return commands;
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
            System.out.println("| Q | k | floor fp32 | " + String.join(" | ", workers.keySet()) + " |");
            System.out.println("|---:|---:|---:|" + "---|".repeat(workers.size()));
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
        Map<String, List<Double>> seconds = new LinkedHashMap<>();
        Map<String, Set<String>> found = new LinkedHashMap<>();
        for (int round = -1; round < rounds; round++) { // the first is to warm up
            for (Map.Entry<String, Worker> worker : workers.entrySet()) {
                String[] answer = worker.getValue().ask(queries, k);
                found.put(worker.getKey(), new HashSet<>(Arrays.asList(answer).subList(1, answer.length)));
                if (round >= 0) {
                    seconds.computeIfAbsent(worker.getKey(), name -> new ArrayList<>())
                            .add(Double.parseDouble(answer[0]));
                }
            }
        }
        StringBuilder line =
                new StringBuilder(String.format(Locale.ROOT, "| %d | %d | %.1f |", queries, k, 1000 * floorSeconds));
        for (List<Double> times : seconds.values()) {
            double[] sorted =
                    times.stream().mapToDouble(time -> 1000 * time).sorted().toArray();
            line.append(String.format(
                    Locale.ROOT,
                    " %.1f (%.1f to %.1f) |",
                    sorted[sorted.length / 2],
                    sorted[0],
                    sorted[sorted.length - 1]));
        }
        System.out.println(line);
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
