// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.JCudaDriver;

/** Recorded work, launched as one: a microsecond or two instead of several for every kernel in it. */
public final class CudaGraph implements AutoCloseable {
    private final CudaContext context;
    private final CUgraphExec graph = new CUgraphExec();
    private final AtomicBoolean open = new AtomicBoolean(true);

    CudaGraph(CudaContext context, CUgraph recorded) {
        this.context = context;
        check(JCudaDriver.cuGraphInstantiate(graph, recorded, 0L), "cuGraphInstantiate on " + context);
    }

    /**
     * Puts the recorded work into a stream.
     *
     * @param stream any stream of the device
     */
    public void launch(CudaStream stream) {
        check(JCudaDriver.cuGraphLaunch(graph, stream.handle()), "cuGraphLaunch on " + context);
    }

    /** Frees the graph; its launches must have ended. */
    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuGraphExecDestroy(graph), "cuGraphExecDestroy on " + context);
        }
    }
}
