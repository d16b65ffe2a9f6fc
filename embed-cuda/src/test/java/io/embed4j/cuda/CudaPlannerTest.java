// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.embed4j.GpuCard;
import io.embed4j.Precision;
import io.embed4j.UnsupportedModelException;
import io.embed4j.core.fit.FitPlanner;
import io.embed4j.core.model.ModelLoader;
import io.embed4j.core.model.ModelOutline;
import io.embed4j.spec.WeightShape;
import io.embed4j.spi.DevicePlanner;
import io.embed4j.spi.EncoderOptions;
import io.embed4j.spi.MemoryPlan;
import io.embed4j.testkit.Fixture;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Plans for cards that are not here need neither driver nor device. */
class CudaPlannerTest {
    private static final ModelOutline MODEL =
            ModelLoader.outline(Fixture.load("bert-h48-a2").model());

    private static DevicePlanner planner(String computeCapability) {
        GpuCard card = new GpuCard("A card", 12_000_000_000L, null, null, computeCapability, "made up");
        return new CudaBackendProvider().planner(card).orElseThrow();
    }

    private static MemoryPlan plan(DevicePlanner planner, Precision precision) {
        return planner.plan(
                MODEL.spec(),
                MODEL.stored(),
                new EncoderOptions("model", precision, MODEL.maxTokens(), 4096, List.of()));
    }

    @Test
    void theContextGoesOffTheCardsMemory() {
        DevicePlanner planner = planner("8.6");
        assertThat(planner.totalBytes()).isEqualTo(12_000_000_000L);
        assertThat(planner.freeBytes()).isEqualTo(12_000_000_000L - planner.processBytes());
        assertThat(planner.info().details()).containsEntry("computeCapability", "8.6");
    }

    @Test
    void precisionsFollowTheComputeCapability() {
        assertThat(planner("7.5").precisions()).containsExactly(Precision.FP16, Precision.FP32);
        assertThat(planner("8.0").precisions()).containsExactly(Precision.FP16, Precision.BF16, Precision.FP32);
        assertThat(planner("12.0").plannedPrecisions()).containsExactly(Precision.INT8, Precision.INT4);
        assertThatThrownBy(() -> plan(planner("7.5"), Precision.BF16))
                .isInstanceOf(UnsupportedModelException.class)
                .hasMessage("The device A card does not offer the precision bf16. It offers [fp16, fp32].");
    }

    /** From Hopper on cuBLAS is given 32 MiB instead of 4. */
    @Test
    void theWorkspaceFollowsTheComputeCapability() {
        long before = plan(planner("8.9"), Precision.FP16).workspaceBytes();
        long hopper = plan(planner("9.0"), Precision.FP16).workspaceBytes();
        assertThat(hopper - before).isEqualTo(28L << 20);
        assertThat(plan(planner("12.0"), Precision.FP16)).isEqualTo(plan(planner("10.0"), Precision.FP16));
    }

    /** By hand: matrices of layers in rows of 128-number groups, with 2 or 4 bytes for each group. */
    @Test
    void quantizedMatricesAreCountedInGroups() {
        MemoryPlan half = plan(planner("8.6"), Precision.FP16);
        long matrices = 0;
        long groups = 0;
        long largest = 0;
        for (WeightShape shape : MODEL.spec().weightShapes()) {
            if (shape.role().perLayer() && shape.shape().size() == 2) {
                matrices += shape.elements();
                groups += shape.shape().get(0) * ((shape.shape().get(1) + 127) / 128);
                largest = Math.max(largest, shape.elements());
            }
        }
        MemoryPlan eight = plan(planner("8.6"), Precision.INT8);
        MemoryPlan four = plan(planner("8.6"), Precision.INT4);
        assertThat(half.weightBytes() - eight.weightBytes()).isEqualTo(matrices - 2 * groups);
        assertThat(half.weightBytes() - four.weightBytes()).isEqualTo(matrices * 3 / 2 - 4 * groups);
        assertThat(eight.workspaceBytes() - half.workspaceBytes()).isEqualTo(2 * largest);
        assertThat(four.activationBytes()).isEqualTo(half.activationBytes());
        EncoderOptions options = new EncoderOptions("model", Precision.INT8, MODEL.maxTokens(), 4096, List.of());
        assertThat(new FitPlanner(MODEL.spec(), MODEL.stored(), planner("8.6"))
                        .report(options)
                        .planned())
                .isTrue();
    }
}
