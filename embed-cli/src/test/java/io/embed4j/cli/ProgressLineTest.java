// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.DownloadProgress;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ProgressLineTest {
    private final StringWriter drawn = new StringWriter();
    private long nanos;

    @Test
    void showsCountRateAndTimeLeft() {
        try (ProgressLine line = new ProgressLine(new PrintWriter(drawn), true, 1000, () -> nanos)) {
            line.onProgress(1, 10);
            assertThat(drawn.toString()).isEmpty();
            nanos = 2_000_000_000;
            line.onProgress(200, 2000);
            assertThat(drawn.toString()).isEqualTo("\r200 of 1000 texts, 100 texts/s, 0:08 left");
            nanos += 1;
            line.onProgress(201, 2010);
        }
        assertThat(drawn.toString()).isEqualTo("\r200 of 1000 texts, 100 texts/s, 0:08 left\r" + " ".repeat(41) + "\r");
    }

    @Test
    void showsNoTimeLeftWhereTheTotalIsUnknown() {
        try (ProgressLine line = new ProgressLine(new PrintWriter(drawn), true, 0, () -> nanos)) {
            nanos = 1_000_000_000;
            line.onProgress(30, 300);
            assertThat(drawn.toString()).isEqualTo("\r30 texts, 30 texts/s");
        }
    }

    @Test
    void isSilentWhereNobodyWatches() {
        try (ProgressLine line = new ProgressLine(new PrintWriter(drawn), false, 10, () -> nanos)) {
            nanos = 1_000_000_000;
            line.onProgress(5, 50);
        }
        assertThat(drawn.toString()).isEmpty();
    }

    @Test
    void writesDurations() {
        assertThat(StatusLine.duration(0)).isEqualTo("0:00");
        assertThat(StatusLine.duration(59)).isEqualTo("0:59");
        assertThat(StatusLine.duration(3599)).isEqualTo("59:59");
        assertThat(StatusLine.duration(3661)).isEqualTo("1:01:01");
    }

    @Test
    void aLineFitsTheTerminal() {
        assertThat(StatusLine.fitting("5 of 10 texts", "10")).isEqualTo("5 of 10 t");
        assertThat(StatusLine.fitting("5 of 10 texts", "14")).isEqualTo("5 of 10 texts");
        for (String unknown : new String[] {null, "", "0", "wide"}) {
            assertThat(StatusLine.fitting("5 of 10 texts", unknown)).isEqualTo("5 of 10 texts");
        }
    }

    @Test
    void showsHowFarADownloadHasCome() {
        try (DownloadLine line = new DownloadLine(new PrintWriter(drawn), true, () -> nanos)) {
            nanos = 3_000_000_000L;
            line.onProgress(new DownloadProgress("org/name", 1, 8, 30_000_000, 90_000_000));
            assertThat(drawn.toString()).isEqualTo("\rorg/name: 1 of 8 files, 30.0 of 90.0 MB, 10.0 MB/s, 0:06 left");
        }
        assertThat(drawn.toString()).endsWith(" \r");
    }
}
