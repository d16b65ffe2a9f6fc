// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import static io.embed4j.cuda.driver.CudaException.check;

import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A kernel, ready to be launched. */
public final class Kernel {
    private final CudaContext context;
    private final String name;
    private final CUfunction function;

    Kernel(CudaContext context, String name, CUfunction function) {
        this.context = context;
        this.name = name;
        this.function = function;
    }

    /** Its name in the image. */
    public String name() {
        return name;
    }

    /**
     * Permits more dynamic shared memory than the 48 KiB that every kernel may have.
     *
     * @param bytes how much, within what the device has
     */
    public void allowSharedBytes(int bytes) {
        check(
                JCudaDriver.cuFuncSetAttribute(
                        function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes),
                "cuFuncSetAttribute of " + bytes + " bytes of shared memory for " + name + " on " + context);
    }

    /**
     * Launches with a one- or two-dimensional grid of blocks.
     *
     * @param stream where the launch is queued
     * @param grid blocks and threads
     * @param arguments the parameters; may be filled anew as soon as this returns
     */
    public void launch(CudaStream stream, Grid grid, KernelArguments arguments) {
        int result = JCudaDriver.cuLaunchKernel(
                function,
                grid.blocksX(),
                grid.blocksY(),
                1,
                grid.threadsX(),
                grid.threadsY(),
                1,
                grid.sharedBytes(),
                stream.handle(),
                arguments.table(),
                null);
        check(result, "The launch of " + name + " with " + grid + " on " + context);
    }

    /**
     * How many blocks of how many threads.
     *
     * @param blocksX blocks in x
     * @param blocksY blocks in y
     * @param threadsX threads of a block in x
     * @param threadsY threads of a block in y
     * @param sharedBytes dynamic shared memory of a block
     */
    public record Grid(int blocksX, int blocksY, int threadsX, int threadsY, int sharedBytes) {
        /**
         * Blocks in one dimension.
         *
         * @param blocks how many
         * @param threads threads of each
         */
        public static Grid of(int blocks, int threads) {
            return new Grid(blocks, 1, threads, 1, 0);
        }
    }
}
