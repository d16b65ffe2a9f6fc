// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class RivalProtocolTest {

    @Test
    void anOpenedRivalAnswersEverything() throws IOException {
        FakeRival rival = new FakeRival();
        try (InProcessRival process = new InProcessRival(() -> rival)) {
            RivalClient client = process.client();
            long startedEpochMillis = System.currentTimeMillis() - 1000;

            Reply.Loaded loaded = client.load(startedEpochMillis, "first");
            assertThat(loaded.engine()).isEqualTo("fake 1.0");
            assertThat(loaded.firstVectorMillis()).isGreaterThanOrEqualTo(1000);
            List<String> odd = List.of("Grüße, \"漢字\"\n\u0000", "\u2028 b");
            assertThat(List.of(client.embed(odd)))
                    .containsExactly(
                            new float[] {odd.get(0).length(), Float.NaN},
                            new float[] {odd.get(1).length(), Float.NaN});
            assertThat(client.timeSeconds(List.of("a", "b", "c"), false)).isNotNegative();
            assertThat(client.timeSeconds(List.of("a", "b", "c"), true)).isNotNegative();
            assertThat(client.finish().peakResidentBytes()).isNotNegative();
        }
        assertThat(rival.calls).containsExactly(1, 2, 3, 1, 1, 1);
        assertThat(rival.closed).isTrue();
    }

    @Test
    void aRivalThatDoesNotOpenSaysWhy() throws IOException {
        try (InProcessRival process = new InProcessRival(() -> {
            throw new UnsupportedOperationException("The CPU offers fp32, not int8.");
        })) {
            RivalClient client = process.client();
            assertThatThrownBy(() -> client.load(0, "first"))
                    .isInstanceOf(RivalException.class)
                    .hasMessage("The CPU offers fp32, not int8.");
            assertThatThrownBy(() -> client.embed(List.of("a"))).hasMessage("LOAD comes first.");
        }
    }

    @Test
    void aFailedCallIsToldAndTheNextOneIsServed() throws IOException {
        try (InProcessRival process = new InProcessRival(FakeRival::new)) {
            RivalClient client = process.client();
            client.load(0, "first");
            assertThatThrownBy(() -> client.embed(List.of("a", FakeRival.REFUSED)))
                    .isInstanceOf(RivalException.class)
                    .hasMessage("refused");
            assertThatThrownBy(() -> client.timeSeconds(List.of("a", FakeRival.DROPPED), false))
                    .hasMessage("2 texts gave 1 vectors.");
            assertThat(client.embed(List.of("ab"))[0][0]).isEqualTo(2);
        }
    }

    @Test
    void whatALibraryPrintsIsNoReply() {
        RivalClient client = new RivalClient(
                new StringReader("Loading...\n\n{\"engine\":\"x\",\"firstVectorMillis\":5}\n"), new StringWriter());
        assertThat(client.load(0, "first")).isEqualTo(new Reply.Loaded("x", 5));
    }

    @Test
    void aRivalThatEndsIsNoticed() {
        RivalClient client = new RivalClient(new StringReader("killed\n"), new StringWriter());
        assertThatThrownBy(() -> client.embed(List.of("a"))).hasMessage("it ended without answering EMBED");
    }

    /** The script in Python reads these by name. */
    @Test
    void requestsAreLinesOfJson() {
        StringWriter requests = new StringWriter();
        RivalClient client = new RivalClient(new StringReader("{\"seconds\":1.5}\n"), requests);
        assertThat(client.timeSeconds(List.of("a\nb"), true)).isEqualTo(1.5);
        assertThat(requests)
                .hasToString(
                        "{\"command\":\"TIME\",\"texts\":[\"a\\nb\"],\"startedEpochMillis\":0,\"onePerCall\":true}\n");
    }
}
