// SPDX-License-Identifier: Apache-2.0
//
// out[r] = in[index[r]], whole rows of `stride` elements.
//
// Idea: copies the rows that go on (the pooled tokens of the last layer), one warp a row, 16 bytes a lane.
//
// Launch: grid.x = ceil(rows / 4), block 128.
#include "device/warp.cuh"

template <typename S>
__device__ __forceinline__ void gather_rows(S* out, const int* count, const S* in, const int* index, int stride) {
    const int row = warp_row();
    if (row >= *count) {
        return;
    }
    // out [rows, stride], in [T, stride]; 8 elements are 16 bytes or, in fp32, 32
    constexpr int ELEMENTS = sizeof(uint4) / sizeof(S);
    uint4* to = reinterpret_cast<uint4*>(row_start(out, row, stride));
    const uint4* from = reinterpret_cast<const uint4*>(row_start(in, index[row], stride));
    for (int i = lane_index(); i < stride / ELEMENTS; i += WARP) {
        to[i] = from[i];
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                      \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK)                                         \
        gather_rows_##SUFFIX(S* out, const int* count, const S* in, const int* index, int stride) { \
        gather_rows<S>(out, count, in, index, stride);                                              \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
