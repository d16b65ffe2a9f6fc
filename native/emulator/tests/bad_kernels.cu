// SPDX-License-Identifier: Apache-2.0
//
// Kernels with one mistake each. The emulated device must find and name it.

#include <cuda_fp16.h>

/** Writes n beyond its own element. */
extern "C" __global__ void out_of_bounds(float* x, long long n) {
    x[threadIdx.x + n] = 1.0f;
}

extern "C" __global__ void read_out_of_bounds(float* x, float* out, long long n) {
    out[threadIdx.x] = x[threadIdx.x + n];
}

extern "C" __global__ void null_pointer(float* x) {
    x[threadIdx.x] = 1.0f;
}

/** Half of the threads wait at a barrier, the other half in a shuffle. */
extern "C" __global__ void divergent(float* x) {
    if (threadIdx.x < 16) {
        __syncthreads();
    } else {
        x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
    }
}

/** A shuffle under a condition, with the full mask. */
extern "C" __global__ void divergent_shuffle(float* x) {
    if (threadIdx.x < 8) {
        x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);
    }
    __syncwarp();
    x[threadIdx.x] += 1.0f;
}

extern "C" __global__ void reads_absent_lane(int* x) {
    if (threadIdx.x < 16) {
        x[threadIdx.x] = __shfl_sync(0xffffu, int(threadIdx.x), 20);
    }
}

extern "C" __global__ void missing_barrier(float* x) {
    __shared__ float kept[256];
    kept[threadIdx.x] = x[threadIdx.x];
    // __syncthreads() is missing
    x[threadIdx.x] = kept[255 - threadIdx.x];
}

/** Right in lane order and in most others: the value comes from the lane's neighbour in the same warp. */
extern "C" __global__ void missing_warp_barrier(float* x) {
    __shared__ float kept[64];
    kept[threadIdx.x] = x[threadIdx.x];
    x[threadIdx.x] = kept[threadIdx.x & ~1u];
}

/** The second round overwrites what slower threads still read. */
extern "C" __global__ void write_after_read(float* x) {
    __shared__ float kept[64];
    for (int round = 0; round < 2; round++) {
        kept[threadIdx.x] = x[threadIdx.x] + round;
        __syncthreads();
        x[threadIdx.x] = kept[63 - threadIdx.x];
        // __syncthreads() is missing
    }
}

extern "C" __global__ void static_overrun(float* x, int n) {
    __shared__ float kept[32];
    kept[threadIdx.x + n] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = kept[threadIdx.x + n];
}

extern "C" __global__ void dynamic_overrun(float* x) {
    extern __shared__ float kept[];
    kept[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = kept[threadIdx.x];
}

extern "C" __global__ void misaligned(float* x, float* out) {
    *reinterpret_cast<float4*>(out) = *reinterpret_cast<const float4*>(x + 1);
}

extern "C" __global__ void traps(float* x) {
    if (threadIdx.x == 7) {
        __trap();
    }
    x[threadIdx.x] = 1.0f;
}

extern "C" __global__ void divides(int* x, int by) {
    x[threadIdx.x] = x[threadIdx.x] / by;
}

extern "C" __global__ void deep(float* x, int depth) {
    volatile char local[200 * 1024];
    for (int i = 0; i < depth; i += 512) {
        local[i] = char(i);
    }
    x[threadIdx.x] = local[0];
}

extern "C" __global__ void correct(float* x) {
    x[threadIdx.x] += 1.0f;
}

/** cp.async without a wait. */
#include "../../kernels/device/tensor_core.cuh"
extern "C" __global__ void forgotten_wait(const float* x, float* out) {
    __shared__ __align__(16) float kept[128];
    cp_async_16(&kept[threadIdx.x * 4], x + threadIdx.x * 4);
    cp_async_commit();
    __syncwarp();
    out[threadIdx.x] = kept[threadIdx.x];
}
