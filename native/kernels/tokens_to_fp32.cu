// SPDX-License-Identifier: Apache-2.0
//
// Token vectors as they are handed out: out [T, width] dense fp32 from in [T, stride].
//
// Idea: a dense row may start anywhere, so lanes write single floats side by side.
//
// Launch: grid.x = ceil(tokens / 4), block 128.
#include "device/warp.cuh"

template <typename S>
__device__ __forceinline__ void tokens_to_fp32(float* out, const int* count, const S* in, int width, int stride) {
    const int token = warp_row();
    if (token >= *count) {
        return;
    }
    float* outRow = row_start(out, token, width);
    const S* inRow = row_start(in, token, stride);
    for (int column = lane_index(); column < width; column += WARP) {
        outRow[column] = to_float(inRow[column]);
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                      \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK)                                         \
        tokens_to_fp32_##SUFFIX(float* out, const int* count, const S* in, int width, int stride) { \
        tokens_to_fp32<S>(out, count, in, width, stride);                                           \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
