// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.check;

import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Leaves out what is not wanted in a check: invocations that are given a fixture named by {@link #PROPERTY}. Found as a
 * service, which only the check asks JUnit to do.
 */
public final class LeavesOut implements ExecutionCondition {
    /** Names a fixture that is left out. */
    static final String PROPERTY = "embed4j.check.without";

    static final String REASON = "left out:";

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        String fixture = System.getProperty(PROPERTY, "");
        return fixture.isEmpty() || !context.getDisplayName().contains(fixture)
                ? ConditionEvaluationResult.enabled("wanted")
                : ConditionEvaluationResult.disabled(REASON + " " + fixture + " is not wanted in this check");
    }
}
