// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.core.math.RotaryAngles;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaEvent;
import io.embed4j.cuda.driver.CudaStream;
import io.embed4j.cuda.driver.DeviceMemory;
import io.embed4j.cuda.driver.DevicePointer;
import io.embed4j.cuda.driver.Gemm;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.cuda.driver.PinnedMemory;
import io.embed4j.spec.EncoderSpec;

/**
 * All of an encoder that goes with its token budget: activations and cuBLAS's workspace on the device, the slots of batches
 * under way, recorded launches, and the program, which knows the places of all these.
 */
final class WorkingMemory implements AutoCloseable {
    private final ActivationLayout activations;
    private final DevicePointer base;
    private final EncoderProgram program;
    private final TextHead head;
    private final LaunchGraphs graphs;
    private final Slot[] slots = new Slot[ActivationLayout.SLOTS];
    private final Resources resources = new Resources();

    /** What a batch under way has for itself. */
    record Slot(
            PinnedMemory inputs, PinnedMemory outputs, CudaEvent uploaded, CudaEvent computed, CudaEvent downloaded) {}

    /**
     * Allocates.
     *
     * @param arena how much
     * @param weights where the weights lie
     * @param compute where work is queued
     * @throws io.embed4j.cuda.driver.CudaException if there is not enough memory; nothing is left behind
     */
    WorkingMemory(
            CudaContext context,
            KernelModule module,
            int computeCapability,
            EncoderSpec spec,
            EncoderArena arena,
            DevicePointer weights,
            CudaStream compute,
            Kernels kernels) {
        this.activations = arena.activations();
        try {
            base = resources
                    .add(new DeviceMemory(context, arena.workingAllocation()))
                    .pointer();
            Gemm gemm = resources.add(new Gemm(context, compute, base.plus(arena.cublasOffset()), arena.cublasBytes()));
            for (int i = 0; i < slots.length; i++) {
                slots[i] = new Slot(
                        resources.add(new PinnedMemory(
                                context, BatchInputs.bytes(activations.maxTokens(), RotaryAngles.byBatch(spec)))),
                        resources.add(new PinnedMemory(context, activations.outputFloats() * Float.BYTES)),
                        resources.add(new CudaEvent(context)),
                        resources.add(new CudaEvent(context)),
                        resources.add(new CudaEvent(context)));
            }
            program = new EncoderProgram(spec, arena, weights, base, computeCapability, kernels, gemm);
            for (AttentionKernel kernel : program.attentionKernels()) {
                module.kernel(kernel.name()).allowSharedBytes(kernel.sharedBytes());
            }
            head = new TextHead(spec, arena, weights, base, kernels, gemm);
            graphs = resources.add(new LaunchGraphs(compute, activations.maxTokens()));
        } catch (RuntimeException | Error e) {
            resources.close();
            throw e;
        }
    }

    ActivationLayout activations() {
        return activations;
    }

    /** Where activations begin. */
    DevicePointer base() {
        return base;
    }

    /** Where a slot's inputs go on the device. */
    DevicePointer inputs(int slot) {
        return base.plus(activations.inputs(slot));
    }

    /** Where a slot's vectors come to lie on the device. */
    DevicePointer outputs(int slot) {
        return base.plus(activations.outputs(slot));
    }

    Slot slot(int number) {
        return slots[number];
    }

    EncoderProgram program() {
        return program;
    }

    TextHead head() {
        return head;
    }

    LaunchGraphs graphs() {
        return graphs;
    }

    /** To be called when nothing runs any more. */
    @Override
    public void close() {
        resources.close();
    }
}
