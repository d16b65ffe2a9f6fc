// SPDX-License-Identifier: Apache-2.0
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import io.github.jbellis.jvector.vector.VectorizationProvider;
import io.github.jbellis.jvector.vector.types.VectorFloat;
import io.github.jbellis.jvector.vector.types.VectorTypeSupport;
import org.apache.lucene.util.VectorUtil;

/**
 * Brute force with Lucene's or JVector's vectorised dot products for compare-index, one thread a core: answers each line "Q k"
 * with the seconds that the first Q queries took, and the rows found for the last of them. A block of rows is scored for up to 32
 * queries before the next one, so that it comes from the cache but once.
 */
public final class SearchRival {
    private static final int TOGETHER = 32;
    private static final int BLOCK = 64;

    private record Hit(float score, int row) {}

    /** Scores of a query and a block of rows. */
    private interface Scorer {
        void score(int query, int block, float[] scores);
    }

    public static void main(String[] args) throws Exception {
        float[][] rows = read(args[1]);
        float[][] queries = read(args[2]);
        int count = rows.length;
        Scorer scorer = args[0].equals("lucene") ? lucene(rows, queries) : jvector(rows, queries);
        int cores = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(cores);
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            answer(scorer, pool, cores, count, Integer.parseInt(words[0]), Integer.parseInt(words[1]));
        }
        pool.shutdown();
    }

    private static Scorer lucene(float[][] rows, float[][] queries) {
        return (query, block, scores) -> {
            int end = Math.min(rows.length, (block + 1) * BLOCK);
            for (int row = block * BLOCK; row < end; row++) {
                scores[row - block * BLOCK] = VectorUtil.dotProduct(queries[query], rows[row]);
            }
        };
    }

    private static Scorer jvector(float[][] rows, float[][] queries) {
        VectorTypeSupport types = VectorizationProvider.getInstance().getVectorTypeSupport();
        System.err.println("JVector: " + VectorizationProvider.getInstance().getClass().getSimpleName());
        VectorFloat<?>[] asked = new VectorFloat<?>[queries.length];
        for (int q = 0; q < queries.length; q++) {
            asked[q] = types.createFloatVector(queries[q]);
        }
        VectorFloat<?>[][] blocks = new VectorFloat<?>[(rows.length + BLOCK - 1) / BLOCK][];
        for (int b = 0; b < blocks.length; b++) {
            blocks[b] = new VectorFloat<?>[Math.min(BLOCK, rows.length - b * BLOCK)];
            for (int i = 0; i < blocks[b].length; i++) {
                blocks[b][i] = types.createFloatVector(rows[b * BLOCK + i]);
                rows[b * BLOCK + i] = null;
            }
        }
        return (query, block, scores) -> io.github.jbellis.jvector.vector.VectorUtil.dotProductMulti(
                asked[query], blocks[block], blocks[block].length, scores);
    }

    private static void answer(Scorer scorer, ExecutorService pool, int cores, int rows, int count, int k)
            throws Exception {
        long start = System.nanoTime();
        List<Hit> last = List.of();
        int blocks = (rows + BLOCK - 1) / BLOCK;
        for (int from = 0; from < count; from += TOGETHER) {
            int first = from;
            int together = Math.min(TOGETHER, count - from);
            List<Future<List<PriorityQueue<Hit>>>> parts = new ArrayList<>();
            for (int c = 0; c < cores; c++) {
                int begin = (int) ((long) blocks * c / cores);
                int end = (int) ((long) blocks * (c + 1) / cores);
                parts.add(pool.submit(() -> scan(scorer, rows, begin, end, first, together, k)));
            }
            for (int q = 0; q < together; q++) {
                List<Hit> hits = new ArrayList<>();
                for (Future<List<PriorityQueue<Hit>>> part : parts) {
                    hits.addAll(part.get().get(q));
                }
                hits.sort((a, b) -> Float.compare(b.score(), a.score()));
                last = hits.subList(0, k);
            }
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        StringBuilder answer = new StringBuilder(String.format(Locale.ROOT, "%.6f", seconds));
        last.forEach(hit -> answer.append(' ').append(hit.row()));
        System.out.println(answer);
    }

    private static List<PriorityQueue<Hit>> scan(
            Scorer scorer, int rows, int begin, int end, int first, int count, int k) {
        List<PriorityQueue<Hit>> best = new ArrayList<>();
        float[] worst = new float[count];
        for (int q = 0; q < count; q++) {
            best.add(new PriorityQueue<>((a, b) -> Float.compare(a.score(), b.score())));
            worst[q] = Float.NEGATIVE_INFINITY;
        }
        float[] scores = new float[BLOCK];
        for (int block = begin; block < end; block++) {
            int inBlock = Math.min(BLOCK, rows - block * BLOCK);
            for (int q = 0; q < count; q++) {
                scorer.score(first + q, block, scores);
                for (int i = 0; i < inBlock; i++) {
                    if (scores[i] > worst[q]) {
                        PriorityQueue<Hit> hits = best.get(q);
                        hits.add(new Hit(scores[i], block * BLOCK + i));
                        if (hits.size() > k) {
                            hits.remove();
                        }
                        worst[q] = hits.size() < k ? Float.NEGATIVE_INFINITY : hits.element().score();
                    }
                }
            }
        }
        return best;
    }

    private static float[][] read(String file) throws Exception {
        try (FileChannel channel = FileChannel.open(Path.of(file))) {
            ByteBuffer start = ByteBuffer.allocate(128).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(start, 0);
            int header = 10 + start.getShort(8);
            Matcher shape = Pattern.compile("\\((\\d+), (\\d+)\\)").matcher(new String(start.array(), "ISO-8859-1"));
            shape.find();
            float[][] rows = new float[Integer.parseInt(shape.group(1))][Integer.parseInt(shape.group(2))];
            ByteBuffer bytes = ByteBuffer.allocateDirect(4 * rows[0].length).order(ByteOrder.LITTLE_ENDIAN);
            for (int row = 0; row < rows.length; row++) {
                channel.read(bytes.clear(), header + (long) row * bytes.capacity());
                bytes.flip().asFloatBuffer().get(rows[row]);
            }
            return rows;
        }
    }
}
