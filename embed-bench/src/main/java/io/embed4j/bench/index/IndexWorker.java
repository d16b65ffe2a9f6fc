// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.index;

import io.embed4j.Embeddings;
import io.embed4j.Hits;
import io.embed4j.Precision;
import io.embed4j.VectorIndex;
import io.embed4j.VectorRows;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * embed4j's side of {@link CompareIndex}. After {@code ready}, each line {@code Q k} is answered by the seconds that the first Q
 * queries took, and the rows found for the last of them.
 */
final class IndexWorker {
    private IndexWorker() {}

    /**
     * Answers until its input ends.
     *
     * @param args .npy of rows, .npy of queries, storage, most rows
     */
    public static void main(String[] args) throws IOException {
        try (VectorIndex index =
                        VectorIndex.builder().storage(Precision.parse(args[2])).build(dimension(args[0]));
                VectorRows rows = VectorRows.open(Path.of(args[0]));
                BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            index.add(first(Integer.parseInt(args[3]), rows));
            float[] queries = queries(args[1], index.dimension());
            System.out.println("ready");
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ", -1);
                int count = Integer.parseInt(words[0]);
                int k = Integer.parseInt(words[1]);
                float[] some = Arrays.copyOf(queries, count * index.dimension());
                Embeddings asked = Embeddings.of(index.dimension(), some, new int[count], new boolean[count]);
                long start = System.nanoTime();
                Hits hits = index.search(asked, k);
                double seconds = (System.nanoTime() - start) / 1e9;
                StringBuilder answer = new StringBuilder(String.format(Locale.ROOT, "%.6f", seconds));
                for (int rank = 0; rank < k; rank++) {
                    answer.append(' ').append(hits.id(count - 1, rank));
                }
                System.out.println(answer);
            }
        }
    }

    private static VectorRows first(int most, VectorRows rows) {
        int[] left = {most};
        return new VectorRows() {
            @Override
            public int dimension() {
                return rows.dimension();
            }

            @Override
            public int read(FloatBuffer out) {
                long numbers = Math.min(out.remaining(), (long) left[0] * rows.dimension());
                FloatBuffer part = out.slice(out.position(), (int) numbers);
                int count = rows.read(part);
                out.position(out.position() + part.position());
                left[0] -= count;
                return count;
            }
        };
    }

    private static int dimension(String file) {
        try (VectorRows rows = VectorRows.open(Path.of(file))) {
            return rows.dimension();
        }
    }

    private static float[] queries(String file, int dimension) {
        try (VectorRows rows = VectorRows.open(Path.of(file))) {
            FloatBuffer values = FloatBuffer.allocate(CompareIndex.MAX_QUERIES * dimension);
            rows.read(values);
            return values.array();
        }
    }
}
