// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** A mark in a stream that others can wait for. */
public final class CudaEvent implements AutoCloseable {
    private final CudaContext context;
    private final CUevent event = new CUevent();
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Makes an event without time stamp; waiting for it spins.
     *
     * @param context the device's context, current on this thread
     */
    public CudaEvent(CudaContext context) {
        this.context = context;
        check(JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING), "cuEventCreate on " + context);
    }

    CUevent handle() {
        return event;
    }

    /**
     * Marks the end of what is in the stream now.
     *
     * @param stream the stream
     */
    public void record(CudaStream stream) {
        check(JCudaDriver.cuEventRecord(event, stream.handle()), "cuEventRecord on " + context);
    }

    /** Blocks until what was marked is done. */
    public void synchronize() {
        check(JCudaDriver.cuEventSynchronize(event), "cuEventSynchronize on " + context);
    }

    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy on " + context);
        }
    }
}
