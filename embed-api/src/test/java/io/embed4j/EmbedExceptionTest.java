// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Errors lead to the documentation: in stack traces and by their topic, while the message stays what it is. */
class EmbedExceptionTest {

    @Test
    void theStackTraceEndsItsFirstLineWithTheAnchor() {
        EmbedException failure = new ModelFormatException("config.json is missing.");
        assertThat(failure).hasMessage("config.json is missing.");
        assertThat(failure)
                .hasToString("io.embed4j.ModelFormatException: config.json is missing."
                        + " See docs/troubleshooting.md#model-format");

        StringWriter trace = new StringWriter();
        new IllegalStateException("of the application", failure).printStackTrace(new PrintWriter(trace, true));
        assertThat(trace.toString())
                .contains("Caused by: io.embed4j.ModelFormatException: config.json is missing."
                        + " See docs/troubleshooting.md#model-format");
    }

    @Test
    void everyKindOfErrorHasATopicOfItsOwn() {
        FitReport report = new FitReport(
                "m",
                "cuda:0",
                Precision.FP32,
                false,
                1,
                new FitReport.Needs(1, 1, 1, 1, 1, 1),
                1,
                1,
                FitReport.Verdict.DOES_NOT_FIT,
                new FitReport.Room(0, 0, Map.of()),
                null,
                "");
        Map<EmbedException, HelpTopic> topics = Map.of(
                new EmbedException("x"), HelpTopic.ENCODER_FAILED,
                new ModelFormatException("x"), HelpTopic.MODEL_FORMAT,
                new UnsupportedModelException("x"), HelpTopic.UNSUPPORTED_MODEL,
                new DeviceUnavailableException("x"), HelpTopic.DEVICE_UNAVAILABLE,
                new OutOfDeviceMemoryException(report), HelpTopic.OUT_OF_DEVICE_MEMORY,
                new InvalidTextException(3, "x"), HelpTopic.INVALID_TEXT,
                new EmbedderClosedException("x"), HelpTopic.EMBEDDER_CLOSED);
        topics.forEach((failure, topic) -> assertThat(failure.helpTopic()).isEqualTo(topic));
    }

    @Test
    void aThrowSiteMayNameANarrowerOne() {
        Exception cause = new Exception();
        assertThat(new ModelFormatException(HelpTopic.TOKENIZER, "x", cause)).hasCause(cause);
        assertThat(new ModelFormatException(HelpTopic.TOKENIZER, "x").helpTopic())
                .isEqualTo(HelpTopic.TOKENIZER);
        assertThat(new InvalidTextException(HelpTopic.TEXT_TOO_LONG, 3, "x").index())
                .isEqualTo(3);
        assertThat(HelpTopic.OUT_OF_DEVICE_MEMORY.anchor()).isEqualTo("out-of-device-memory");
    }
}
