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
import org.apache.lucene.util.VectorUtil;

/**
 * Brute force with Lucene's vectorised dot product for compare-index, one thread a core: answers each line "Q k" with the seconds
 * that the first Q queries took, and the rows found for the last of them. Each row is read once for up to 32 queries.
 */
public final class LuceneRival {
    private static final int TOGETHER = 32;

    private record Hit(float score, int row) {}

    public static void main(String[] args) throws Exception {
        float[][] rows = read(args[0]);
        float[][] queries = read(args[1]);
        int cores = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(cores);
        System.out.println("ready");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            int count = Integer.parseInt(words[0]);
            int k = Integer.parseInt(words[1]);
            long start = System.nanoTime();
            List<Hit> last = List.of();
            for (int from = 0; from < count; from += TOGETHER) {
                int first = from;
                int together = Math.min(TOGETHER, count - from);
                List<Future<List<PriorityQueue<Hit>>>> parts = new ArrayList<>();
                for (int c = 0; c < cores; c++) {
                    int begin = (int) ((long) rows.length * c / cores);
                    int end = (int) ((long) rows.length * (c + 1) / cores);
                    parts.add(pool.submit(() -> scan(rows, begin, end, queries, first, together, k)));
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
        pool.shutdown();
    }

    private static List<PriorityQueue<Hit>> scan(
            float[][] rows, int begin, int end, float[][] queries, int first, int count, int k) {
        List<PriorityQueue<Hit>> best = new ArrayList<>();
        float[] worst = new float[count];
        for (int q = 0; q < count; q++) {
            best.add(new PriorityQueue<>((a, b) -> Float.compare(a.score(), b.score())));
            worst[q] = Float.NEGATIVE_INFINITY;
        }
        for (int row = begin; row < end; row++) {
            for (int q = 0; q < count; q++) {
                float score = VectorUtil.dotProduct(queries[first + q], rows[row]);
                if (score > worst[q]) {
                    PriorityQueue<Hit> hits = best.get(q);
                    hits.add(new Hit(score, row));
                    if (hits.size() > k) {
                        hits.remove();
                    }
                    worst[q] = hits.size() < k ? Float.NEGATIVE_INFINITY : hits.element().score();
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
