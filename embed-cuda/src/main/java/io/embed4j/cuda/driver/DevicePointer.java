// SPDX-License-Identifier: Apache-2.0
package io.embed4j.cuda.driver;

import jcuda.driver.CUdeviceptr;
import org.jspecify.annotations.Nullable;

/** An address in device memory. Whoever allocated it frees it; a pointer owns nothing. */
public final class DevicePointer extends CUdeviceptr {

    /** Filled in by the driver. */
    DevicePointer() {}

    private DevicePointer(DevicePointer base, long byteOffset) {
        super(base, byteOffset);
    }

    /**
     * The place {@code bytes} behind this one.
     *
     * @param bytes distance
     */
    public DevicePointer plus(long bytes) {
        return new DevicePointer(this, bytes);
    }

    /** The address as kernels see it. */
    public long address() {
        return getNativePointer() + getByteOffset();
    }

    /** JCuda compares where the allocation begins; two pointers into it are not the same. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof DevicePointer pointer && pointer.address() == address();
    }

    @Override
    public int hashCode() {
        return Long.hashCode(address());
    }
}
