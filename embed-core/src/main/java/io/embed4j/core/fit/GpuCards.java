// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.fit;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.embed4j.DeviceInfo;
import io.embed4j.GpuCard;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The table of cards, {@code gpu-cards.json}: published data with their sources; what no source told is null. */
public final class GpuCards {
    private static final String TABLE = "gpu-cards.json";
    private static final double GIGA = 1e9;
    private static final double TERA = 1e12;

    /** By how much a device's memory may differ from its card's: drivers and error correction keep a part. */
    private static final double MEMORY_TOLERANCE = 0.15;

    private static final List<Row> ROWS = read();

    /** A row of the file. */
    private record Row(
            String name,
            List<String> aliases,
            double memoryGb,
            @Nullable Double bandwidthGbPerSecond,
            @Nullable Double fp16Tflops,
            String computeCapability,
            String source) {

        GpuCard card() {
            return new GpuCard(
                    name,
                    (long) (memoryGb * GIGA),
                    bandwidthGbPerSecond == null ? null : bandwidthGbPerSecond * GIGA,
                    fp16Tflops == null ? null : fp16Tflops * TERA,
                    computeCapability,
                    source);
        }

        boolean isCalled(String wanted) {
            return normal(name).equals(normal(wanted))
                    || aliases.stream().anyMatch(alias -> normal(alias).equals(normal(wanted)));
        }

        /** Whether the name is the wanted one with the memory behind it: drivers leave it out. */
        boolean isCalledWithItsMemory(String wanted) {
            return normal(name).replaceAll("\\d+gb$", "").equals(normal(wanted));
        }

        boolean contains(String wanted) {
            return normal(name).contains(normal(wanted));
        }
    }

    private GpuCards() {}

    private static List<Row> read() {
        try (InputStream bytes = Objects.requireNonNull(GpuCards.class.getResourceAsStream(TABLE), TABLE);
                Reader text = new InputStreamReader(bytes, StandardCharsets.UTF_8)) {
            return List.copyOf(new Gson().fromJson(text, new TypeToken<ArrayList<Row>>() {}));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Names as people and drivers write them: "NVIDIA A100-SXM4-80GB", "rtx4090", "GeForce RTX 3060 12 GB". */
    private static String normal(String name) {
        return name.toLowerCase(Locale.ROOT)
                .replaceAll("nvidia|geforce|tesla", "")
                .replaceAll("[^a-z0-9]", "");
    }

    /** Every card, in the order of the table. */
    public static List<GpuCard> all() {
        return ROWS.stream().map(Row::card).toList();
    }

    /**
     * Finds a card by its name.
     *
     * @throws IllegalArgumentException if there is none, or several have such a name
     */
    public static GpuCard named(String name) {
        List<Row> found = ROWS.stream().filter(row -> row.isCalled(name)).toList();
        if (found.size() == 1) {
            return found.get(0).card();
        }
        List<Row> similar = normal(name).isEmpty()
                ? List.of()
                : ROWS.stream().filter(row -> row.contains(name)).toList();
        if (similar.size() == 1) {
            return similar.get(0).card();
        }
        throw new IllegalArgumentException(
                similar.isEmpty()
                        ? "The GPU \"" + name + "\" is not in the table. Known are " + names(ROWS) + "."
                        : "Several GPUs are called \"" + name + "\": " + names(similar) + ". Name one of them.");
    }

    private static String names(List<Row> rows) {
        return rows.stream().map(Row::name).collect(Collectors.joining(", "));
    }

    /** The card that a device is, if it is in the table. */
    static Optional<GpuCard> of(DeviceInfo device) {
        List<GpuCard> cards = ROWS.stream()
                .filter(row -> row.isCalled(device.name()) || row.isCalledWithItsMemory(device.name()))
                .map(Row::card)
                .filter(card ->
                        Math.abs(card.memoryBytes() - device.totalBytes()) <= MEMORY_TOLERANCE * card.memoryBytes())
                .toList();
        return normal(device.name()).isEmpty() || cards.size() != 1 ? Optional.empty() : Optional.of(cards.get(0));
    }
}
