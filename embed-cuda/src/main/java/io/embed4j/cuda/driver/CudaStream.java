// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.driver.CUgraph;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A queue of work on a device. Work in it runs in order; work in different streams may overlap. */
public final class CudaStream implements AutoCloseable {
    private final CudaContext context;
    private final CUstream stream = new CUstream();
    private final AtomicBoolean open = new AtomicBoolean(true);

    /**
     * Opens a stream that does not wait for the default stream.
     *
     * @param context the device's context, current on this thread
     */
    public CudaStream(CudaContext context) {
        this.context = context;
        check(
                JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
                "cuStreamCreate on " + context);
    }

    CUstream handle() {
        return stream;
    }

    /**
     * Copies from pinned memory to the device, asynchronously.
     *
     * @param target device memory
     * @param source pinned memory
     * @param sourceOffset first byte of the source
     * @param bytes how many
     */
    public void upload(DevicePointer target, PinnedMemory source, long sourceOffset, long bytes) {
        check(
                JCudaDriver.cuMemcpyHtoDAsync(target, source.at(sourceOffset), bytes, stream),
                "cuMemcpyHtoDAsync of " + bytes + " bytes to " + context);
    }

    /**
     * Copies from the device to pinned memory, asynchronously.
     *
     * @param target pinned memory
     * @param targetOffset first byte of the target
     * @param source device memory
     * @param bytes how many
     */
    public void download(PinnedMemory target, long targetOffset, DevicePointer source, long bytes) {
        check(
                JCudaDriver.cuMemcpyDtoHAsync(target.at(targetOffset), source, bytes, stream),
                "cuMemcpyDtoHAsync of " + bytes + " bytes from " + context);
    }

    /**
     * Copies within the device, asynchronously.
     *
     * @param target device memory
     * @param source device memory
     * @param bytes how many
     */
    public void copy(DevicePointer target, DevicePointer source, long bytes) {
        check(
                JCudaDriver.cuMemcpyDtoDAsync(target, source, bytes, stream),
                "cuMemcpyDtoDAsync of " + bytes + " bytes on " + context);
    }

    /**
     * Sets bytes to zero, asynchronously.
     *
     * @param target device memory
     * @param bytes how many
     */
    public void clear(DevicePointer target, long bytes) {
        check(
                JCudaDriver.cuMemsetD8Async(target, (byte) 0, bytes, stream),
                "cuMemsetD8Async of " + bytes + " bytes on " + context);
    }

    /**
     * Lets what comes next in this stream wait for an event.
     *
     * @param event recorded in any stream of the device
     */
    public void waitFor(CudaEvent event) {
        check(JCudaDriver.cuStreamWaitEvent(stream, event.handle(), 0), "cuStreamWaitEvent on " + context);
    }

    /** Blocks until all work in the stream is done. */
    public void synchronize() {
        check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize on " + context);
    }

    /**
     * Records what the work puts into this stream instead of running it.
     *
     * @param work kernels and matrix products into this stream; no copies to or from the host, no allocation
     * @return to be launched any number of times
     * @throws CudaException if the device has no room for the graph, or the work fails
     */
    public CudaGraph capture(Runnable work) {
        // Only this thread's calls are recorded: other threads may load models meanwhile.
        check(
                JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                "cuStreamBeginCapture on " + context);
        CUgraph graph = new CUgraph();
        boolean ended = false;
        try {
            work.run();
            ended = true;
            check(JCudaDriver.cuStreamEndCapture(stream, graph), "cuStreamEndCapture on " + context);
        } finally {
            if (!ended && JCudaDriver.cuStreamEndCapture(stream, graph) == 0) {
                JCudaDriver.cuGraphDestroy(graph);
            }
        }
        try {
            return new CudaGraph(context, graph);
        } finally {
            JCudaDriver.cuGraphDestroy(graph);
        }
    }

    /** Closes the stream; work in it must have ended. */
    @Override
    public void close() {
        if (open.compareAndSet(true, false)) {
            context.makeCurrent();
            check(JCudaDriver.cuStreamDestroy(stream), "cuStreamDestroy on " + context);
        }
    }
}
