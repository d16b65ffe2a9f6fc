// SPDX-License-Identifier: Apache-2.0
package io.embed4j;

import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Whether embed4j can work here, check by check: Java, the cache directory, the native tokenizer, the embedded default
 * model, every device, and a computation with known results in every precision of every usable device. The same as
 * {@code embed doctor} prints.
 *
 * <pre>{@code
 * InstallationReport report = InstallationReport.check("auto");
 * for (InstallationReport.Check check : report.checks()) {
 *     System.out.println(check.status() + " " + check.name() + ": " + check.detail() + " " + check.remedy());
 * }
 * if (!report.passed()) throw new AssertionError(report);
 * }</pre>
 *
 * @param checks in the order in which they build on each other
 * @since 0.1
 */
public record InstallationReport(List<Check> checks) implements Serializable {
    private static final long serialVersionUID = 1L;

    /**
     * What came of a check.
     *
     * <pre>{@code
     * if (InstallationReport.Status.valueOf("NOTICE") == InstallationReport.Status.FAILED) throw new AssertionError();
     * }</pre>
     */
    public enum Status {
        /** All is well. */
        OK,
        /** Something is not there that was not asked for, such as a GPU. */
        NOTICE,
        /** Something is wrong; {@link Check#remedy()} says what to do. */
        FAILED
    }

    /**
     * One check.
     *
     * <pre>{@code
     * boolean anyGpu = InstallationReport.check("auto").checks().stream()
     *         .anyMatch(check -> check.name().startsWith("device cuda") && check.status() == InstallationReport.Status.OK);
     * }</pre>
     *
     * @param name what was checked
     * @param status what came of it
     * @param detail what was found
     * @param remedy what to do about it; empty if nothing needs to be done
     * @param topic where the documentation says more; null if it does not
     */
    public record Check(
            String name,
            Status status,
            String detail,
            String remedy,
            @Nullable HelpTopic topic) implements Serializable {
        private static final long serialVersionUID = 1L;

        /**
         * Returns where the documentation says more.
         *
         * @return the topic; empty if there is none
         */
        public Optional<HelpTopic> help() {
            return Optional.ofNullable(topic);
        }
    }

    /** Copies the list. */
    public InstallationReport {
        checks = List.copyOf(checks);
    }

    /**
     * Checks the installation; takes some seconds. Never fails because something is broken.
     *
     * @param device a device that must be usable: {@code cpu}, {@code cuda:0}; or {@code auto}, any
     * @return the report
     */
    public static InstallationReport check(String device) {
        return EmbedderFactory.find().checkInstallation(device);
    }

    /**
     * Tells whether no check failed.
     *
     * @return true if embed4j can work here
     */
    public boolean passed() {
        return count(Status.FAILED) == 0;
    }

    /**
     * Counts checks.
     *
     * @param status what came of them
     * @return how many
     */
    public int count(Status status) {
        return (int) checks.stream().filter(check -> check.status() == status).count();
    }
}
