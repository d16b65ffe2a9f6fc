// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.math.RotaryAngles;
import io.embed4j.spec.AttentionBias;
import io.embed4j.spec.AttentionSpec;
import io.embed4j.spec.DType;
import io.embed4j.spec.EncoderSpec;
import io.embed4j.spec.FeedForwardSpec;
import io.embed4j.spec.HeadModule;
import io.embed4j.spec.LayerSpec;
import io.embed4j.spec.NormSpec;
import io.embed4j.spec.RotarySpec;
import io.embed4j.spec.WeightRole;
import io.embed4j.spec.WeightShape;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where every weight lies in the arena, and how it gets there from its file.
 *
 * <p>Matrices of layers and embedding tables are held in the storage type S; vectors (biases, gains), the text head and
 * computed tables in fp32. Queries, keys and values share one matrix, gate and up another, so that one product makes all
 * of them. Of their biases those have places that {@link AttentionBiases} leaves. Widths are padded as {@link LayerWidths}
 * says.
 */
final class WeightLayout {
    private final EncoderSpec spec;
    private final DType type;
    private final ArenaLayout arena = new ArenaLayout();
    private final Map<WeightShape, Placement> placements = new LinkedHashMap<>();
    private final Map<RotarySpec, RotaryTable> rotaryTables = new LinkedHashMap<>();
    private final Map<Key, WeightShape> shapes = new HashMap<>();
    private final List<LayerWidths> layers = new ArrayList<>();
    private final int positions;
    private long distanceBiasOffset = -1;
    private long alibiOffset = -1;

    private record Key(WeightRole role, int index) {}

    /**
     * A weight's place.
     *
     * @param offset of its first element in the arena
     * @param type how it is held
     * @param spread how it lies among padding
     * @param gainOffset added to every number: Gemma's gains are stored less 1
     */
    record Placement(long offset, DType type, Kernels.Spread spread, double gainOffset) {}

    /**
     * Angles of a rotation, fp32 [positions, rotaryDimension / 2] each.
     *
     * @param cosines offset in the arena
     * @param sines offset in the arena
     */
    record RotaryTable(long cosines, long sines) {}

    WeightLayout(EncoderSpec spec, DType type) {
        this.spec = spec;
        this.type = type;
        this.positions = spec.embedding().positions().usablePositions();
        spec.weightShapes().forEach(shape -> shapes.put(new Key(shape.role(), shape.index()), shape));
        embedding();
        for (int i = 0; i < spec.layers().size(); i++) {
            layer(spec.layers().get(i), i);
        }
        vector(
                WeightRole.FINAL_NORM_GAIN,
                0,
                spec.finalNorm().map(NormSpec::gainOffset).orElse(0.0));
        vector(WeightRole.FINAL_NORM_BIAS, 0, 0);
        for (int i = 0; i < spec.head().size(); i++) {
            head(spec.head().get(i), i);
        }
        tables();
    }

    private void embedding() {
        int width = LayerWidths.padded(spec.embedding().embeddingSize());
        table(WeightRole.TOKEN_EMBEDDING, width);
        table(WeightRole.POSITION_EMBEDDING, width);
        table(WeightRole.TYPE_EMBEDDING, width);
        vector(
                WeightRole.EMBEDDING_NORM_GAIN,
                0,
                spec.embedding().norm().map(NormSpec::gainOffset).orElse(0.0));
        vector(WeightRole.EMBEDDING_NORM_BIAS, 0, 0);
        if (shape(WeightRole.EMBEDDING_PROJECTION, 0) != null) {
            int hidden = LayerWidths.padded(spec.hiddenSize());
            long place = arena.reserve((long) hidden * width * type.bytes());
            matrix(WeightRole.EMBEDDING_PROJECTION, 0, place, Group.NONE, Group.NONE, width);
            vector(WeightRole.EMBEDDING_PROJECTION_BIAS, 0, 0);
        }
    }

    private void table(WeightRole role, int width) {
        WeightShape shape = shape(role, 0);
        if (shape != null) {
            long place = arena.reserve((long) shape.shape().get(0) * width * type.bytes());
            matrix(role, 0, place, Group.NONE, Group.NONE, width);
        }
    }

    private void layer(LayerSpec layer, int index) {
        LayerWidths widths = LayerWidths.of(layer);
        layers.add(widths);
        int hidden = LayerWidths.padded(spec.hiddenSize());
        attention(layer.attention(), widths, hidden, index);
        FeedForwardSpec feedForward = layer.feedForward();
        int up = feedForward.gated() ? widths.feedForward() : 0;
        long rowBytes = (long) hidden * type.bytes();
        long upPlace = arena.reserve(widths.feedForwardStride() * rowBytes);
        long upBiasPlace = feedForward.inputBias() ? arena.reserve(floats(widths.feedForwardStride())) : -1;
        matrix(WeightRole.FEED_FORWARD_GATE, index, upPlace, Group.NONE, Group.NONE, hidden);
        matrix(WeightRole.FEED_FORWARD_UP, index, upPlace + up * rowBytes, Group.NONE, Group.NONE, hidden);
        place(WeightRole.FEED_FORWARD_GATE_BIAS, index, upBiasPlace, DType.FP32, Group.NONE, Group.NONE, 0, 0);
        place(
                WeightRole.FEED_FORWARD_UP_BIAS,
                index,
                upBiasPlace + floats(up),
                DType.FP32,
                Group.NONE,
                Group.NONE,
                0,
                0);
        long downPlace = arena.reserve((long) hidden * widths.feedForward() * type.bytes());
        matrix(WeightRole.FEED_FORWARD_DOWN, index, downPlace, Group.NONE, Group.NONE, widths.feedForward());
        vector(WeightRole.FEED_FORWARD_DOWN_BIAS, index, 0);
        double gainOffset = layer.norm().gainOffset();
        vector(WeightRole.ATTENTION_NORM_GAIN, index, gainOffset);
        vector(WeightRole.ATTENTION_NORM_BIAS, index, 0);
        vector(WeightRole.ATTENTION_OUTPUT_NORM_GAIN, index, gainOffset);
        vector(WeightRole.FEED_FORWARD_NORM_GAIN, index, gainOffset);
        vector(WeightRole.FEED_FORWARD_NORM_BIAS, index, 0);
        vector(WeightRole.FEED_FORWARD_OUTPUT_NORM_GAIN, index, gainOffset);
    }

    private void attention(AttentionSpec attention, LayerWidths widths, int hidden, int index) {
        Group heads = new Group(attention.headSize(), widths.attention().headStride());
        int keys = widths.attended();
        int values = keys + attention.keyValueHeads() * widths.attention().headStride();
        long rowBytes = (long) hidden * type.bytes();
        long place = arena.reserve(widths.queryKeyValue() * rowBytes);
        matrix(WeightRole.QUERY, index, place, heads, Group.NONE, hidden);
        matrix(WeightRole.KEY, index, place + keys * rowBytes, heads, Group.NONE, hidden);
        matrix(WeightRole.VALUE, index, place + values * rowBytes, heads, Group.NONE, hidden);
        if (attention.queryKeyValueBias()) {
            boolean keyBias = AttentionBiases.needPreparation(attention);
            long biasPlace = arena.reserve(floats(keyBias ? values : keys));
            place(WeightRole.QUERY_BIAS, index, biasPlace, DType.FP32, Group.NONE, heads, 0, 0);
            if (keyBias) {
                place(WeightRole.KEY_BIAS, index, biasPlace + floats(keys), DType.FP32, Group.NONE, heads, 0, 0);
            }
            // The output product gets a bias even where the model has none: that of the values goes there.
            shapes.putIfAbsent(
                    new Key(WeightRole.ATTENTION_OUTPUT_BIAS, index),
                    new WeightShape(WeightRole.ATTENTION_OUTPUT_BIAS, index, List.of(spec.hiddenSize())));
        }
        double gainOffset = attention.queryKeyNorm().map(NormSpec::gainOffset).orElse(0.0);
        vector(WeightRole.QUERY_NORM_GAIN, index, gainOffset);
        vector(WeightRole.KEY_NORM_GAIN, index, gainOffset);
        long outputPlace = arena.reserve((long) hidden * widths.attended() * type.bytes());
        matrix(WeightRole.ATTENTION_OUTPUT, index, outputPlace, Group.NONE, heads, widths.attended());
        vector(WeightRole.ATTENTION_OUTPUT_BIAS, index, 0);
    }

    private void head(HeadModule module, int index) {
        if (module instanceof HeadModule.Dense dense) {
            int in = LayerWidths.padded(dense.inputSize());
            int out = LayerWidths.padded(dense.outputSize());
            place(
                    WeightRole.HEAD_DENSE,
                    index,
                    arena.reserve(floats((long) in * out)),
                    DType.FP32,
                    Group.NONE,
                    Group.NONE,
                    in,
                    0);
            vector(WeightRole.HEAD_DENSE_BIAS, index, 0);
        } else if (module instanceof HeadModule.LayerNorm norm) {
            vector(WeightRole.HEAD_NORM_GAIN, index, norm.norm().gainOffset());
            vector(WeightRole.HEAD_NORM_BIAS, index, 0);
        }
    }

    /** What is computed at load: angles, and what scores get by distance. */
    private void tables() {
        AttentionSpec first = spec.layers().get(0).attention();
        if (first.bias() instanceof AttentionBias.RelativeBuckets) {
            distanceBiasOffset = arena.reserve(floats((long) first.heads() * (2 * biasReach() + 1)));
        } else if (first.bias() instanceof AttentionBias.Alibi) {
            alibiOffset = arena.reserve(floats(first.heads()));
        }
        for (LayerSpec layer : spec.layers()) {
            layer.attention()
                    .rotary()
                    .filter(rotary -> !RotaryAngles.dependOnLength(rotary))
                    .ifPresent(rotary -> rotaryTables.computeIfAbsent(rotary, key -> {
                        long bytes = floats((long) positions * key.rotaryDimension() / 2);
                        return new RotaryTable(arena.reserve(bytes), arena.reserve(bytes));
                    }));
        }
    }

    /**
     * Rows or columns that stay together among padding.
     *
     * @param size of a group
     * @param padded from group to group
     */
    private record Group(int size, int padded) {
        /** Every row by itself, with nothing in between. */
        static final Group NONE = new Group(1, 1);
    }

    private void matrix(WeightRole role, int index, long place, Group rows, Group columns, int stride) {
        place(role, index, place, type, rows, columns, stride, 0);
    }

    /** A vector of its own, with room up to the padded width. */
    private void vector(WeightRole role, int index, double gainOffset) {
        WeightShape shape = shape(role, index);
        if (shape != null) {
            long place = arena.reserve(floats(LayerWidths.padded(Math.toIntExact(shape.elements()))));
            place(role, index, place, DType.FP32, Group.NONE, Group.NONE, 0, gainOffset);
        }
    }

    private void place(
            WeightRole role,
            int index,
            long offset,
            DType heldAs,
            Group rows,
            Group columns,
            int stride,
            double gainOffset) {
        WeightShape shape = shape(role, index);
        if (shape != null) {
            Kernels.Spread spread =
                    new Kernels.Spread(rows.size(), rows.padded(), columns.size(), columns.padded(), stride);
            placements.put(shape, new Placement(offset, heldAs, spread, gainOffset));
        }
    }

    private static long floats(long count) {
        return count * DType.FP32.bytes();
    }

    private @Nullable WeightShape shape(WeightRole role, int index) {
        return shapes.get(new Key(role, index));
    }

    /** Every weight and its place, in the order of the arena. */
    Map<WeightShape, Placement> placements() {
        return placements;
    }

    /**
     * Where a weight begins.
     *
     * @return offset in bytes, -1 if the architecture has no such weight
     */
    long offset(WeightRole role, int index) {
        WeightShape shape = shape(role, index);
        Placement placement = shape == null ? null : placements.get(shape);
        return placement == null ? -1 : placement.offset();
    }

    /** The tables of every rotation in the model. */
    Map<RotarySpec, RotaryTable> rotaryTables() {
        return rotaryTables;
    }

    /** fp32 [A, 2 * biasReach + 1], -1 for none. */
    long distanceBiasOffset() {
        return distanceBiasOffset;
    }

    /** fp32 [A], -1 for none. */
    long alibiOffset() {
        return alibiOffset;
    }

    /** The largest distance between two tokens. */
    int biasReach() {
        return positions - 1;
    }

    /** Positions that angles are needed for. */
    int positions() {
        return positions;
    }

    /** Widths of every layer. */
    List<LayerWidths> layers() {
        return layers;
    }

    /** Bytes of all weights and tables. */
    long bytes() {
        return arena.bytes();
    }
}
