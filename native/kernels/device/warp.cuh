// SPDX-License-Identifier: Apache-2.0
//
// Reductions over the 32 lanes of a warp. Every lane gets the same bits: the butterfly adds the same pairs on each
// side.
#pragma once

#include "storage.cuh"

constexpr unsigned ALL_LANES = 0xffffffffu;

__device__ __forceinline__ int lane_index() {
    return static_cast<int>(threadIdx.x) % WARP;
}
__device__ __forceinline__ int warp_index() {
    return static_cast<int>(threadIdx.x) / WARP;
}

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        x += __shfl_xor_sync(ALL_LANES, x, offset);
    }
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, offset));
    }
    return x;
}

// Row of this warp in kernels with one warp a row.
__device__ __forceinline__ int warp_row() {
    return static_cast<int>(blockIdx.x) * ROWS_PER_BLOCK + warp_index();
}
