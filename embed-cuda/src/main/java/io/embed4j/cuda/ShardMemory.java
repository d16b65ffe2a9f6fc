// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda;

import io.embed4j.FitReport;
import io.embed4j.OutOfDeviceMemoryException;
import io.embed4j.Precision;
import io.embed4j.cuda.driver.CudaContext;
import io.embed4j.cuda.driver.CudaException;
import io.embed4j.cuda.driver.KernelModule;
import io.embed4j.spec.DType;
import io.embed4j.spi.IndexSpec;
import io.embed4j.spi.MemoryLedger;
import io.embed4j.spi.MemoryPlan;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The workspace of a shard, which grows with it, and the account it is entered in. For one thread at a time, but for
 * {@link #layout}.
 */
final class ShardMemory implements AutoCloseable {
    private final String device;
    private final CudaContext context;
    private final KernelModule module;
    private final MemoryLedger ledger;
    private final IndexSpec spec;
    private final int computeCapability;
    private @Nullable ShardWorkspace workspace;
    private volatile ShardLayout layout;

    /**
     * Makes the workspace of an empty shard.
     *
     * @param device its id, for reports
     * @throws OutOfDeviceMemoryException if it does not fit
     */
    ShardMemory(String device, CudaContext context, KernelModule module, MemoryLedger ledger, IndexSpec spec) {
        this.device = device;
        this.context = context;
        this.module = module;
        this.ledger = ledger;
        this.spec = spec;
        this.computeCapability = context.computeCapability();
        this.layout = new ShardLayout(spec, 0, computeCapability);
        this.workspace = make(layout);
    }

    private ShardWorkspace make(ShardLayout layout) {
        MemoryPlan plan = layout.workspacePlan();
        if (plan.totalBytes() > ledger.freeBytes()) {
            throw new OutOfDeviceMemoryException(report(plan));
        }
        MemoryLedger.Reservation reservation = ledger.reserve("index", plan);
        try {
            return new ShardWorkspace(context, module, layout, reservation);
        } catch (CudaException e) {
            if (e.isOutOfMemory()) {
                throw new OutOfDeviceMemoryException(report(plan), e);
            }
            throw e;
        }
    }

    private FitReport report(MemoryPlan plan) {
        return new FitReport(
                "An index of " + spec.dimension() + " numbers a row",
                device,
                precision(spec.storage()),
                false,
                0,
                new FitReport.Needs(plan.weightBytes(), plan.activationBytes(), plan.workspaceBytes(), 0, 0, 0),
                ledger.freeBytes(),
                ledger.totalBytes(),
                FitReport.Verdict.DOES_NOT_FIT,
                new FitReport.Room(0, 0, Map.of()),
                null,
                "Close other models and indexes on the device, or use the device cpu.");
    }

    private static Precision precision(DType storage) {
        return switch (storage) {
            case FP16 -> Precision.FP16;
            case BF16 -> Precision.BF16;
            default -> Precision.FP32;
        };
    }

    MemoryLedger ledger() {
        return ledger;
    }

    /** What the workspace is, or was a moment ago: for who does not use the device. */
    ShardLayout layout() {
        return layout;
    }

    /**
     * What to work with.
     *
     * @throws OutOfDeviceMemoryException if it was lost to another process while it was to grow
     */
    ShardWorkspace workspace() {
        if (workspace == null) {
            throw new OutOfDeviceMemoryException(report(layout.workspacePlan()));
        }
        return workspace;
    }

    /** Waits for all that is queued, whatever comes of it. */
    void settle() {
        if (workspace != null) {
            workspace.settle();
        }
    }

    /**
     * Makes the workspace large enough for a corpus, if there is memory for that: a smaller one only takes longer.
     *
     * @param rows N to be
     * @param corpusBytes what the pieces of the corpus take now
     * @return whether there is a new one
     */
    boolean fit(int rows, long corpusBytes) {
        ShardLayout current = workspace().layout();
        ShardLayout wanted = new ShardLayout(spec, rows, computeCapability);
        if (wanted.tier() <= current.tier()) {
            return false;
        }
        long free = ledger.freeBytes() + current.workspaceBytes();
        boolean affordable =
                wanted.plan(rows).totalBytes() - corpusBytes <= free || wanted.workspaceBytes() <= free / 2;
        if (!affordable) {
            return false;
        }
        close();
        try {
            workspace = make(wanted);
        } catch (OutOfDeviceMemoryException e) {
            // What was free a moment ago is not any more.
            workspace = make(current);
        }
        layout = workspace.layout();
        return true;
    }

    @Override
    public void close() {
        if (workspace != null) {
            workspace.close();
            workspace = null;
        }
    }
}
