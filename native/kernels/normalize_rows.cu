// SPDX-License-Identifier: Apache-2.0
//
// Final vectors: out [B, dimension] dense from in [B, inStride], divided by their Euclidean norm or copied.
// Formula of torch's normalize: x / max(|x|, 1e-12).
//
// Idea: one warp a row, two passes over a row that stays in L1. `out` must not overlap `in`.
//
// Launch: grid.x = ceil(rows / 4), block 128.
#include "device/warp.cuh"

extern "C" __global__ void __launch_bounds__(ROW_BLOCK)
    normalize_rows(float* out, const int* count, const float* in, int inStride, int dimension, int normalize) {
    const int row = warp_row();
    if (row >= *count) {
        return;
    }
    const float* inRow = row_start(in, row, inStride);
    float* outRow = row_start(out, row, dimension);
    float divisor = 1.0f;
    if (normalize != 0) {
        float squares = 0.0f;
        for (int column = lane_index(); column < dimension; column += WARP) {
            squares += inRow[column] * inRow[column];
        }
        divisor = fmaxf(sqrtf(warp_sum(squares)), 1e-12f);
    }
    for (int column = lane_index(); column < dimension; column += WARP) {
        outRow[column] = inRow[column] / divisor;
    }
}
