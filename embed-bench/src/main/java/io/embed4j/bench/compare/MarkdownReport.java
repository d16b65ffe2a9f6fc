// SPDX-License-Identifier: Apache-2.0
package io.embed4j.bench.compare;

import java.util.Locale;

/** A report for people: where and how, who, and a table for each workload. */
final class MarkdownReport {
    private final StringBuilder text = new StringBuilder();

    private MarkdownReport() {}

    /** Writes a report. */
    static String of(Report report) {
        MarkdownReport markdown = new MarkdownReport();
        markdown.head(report);
        markdown.contenders(report);
        for (Report.Timings timings : report.workloads()) {
            markdown.workload(timings, report);
        }
        return markdown.text.toString();
    }

    private void head(Report report) {
        Machine machine = report.machine();
        CompareOptions options = report.options();
        line("# all-MiniLM-L6-v2 on the CPU, side by side");
        line("");
        if (!options.measures()) {
            line("**A smoke run: %d round(s) are no measurement.**", options.rounds());
            line("");
        }
        line("- %s, commit %s", report.date(), report.commit());
        line("- `%s`", report.command());
        line(
                "- %s, %d cores (%s), %.1f GiB, %s, load average %.1f before the start",
                machine.cpu(),
                machine.cores(),
                String.join(" ", machine.vectorInstructions()),
                machine.memoryBytes() / (double) (1 << 30),
                machine.system(),
                machine.loadAverage());
        line("- %s", machine.jdk());
        line(
                "- %d rounds after %d warm-up round(s), %d texts each; %d of %d where every text is a call of its own. In a round"
                        + " every rival embeds the same texts, one rival after the other",
                options.rounds(),
                options.warmUpRounds(),
                options.texts(),
                options.rounds() * Workload.SINGLE.rounds(),
                Workload.SINGLE.texts(options.texts()));
        line("");
    }

    private void contenders(Report report) {
        line(
                "Start-up is from the start of the process to the first vector, median of %d; peak memory is the most that was"
                        + " resident in the whole run. Errors are to the float64 reference, over the fixture's texts of at most 128"
                        + " tokens: Euclidean distance of unit vectors.",
                report.options().starts());
        line("");
        line("| | engine | start-up ms | peak MiB | max error | median error | min cosine | texts embedded |");
        line("|---|---|---:|---:|---:|---:|---:|---:|");
        for (Report.Contender contender : report.contenders()) {
            Accuracy accuracy = contender.accuracy();
            double[] starts = contender.startMillis().stream()
                    .mapToDouble(Long::doubleValue)
                    .toArray();
            line(
                    "| %s | %s | %.0f | %s | %.1e | %.1e | %.6f | %d of %d |",
                    contender.name(),
                    contender.engine(),
                    Spread.of(starts).median(),
                    contender.peakResidentBytes() == 0 ? "unknown" : contender.peakResidentBytes() >> 20,
                    accuracy.maxError(),
                    accuracy.medianError(),
                    accuracy.minCosine(),
                    accuracy.texts(),
                    accuracy.texts() + accuracy.refusedTexts());
        }
        line("");
        for (Report.Contender contender : report.contenders()) {
            Accuracy accuracy = contender.accuracy();
            if (accuracy.refusedTexts() > 0) {
                line("- %s refuses %d: \"%s\"", contender.name(), accuracy.refusedTexts(), accuracy.refusal());
            }
        }
        for (Report.Skipped skipped : report.skipped()) {
            line("- left out: %s, because %s", skipped.name(), skipped.reason());
        }
        line("");
    }

    private void workload(Report.Timings timings, Report report) {
        line("## %s", timings.workload());
        line("");
        line("| | texts/s, median | times %s: median | min | max | |", Roster.BASELINE);
        line("|---|---:|---:|---:|---:|---|");
        for (Report.Contender contender : report.contenders()) {
            String name = contender.name();
            Spread ratio = timings.ratioToBaseline(name);
            line(
                    "| %s | %.1f | %.2f | %.2f | %.2f | %s |",
                    name,
                    timings.textsPerSecond(name).median(),
                    ratio.median(),
                    ratio.min(),
                    ratio.max(),
                    Goal.text(name, timings.workload())
                            + (report.options().measures()
                                    ? Goal.verdict(name, timings.workload(), ratio.median())
                                    : ""));
        }
        line("");
    }

    private void line(String format, Object... values) {
        text.append(values.length == 0 ? format : String.format(Locale.ROOT, format, values))
                .append('\n');
    }
}
