// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import io.embed4j.bench.compare.Spread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Top-k on the CPU beside FAISS IndexFlatIP, and Lucene's and JVector's dot products: the same vectors, the same cores, one search
 * after the other, engines taking turns ({@link SearchTurns}). Prints a table of medians, how our fp32 stands to the fastest other
 * round by round, and the bandwidth floor: the time that reading the fp32 rows once takes at the pace of a large copy, measured in
 * the same run. Then how time grows with the rows: searches of an eighth, a
 * quarter, a half and all of them, and the slope of the logarithms.
 *
 * <p>Run it with {@code embed-bench/compare-index [rows [dimension [rounds]]]}; by default 1000000 x 384, 5 rounds. Searches
 * of few queries have more rounds: they take little time, and vary most.
 */
public final class CompareIndex {
    static final int MAX_QUERIES = 1024;

    private static final int[] QUERIES = {1, 32, MAX_QUERIES};
    private static final int[] RESULTS = {10, 100};
    private static final String OURS = "embed4j fp32";

    /** Dot products of single vectors take minutes for more; then the rival is FAISS, which multiplies matrices. */
    private static final int MAX_QUERIES_OF_DOT_PRODUCTS = 32;

    private CompareIndex() {}

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
            RandomVectors.write(rowFile, rows, dimension, 1);
            RandomVectors.write(queryFile, MAX_QUERIES, dimension, 2);
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
        Map<String, Engine> engines = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, List<String>> command : commands.entrySet()) {
                System.err.println("Starting " + command.getKey());
                engines.put(command.getKey(), new Engine(command.getKey(), command.getValue()));
            }
            double pace = MemoryPace.readBytesPerSecond();
            double floorMillis = 1000.0 * rows * dimension * Float.BYTES / pace;
            System.out.printf(
                    Locale.ROOT,
                    "%d x %d, %d cores, Java %s; milliseconds, median (fastest to slowest) of %s. The last column: the"
                            + " fastest other's time through ours, round by round, median (least to most). Reading:"
                            + " %.1f GB/s%n%n",
                    rows,
                    dimension,
                    Runtime.getRuntime().availableProcessors(),
                    System.getProperty("java.version"),
                    roundsInWords(rounds),
                    pace / 1e9);
            System.out.println(
                    "| Q | k | bandwidth floor | " + String.join(" | ", engines.keySet()) + " | fp32 is faster by |");
            System.out.println("|---:|---:|---:|" + "---|".repeat(engines.size()) + "---|");
            for (int queries : QUERIES) {
                Map<String, Engine> able = able(engines, queries);
                SearchTurns turns = new SearchTurns(able, queries);
                turns.warmUp(RESULTS);
                for (int k : RESULTS) {
                    SearchTurns.Taken taken = turns.take(k, rounds(queries, rounds));
                    System.out.println(line(taken, engines.keySet(), queries, k, floorMillis));
                    reportMisses(taken, queries);
                }
            }
        } finally {
            for (Engine engine : engines.values()) {
                engine.close();
            }
        }
    }

    private static Map<String, Engine> able(Map<String, Engine> engines, int queries) {
        Map<String, Engine> able = new LinkedHashMap<>(engines);
        able.keySet().removeIf(name -> queries > MAX_QUERIES_OF_DOT_PRODUCTS && name.contains(" on Java "));
        return able;
    }

    /** Short searches cost little, and vary most. */
    private static int rounds(int queries, int rounds) {
        return Math.max(rounds, queries == 1 ? 15 : queries <= MAX_QUERIES_OF_DOT_PRODUCTS ? 7 : 1);
    }

    private static String roundsInWords(int rounds) {
        return IntStream.of(QUERIES)
                .mapToObj(queries -> rounds(queries, rounds) + " rounds at Q = " + queries)
                .collect(Collectors.joining(", "));
    }

    private static String line(SearchTurns.Taken taken, Set<String> names, int queries, int k, double floorMillis) {
        StringBuilder line =
                new StringBuilder(String.format(Locale.ROOT, "| %d | %d | %.1f |", queries, k, floorMillis));
        for (String name : names) {
            double[] millis = taken.millis().get(name);
            line.append(millis == null ? " - |" : " " + inWords(Spread.of(millis), "%.1f") + " |");
        }
        double[] ours = taken.of(OURS);
        Optional<String> rival = names.stream()
                .filter(name -> !name.startsWith("embed4j") && taken.millis().containsKey(name))
                .min(Comparator.comparingDouble(
                        name -> Spread.of(taken.of(name)).median()));
        rival.ifPresent(name -> line.append(' ')
                .append(inWords(Spread.ofPairedRatios(taken.of(name), ours), "%.2f"))
                .append(" than ")
                .append(name));
        return line.append(" |").toString();
    }

    private static String inWords(Spread spread, String format) {
        return String.format(
                Locale.ROOT,
                format + " (" + format + " to " + format + ")",
                spread.median(),
                spread.min(),
                spread.max());
    }

    /** Says which engines found other rows than ours for the last query. */
    private static void reportMisses(SearchTurns.Taken taken, int queries) {
        Set<String> first = taken.lastFound().values().iterator().next();
        taken.lastFound().forEach((name, rows) -> {
            Set<String> common = new HashSet<>(rows);
            common.retainAll(first);
            if (common.size() < first.size()) {
                System.err.println(name + " found " + common.size() + " of the " + first.size()
                        + " nearest rows of query " + (queries - 1) + ".");
            }
        });
    }

    // ---- growth ----

    private static void grow(Path rowFile, Path queryFile, int rows, int rounds) throws IOException {
        Map<String, Engine> engines = new LinkedHashMap<>();
        int[] sizes = {rows / 8, rows / 4, rows / 2, rows};
        try {
            for (int size : sizes) {
                String name = Integer.toString(size);
                engines.put(name, new Engine(name + " rows", ours(rowFile, queryFile, "fp32", size)));
            }
            System.out.println("\nembed4j fp32 by rows, k = " + RESULTS[0] + "\n");
            System.out.println("| Q | " + String.join(" | ", engines.keySet()) + " | log-log slope |");
            System.out.println("|---:|" + "---|".repeat(sizes.length) + "---|");
            for (int queries : QUERIES) {
                SearchTurns turns = new SearchTurns(engines, queries);
                turns.warmUp(RESULTS[0]);
                SearchTurns.Taken taken = turns.take(RESULTS[0], rounds(queries, rounds));
                StringBuilder line = new StringBuilder("| " + queries + " |");
                Map<Integer, Double> medians = new LinkedHashMap<>();
                taken.millis().forEach((size, millis) -> {
                    medians.put(Integer.valueOf(size), Spread.of(millis).median());
                    line.append(" ").append(inWords(Spread.of(millis), "%.1f")).append(" |");
                });
                System.out.println(line.append(String.format(Locale.ROOT, " %.3f |", Growth.slope(medians))));
            }
        } finally {
            for (Engine engine : engines.values()) {
                engine.close();
            }
        }
    }
}
