// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.cuda.natives.CudaProbe;
import io.embed4j.spi.DeviceProbe;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.List;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Tests that need cuda:0, emulated or real. Without it they are skipped and say why; with EMBED_REQUIRE=cuda in the
 * environment that is a failure.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RequiresDevice.Condition.class)
@interface RequiresDevice {

    /** Looks for the device. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            List<DeviceProbe> devices = CudaProbe.devices();
            if (devices.get(0).device().isPresent()) {
                return ConditionEvaluationResult.enabled(
                        "on " + devices.get(0).device().get().name());
            }
            String reason = devices.get(0).id() + ": " + devices.get(0).problem() + " "
                    + devices.get(0).remedy();
            if ("cuda".equals(System.getenv("EMBED_REQUIRE"))) {
                throw new IllegalStateException("EMBED_REQUIRE=cuda, but " + reason);
            }
            return ConditionEvaluationResult.disabled(reason);
        }
    }
}
