// SPDX-License-Identifier: Apache-2.0
package io.embed4j.core.index;

import static org.assertj.core.api.Assertions.assertThat;

import io.embed4j.Hits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that saves is killed at a random moment: the index opens with the state before or after, nothing acknowledged is lost. */
class KilledProcessTest {
    private static final int SHORTEST_NANOS = 1_000;
    private static final int LONGEST_NANOS = 60_000_000;

    @TempDir
    private Path folder;

    @Test
    void aFewKills() throws Exception {
        kill(5, 1);
    }

    @Test
    @Tag("full")
    void aHundredKills() throws Exception {
        kill(100, 2);
    }

    private void kill(int times, long seed) throws IOException, InterruptedException {
        Random random = new Random(seed);
        Path directory = folder.resolve("index");
        int unacknowledged = 0;
        int before = 0;
        for (int round = 0; round < times; round++) {
            int acknowledged = runAndKill(directory, SHORTEST_NANOS + random.nextInt(LONGEST_NANOS));
            if (!Files.exists(directory.resolve("manifest.json"))) {
                assertThat(acknowledged).isZero();
                continue;
            }
            try (DefaultVectorIndex index = AppendingProcess.load(directory)) {
                int batches = index.rows() / AppendingProcess.BATCH;
                assertThat(index.rows() % AppendingProcess.BATCH)
                        .as("whole batches")
                        .isZero();
                assertThat(batches).isBetween(Math.max(before, acknowledged), acknowledged + 1);
                assertThat(index.rows() - index.size())
                        .as("a batch and its deletion come together")
                        .isEqualTo(Math.max(0, batches - 1));
                checkRows(index, random);
                unacknowledged += batches - acknowledged;
                before = batches;
            }
        }
        System.out.println(times + " kills, " + before + " saves, " + unacknowledged
                + " of them finished and not yet acknowledged when the process was killed");
        assertThat(before).isPositive();
    }

    private static void checkRows(DefaultVectorIndex index, Random random) {
        for (int check = 0; check < 20; check++) {
            int row = random.nextInt(index.rows());
            boolean deleted = row % AppendingProcess.BATCH == 0 && row < index.rows() - AppendingProcess.BATCH;
            Hits hits = index.search(new float[][] {AppendingProcess.row(row)}, 1);
            assertThat(hits.id(0, 0) == row).isEqualTo(!deleted);
        }
    }

    /** Returns how many saves the process had acknowledged, counting those before it. */
    private int runAndKill(Path directory, long nanosAfterStart) throws IOException, InterruptedException {
        Path acknowledged = folder.resolve("acknowledged");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        AppendingProcess.class.getName(),
                        directory.toString())
                .redirectOutput(acknowledged.toFile())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        // Mostly when it is in full swing, now and then while it starts.
        int lines = nanosAfterStart % 4 == 0 ? 1 : 3;
        while (process.isAlive() && Files.readAllLines(acknowledged).size() < lines) {
            TimeUnit.MILLISECONDS.sleep(1);
        }
        TimeUnit.NANOSECONDS.sleep(nanosAfterStart);
        assertThat(process.isAlive()).as("it works until it is killed").isTrue();
        process.destroyForcibly().waitFor();
        return lastNumber(acknowledged);
    }

    /** The last whole line; -1 if there is none. */
    private static int lastNumber(Path file) throws IOException {
        String text = Files.readString(file);
        String lines = text.substring(0, text.lastIndexOf('\n') + 1).stripTrailing();
        return lines.isEmpty() ? -1 : Integer.parseInt(lines.substring(lines.lastIndexOf('\n') + 1));
    }
}
