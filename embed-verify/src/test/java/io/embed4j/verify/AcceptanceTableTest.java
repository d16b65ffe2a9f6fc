// SPDX-License-Identifier: Apache-2.0
package io.embed4j.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The acceptance table names tests and commands that exist. Whether they ran can only be told after all tests:
 * {@code .ci/run} asks the same program with {@code --ran}.
 */
class AcceptanceTableTest {

    /** What the program said, and whether it was content. */
    private record Answer(int exitCode, String text) {}

    @Test
    void everyRowNamesTestsAndCommandsThatExist() throws Exception {
        Answer answer = check(Checkout.root());
        assertThat(answer.exitCode()).as(answer.text()).isZero();
    }

    @Test
    void rowsThatShowNothingAreTold(@TempDir Path repository) throws Exception {
        write(repository, "module/src/test/java/p/GoodTest.java", "");
        write(repository, "embed-testkit/src/main/java/p/Contract.java", "");
        write(repository, "module/src/main/java/p/NoTest.java", "");
        write(repository, "docs/acceptance.md", """
                ## Issue 7: a sample (4 points)
                | Point | What must be true | Shown by | Result | Date |
                |---|---|---|---|---|
                | 1 | good | `GoodTest`, `Contract#method` | passes | 2026-01-31 |
                | 1 | main source | `NoTest` | open | |
                | 2 | no program | `./none --flag` | open | |
                | 2 | neither | `rm -rf` | open | |
                | 2 | nothing | by hand | open | |
                | 3 | no date | `GoodTest` | passes | yesterday |
                | 5 | no such point | `GoodTest` | | |
                """);
        Answer answer = check(repository);
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.text().lines())
                .containsExactlyInAnyOrder(
                        problem("issue 7, point 1: NoTest.java is neither under */src/test/java nor in embed-testkit."),
                        problem("issue 7, point 2: ./none does not exist or cannot be executed."),
                        problem("issue 7, point 2: `rm -rf` is neither Class, Class#method nor a command that begins"
                                + " with ./"),
                        problem("issue 7, point 2: names neither a test nor a command in backticks."),
                        problem("issue 7, point 3: has a result, but \"yesterday\" is no date (YYYY-MM-DD)."),
                        problem("issue 7, point 5: the issue has points 1 to 4."),
                        problem("issue 7, point 5: has no result; write \"open\" until there is one."),
                        problem("issue 7 has no row for point 4."),
                        "Acceptance: 7 rows name 3 tests; 8 problems.");
    }

    @Test
    void testsThatDidNotRunOrDidNotPassAreTold(@TempDir Path repository) throws Exception {
        for (String name : List.of("GoodTest", "SkippedTest", "FailedTest", "ForgottenTest")) {
            write(repository, "module/src/test/java/p/" + name + ".java", "");
        }
        write(repository, "module/target/surefire-reports/TEST-p.xml", """
                <testsuite>
                  <testcase classname="p.GoodTest" name="plain"/>
                  <testcase classname="p.GoodTest$Nested" name="many(int)[1]"/>
                  <testcase classname="p.SkippedTest" name="runs"/>
                  <testcase classname="p.SkippedTest" name="waits"><skipped message="no GPU"/></testcase>
                  <testcase classname="p.FailedTest" name="fails"><failure>no</failure></testcase>
                </testsuite>
                """);
        write(repository, "docs/acceptance.md", """
                ## Issue 7: a sample (1 point)
                | 1 | all good | `GoodTest`, `GoodTest#plain`, `GoodTest#many`, `SkippedTest#runs` | passes | 2026-01-31 |
                | 1 | none good | `GoodTest#other`, `SkippedTest`, `FailedTest`, `ForgottenTest` | open | |
                """);
        assertThat(check(repository).exitCode()).isZero();
        Answer answer = check(repository, "--ran");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.text().lines())
                .containsExactlyInAnyOrder(
                        problem("issue 7, point 1: GoodTest#other did not run."),
                        problem("issue 7, point 1: SkippedTest#waits failed or was skipped."),
                        problem("issue 7, point 1: FailedTest#fails failed or was skipped."),
                        problem("issue 7, point 1: ForgottenTest did not run."),
                        "Acceptance: 2 rows name 8 tests; 4 problems.");
    }

    private static String problem(String text) {
        return "docs/acceptance.md: " + text;
    }

    private static Answer check(Path repository, String... options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add(Checkout.root().resolve(".ci/CheckAcceptance.java").toString());
        command.addAll(List.of(options));
        command.add(repository.toString());
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Answer(process.waitFor(), text);
    }

    private static void write(Path repository, String file, String text) throws IOException {
        Path target = repository.resolve(file);
        Files.createDirectories(target.getParent());
        Files.writeString(target, text);
    }
}
