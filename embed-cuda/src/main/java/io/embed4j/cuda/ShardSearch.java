// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.Hits;
import io.embed4j.core.index.BestRows;
import io.embed4j.core.index.ExactRescorer;
import io.embed4j.core.index.IndexChecks;
import io.embed4j.core.index.RowBounds;
import io.embed4j.core.index.ScoreMargin;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.RowSelection;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * One search of a shard: {@link CandidateSearch} finds on the device, with the error of fp32 sums and of the storage, all rows
 * that can be among the best k; the exact scores of these few decide. fp32 rows are scored again on the device, by the same
 * float64 sums in the same order as on the host, and rows that are stored in 16 bits from the fp32 rows that the host keeps.
 * A query with more candidates than its list holds is searched again more carefully, then alone, with all the room there
 * is; if that is not enough, every selected row is scored.
 */
final class ShardSearch {
    private final ExclusiveDevice device;
    private final ShardMemory memory;
    private final ShardRows rows;
    private final IndexSpec spec;
    private final RowBounds bounds;
    private final int k;
    private final RowSelection selection;

    /**
     * Prepares a search.
     *
     * @param rows of the shard
     * @param bounds of the rows that may be found
     * @param k results per query
     * @param selection which rows may be found
     */
    ShardSearch(
            ExclusiveDevice device,
            ShardMemory memory,
            ShardRows rows,
            IndexSpec spec,
            RowBounds bounds,
            int k,
            RowSelection selection) {
        this.device = device;
        this.memory = memory;
        this.rows = rows;
        this.spec = spec;
        this.bounds = bounds;
        this.k = k;
        this.selection = selection;
    }

    /**
     * Queries that are searched together.
     *
     * @param values fp32 [Q, D]
     * @param there where they are on the device; null if they are not
     * @param places [Q] which row there each of them is
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Queries(float[] values, @Nullable DeviceVectors there, int[] places) {
        Queries only(int dimension, int... which) {
            float[] some = new float[which.length * dimension];
            for (int i = 0; i < which.length; i++) {
                System.arraycopy(values, which[i] * dimension, some, i * dimension, dimension);
            }
            int[] theirs = there == null
                    ? places
                    : IntStream.of(which).map(q -> places[q]).toArray();
            return new Queries(some, there, theirs);
        }
    }

    /**
     * Searches, a few hundred queries at a time.
     *
     * @param queries fp32 [Q, D]
     * @param there where they are on the device; null if they are not
     * @param places [Q] which row there each of them is
     */
    Hits search(FloatBuffer queries, @Nullable DeviceVectors there, int[] places) {
        int count = queries.remaining() / spec.dimension();
        long[] ids = new long[IndexChecks.results(count, k)];
        float[] scores = new float[ids.length];
        int together = CandidateSearch.queriesTogether(memory.layout(), k);
        for (int first = 0; first < count; first += together) {
            int group = Math.min(together, count - first);
            float[] values = new float[group * spec.dimension()];
            queries.get(queries.position() + first * spec.dimension(), values);
            double[] margins = margins(values, group);
            int firstOfGroup = first;
            int[] placesOfGroup = there == null ? places : Arrays.copyOfRange(places, first, first + group);
            List<Optional<CandidateSearch.Found>> found =
                    device.get(() -> find(new Queries(values, there, placesOfGroup), margins));
            IntStream.range(0, group)
                    .parallel()
                    .filter(q -> found.get(q).isPresent())
                    .forEach(q ->
                            best(values, q, found.get(q).orElseThrow()).drainTo(ids, scores, (firstOfGroup + q) * k));
            int[] lost = IntStream.range(0, group)
                    .filter(q -> found.get(q).isEmpty())
                    .toArray();
            List<BestRows> best = scan(values, lost);
            for (int i = 0; i < lost.length; i++) {
                best.get(i).drainTo(ids, scores, (firstOfGroup + lost[i]) * k);
            }
        }
        return new Hits(k, ids, scores);
    }

    /** How far each query's scores may be from the truth; 0 where the scan's scores are what is wanted. */
    private double[] margins(float[] queries, int count) {
        double unit = TopkKernels.onTensorCores(spec.storage()) ? ScoreMargin.TENSOR_CORES : ScoreMargin.FP32_ROUNDING;
        ScoreMargin margin = new ScoreMargin(spec.dimension(), unit);
        double[] margins = new double[count];
        IntStream.range(0, count).parallel().forEach(q -> {
            RowBounds query = RowBounds.of(queries, q * spec.dimension(), spec.dimension(), spec.storage());
            double proven = margin.of(query, bounds);
            margins[q] = spec.rescoring() == IndexSpec.Rescoring.EXACT || Double.isInfinite(proven) ? proven : 0;
        });
        return margins;
    }

    /** Brings queries to their place on the device, and stores them as rows are stored. */
    private void placeQueries(Queries queries) {
        ShardWorkspace workspace = memory.workspace();
        ShardLayout layout = workspace.layout();
        DevicePointer given = workspace.at(layout.givenQueries());
        if (queries.there() == null) {
            workspace.upload(given, FloatBuffer.wrap(queries.values()));
        } else {
            workspace.gather(given, queries.there(), queries.places(), spec.dimension());
        }
        workspace
                .kernels()
                .storeRows(
                        spec.storage(),
                        workspace.at(layout.storedQueries()),
                        workspace.at(layout.queryMeasures()),
                        given,
                        queries.values().length / spec.dimension(),
                        spec.dimension(),
                        layout.stride());
    }

    /** Searches: eagerly, then carefully for those that had too short a list, then alone. */
    private List<Optional<CandidateSearch.Found>> find(Queries queries, double[] margins) {
        placeQueries(queries);
        rows.uploadFilter(selection);
        CandidateSearch search = new CandidateSearch(memory.workspace(), rows, selection, k);
        List<Optional<CandidateSearch.Found>> found = new ArrayList<>(search.find(margins, true));
        int[] lost = lost(found, margins);
        if (lost.length > 0) {
            again(search, found, queries, margins, lost);
            for (int query : lost.length > 1 ? lost(found, margins) : new int[0]) {
                again(search, found, queries, margins, query);
            }
        }
        return found;
    }

    /** Queries that a longer list may help. */
    private static int[] lost(List<Optional<CandidateSearch.Found>> found, double[] margins) {
        return IntStream.range(0, margins.length)
                .filter(q -> found.get(q).isEmpty() && !Double.isInfinite(margins[q]))
                .toArray();
    }

    private void again(
            CandidateSearch search,
            List<Optional<CandidateSearch.Found>> found,
            Queries queries,
            double[] margins,
            int... lost) {
        placeQueries(queries.only(spec.dimension(), lost));
        double[] theirMargins = IntStream.of(lost).mapToDouble(q -> margins[q]).toArray();
        List<Optional<CandidateSearch.Found>> theirs = search.find(theirMargins, false);
        for (int i = 0; i < lost.length; i++) {
            found.set(lost[i], theirs.get(i));
        }
    }

    /** The best k candidates by their exact scores. */
    private BestRows best(float[] queries, int query, CandidateSearch.Found found) {
        BestRows best = new BestRows(k);
        double[] exact = found.scores();
        float[] row = new float[spec.dimension()];
        for (int i = 0; i < found.keys().length; i++) {
            int number = found.row(i);
            if (spec.rescoring() == IndexSpec.Rescoring.NONE) {
                best.offer(found.scanScore(i), number);
            } else if (number < found.firstOnHost() && exact != null) {
                best.offer(exact[i], number);
            } else {
                rows.host().read(number - found.firstOnHost(), 1, row, 0);
                best.offer(exact(queries, query, row, 0), number);
            }
        }
        return best;
    }

    private double exact(float[] queries, int query, float[] values, int row) {
        int dimension = spec.dimension();
        return ExactRescorer.score(queries, query * dimension, values, row * dimension, dimension);
    }

    /** Scores every selected row for queries with too many candidates: rows are read once for all of them. */
    private List<BestRows> scan(float[] queries, int[] lost) {
        List<BestRows> best =
                IntStream.range(0, lost.length).mapToObj(i -> new BestRows(k)).toList();
        int together = memory.layout().slotRows();
        for (int from = 0; from < selection.rows() && lost.length > 0; from += together) {
            int first = from;
            float[] values = new float[Math.min(together, selection.rows() - first) * spec.dimension()];
            device.run(() -> rows.read(first, values.length / spec.dimension(), values));
            IntStream.range(0, lost.length).parallel().forEach(i -> {
                for (int row = 0; row < values.length / spec.dimension(); row++) {
                    if (selection.contains(first + row)) {
                        best.get(i).offer(exact(queries, lost[i], values, row), first + row);
                    }
                }
            });
        }
        return best;
    }
}
