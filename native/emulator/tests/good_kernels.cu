// SPDX-License-Identifier: Apache-2.0
//
// Kernels that use the device language as sensible kernels do, for the emulator's own tests.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "../../kernels/device/tensor_core.cuh"

namespace {

__device__ __forceinline__ float warpSum(float value) {
    for (int distance = 16; distance > 0; distance >>= 1) {
        value += __shfl_xor_sync(0xffffffffu, value, distance);
    }
    return value;
}

__device__ float blockSum(float value) {
    __shared__ float parts[32];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = (blockDim.x + 31) >> 5;
    value = warpSum(value);
    if (lane == 0) {
        parts[warp] = value;
    }
    __syncthreads();
    value = warpSum(lane < warps ? parts[lane] : 0.0f);
    __syncthreads(); // parts may be written again
    return value;
}

template <typename T>
__device__ void scaleBody(T* x, float factor, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        x[i] = T(float(x[i]) * factor);
    }
}

} // namespace

// Kernels made by a macro must be found as well.
#define SCALE_KERNEL(suffix, T)                                                                   \
    extern "C" __global__ void __launch_bounds__(256) scale_##suffix(T* x, float factor, int n) { \
        scaleBody<T>(x, factor, n);                                                               \
    }
SCALE_KERNEL(fp32, float)
SCALE_KERNEL(fp16, __half)
SCALE_KERNEL(bf16, __nv_bfloat16)

/** x, out [rows, columns], a block a row */
extern "C" __global__ void __launch_bounds__(256)
    layer_norm(const float* __restrict__ x, float* __restrict__ out, int columns, float epsilon) {
    const float* row = x + size_t(blockIdx.x) * columns;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        sum += row[i];
    }
    const float mean = blockSum(sum) / columns;
    float squares = 0.0f;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        const float d = row[i] - mean;
        squares += d * d;
    }
    const float scale = rsqrtf(blockSum(squares) / columns + epsilon);
    for (int i = threadIdx.x; i < columns; i += blockDim.x) {
        out[size_t(blockIdx.x) * columns + i] = (row[i] - mean) * scale;
    }
}

/** x, out [rows, columns], a warp a row, the row kept in dynamic shared memory */
extern "C" __global__ void softmax(const float* __restrict__ x, float* __restrict__ out, int columns) {
    extern __shared__ __align__(16) float rows[];
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const size_t row = size_t(blockIdx.x) * (blockDim.x >> 5) + warp;
    float* kept = rows + warp * columns;
    float highest = -FLT_MAX;
    for (int i = lane; i < columns; i += 32) {
        kept[i] = x[row * columns + i];
        highest = fmaxf(highest, kept[i]);
    }
    for (int distance = 16; distance > 0; distance >>= 1) {
        highest = fmaxf(highest, __shfl_down_sync(0xffffffffu, highest, distance));
    }
    highest = __shfl_sync(0xffffffffu, highest, 0);
    float sum = 0.0f;
    for (int i = lane; i < columns; i += 32) {
        kept[i] = __expf(kept[i] - highest);
        sum += kept[i];
    }
    sum = warpSum(sum);
    for (int i = lane; i < columns; i += 32) {
        out[row * columns + i] = kept[i] / sum;
    }
}

/** out [M, N] = a [M, K] b [N, K]^T; 16-bit operands staged by cp.async, read by ldmatrix; a warp a tile of 16 x 8. */
template <typename T>
__device__ void mmaBody(const T* a, const T* b, float* out, int n, int k) {
    __shared__ __align__(16) T tileA[2][16 * 16];
    __shared__ __align__(16) T tileB[2][8 * 16];
    const int lane = threadIdx.x, row = blockIdx.y * 16, column = blockIdx.x * 8;
    const auto stage = [&](int step, int buffer) {
        cp_async_16(&tileA[buffer][lane / 2 * 16 + lane % 2 * 8],
                    a + size_t(row + lane / 2) * k + step * 16 + lane % 2 * 8);
        if (lane < 16) {
            cp_async_16(&tileB[buffer][lane / 2 * 16 + lane % 2 * 8],
                        b + size_t(column + lane / 2) * k + step * 16 + lane % 2 * 8);
        }
        cp_async_commit();
    };
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    const int steps = k / 16;
    stage(0, 0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) {
            stage(step + 1, (step + 1) % 2);
            cp_async_wait<1>();
        } else {
            cp_async_wait<0>();
        }
        __syncwarp();
        uint32_t fragmentA[4], fragmentB[2];
        ldmatrix_x4(fragmentA, &tileA[step % 2][lane % 16 * 16 + lane / 16 * 8]);
        ldmatrix_x2(fragmentB, &tileB[step % 2][lane % 8 * 16 + lane / 8 % 2 * 8]);
        mma_m16n8k16<T>(d, fragmentA, fragmentB);
        __syncwarp(); // the buffer is filled again in the next step
    }
    const int g = lane / 4, t = lane % 4;
    out[size_t(row + g) * n + column + 2 * t] = d[0];
    out[size_t(row + g) * n + column + 2 * t + 1] = d[1];
    out[size_t(row + g + 8) * n + column + 2 * t] = d[2];
    out[size_t(row + g + 8) * n + column + 2 * t + 1] = d[3];
}

extern "C" __global__ void mma_fp16(const __half* a, const __half* b, float* out, int n, int k) {
    mmaBody(a, b, out, n, k);
}
extern "C" __global__ void mma_bf16(const __nv_bfloat16* a, const __nv_bfloat16* b, float* out, int n, int k) {
    mmaBody(a, b, out, n, k);
}

/** out [8, 8] = in [8, 8]^T by ldmatrix.trans; in each register the right neighbour in the high half */
extern "C" __global__ void transpose_8x8(const __half* in, __half* out) {
    __shared__ __align__(16) __half tile[64];
    const int lane = threadIdx.x;
    reinterpret_cast<__half2*>(tile)[lane] = reinterpret_cast<const __half2*>(in)[lane];
    __syncwarp();
    uint32_t r[1];
    ldmatrix_x1_trans(r, &tile[lane % 8 * 8]);
    reinterpret_cast<uint32_t*>(out)[lane] = r[0];
}

/** counts[0] = sum of x by atomics in shared memory, counts[1] = positive ones by votes, counts[2] = by barrier count
 */
extern "C" __global__ void count_ways(const int* x, unsigned* counts, int n) {
    __shared__ unsigned total;
    if (threadIdx.x == 0) {
        total = 0;
    }
    __syncthreads();
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int value = i < n ? x[i] : 0;
    atomicAdd(&total, unsigned(value));
    const unsigned votes = __ballot_sync(0xffffffffu, value > 0);
    if ((threadIdx.x & 31) == 0) {
        atomicAdd(&counts[1], unsigned(__popc(votes)));
    }
    const int byBarrier = __syncthreads_count(value > 0);
    if (threadIdx.x == 0) {
        atomicAdd(&counts[0], total);
        atomicAdd(&counts[2], unsigned(byBarrier));
    }
}

/** Threads leave early, the others go on to a barrier and to a shuffle among themselves. */
extern "C" __global__ void early_exit(float* x) {
    if (threadIdx.x >= 40) {
        return;
    }
    __syncthreads();
    const unsigned mask = threadIdx.x < 32 ? 0xffffffffu : 0xffu;
    x[threadIdx.x] = __shfl_sync(mask, float(threadIdx.x), 3, 8);
}

/** Two halves of a warp shuffle on their own. */
extern "C" __global__ void half_warps(int* out) {
    const int lane = threadIdx.x;
    if (lane < 16) {
        out[lane] = __shfl_xor_sync(0x0000ffffu, lane, 1);
    } else {
        out[lane] = __shfl_up_sync(0xffff0000u, lane, 2, 16);
    }
}

/** 16-byte vectors and packed halves: out = a * 2 + b */
extern "C" __global__ void vector_ops(const uint4* a, const uint4* b, uint4* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) {
        return;
    }
    uint4 x = __ldg(&a[i]), y = __ldg(&b[i]);
    uint4 z;
    for (int j = 0; j < 4; j++) {
        const __half2 p = reinterpret_cast<const __half2*>(&x)[j], q = reinterpret_cast<const __half2*>(&y)[j];
        reinterpret_cast<__half2*>(&z)[j] = __hfma2(p, __float2half2_rn(2.0f), q);
    }
    out[i] = z;
}

extern "C" __global__ void where_am_i(int* out, int3 unused, int nothing) {
    (void)unused;
    (void)nothing;
    const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}
