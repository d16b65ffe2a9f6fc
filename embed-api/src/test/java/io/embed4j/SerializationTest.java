// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.spec.DType;
import io.embed4j.spec.PoolingMode;
import io.embed4j.spec.PoolingSpec;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Spark and Flink ship options to their workers, and reports and errors back. */
class SerializationTest {
    private static final FitReport REPORT = new FitReport(
            "m",
            "cpu",
            Precision.FP32,
            false,
            1024,
            new FitReport.Needs(3, 2, 1, 4, 5, 6),
            10,
            20,
            FitReport.Verdict.FITS_WITH_REMEDY,
            new FitReport.Room(512, 256, Map.of(DType.FP16, 7L)),
            new FitReport.Throughput(1e6, 128, "a formula"),
            "Lower it.");

    static List<Object> valuesThatTravel() {
        return List.of(
                EmbedderOptions.defaults(),
                new EmbedderOptions("/models/x", "cuda:3", Precision.FP16, 1024, 0.2),
                EmbedOptions.defaults(),
                new EmbedOptions(
                        TextRole.QUERY,
                        null,
                        "query: ",
                        64,
                        TruncationPolicy.CHUNK,
                        true,
                        new PoolingSpec(List.of(PoolingMode.CLS, PoolingMode.MAX), false)),
                REPORT,
                new FitTable(List.of(REPORT), List.of("a note")),
                new GpuCard("L4", 24_000_000_000L, 3e11, null, "8.9", "a datasheet"),
                new DeviceReport(List.of(
                        new DeviceReport.Entry("cpu", "a CPU", true, 5, 4, "", "", "an engine", Map.of("cores", "2")))),
                new ModelInfo("m", "bert", 3, 3, 1, 512, 99, Map.of("query", "q: "), "query", SimilarityFunction.DOT));
    }

    @ParameterizedTest
    @MethodSource("valuesThatTravel")
    void valuesComeBackEqual(Object value) throws Exception {
        assertThat(roundTrip(value)).isEqualTo(value).hasSameHashCodeAs(value);
    }

    @Test
    void errorsComeBackWithWhatTheyCarry() throws Exception {
        OutOfDeviceMemoryException memory =
                (OutOfDeviceMemoryException) roundTrip(new OutOfDeviceMemoryException(REPORT));
        assertThat(memory.report()).isEqualTo(REPORT);
        InvalidTextException text = (InvalidTextException) roundTrip(new InvalidTextException(7, "Text 7 is null."));
        assertThat(text.index()).isEqualTo(7);
        assertThat(text).hasMessage("Text 7 is null.");
    }

    private static Object roundTrip(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            return in.readObject();
        }
    }
}
