// SPDX-License-Identifier: Apache-2.0
//
// Residual connection and norm: s = x + xBias + residual; sum = s; normed = norm(s)
//
// Idea: everything between two GEMMs in one pass, one warp a token: 2 reads and 1 write (post-norm) or 2 (pre-norm,
// which goes on with s). The norm sees s before it is rounded to the storage type.
//
// `sum` may alias `residual` and `normed` may alias `x`: a warp reads a chunk for the last time before it writes it,
// and no other warp touches the row. So these pointers carry no __restrict__.
//
// Launch: grid.x = ceil(rows / 4), block 128.
#include "device/row_norm.cuh"

template <typename S>
__device__ __forceinline__ void residual_norm(S* sum, S* normed, const int* count, const S* x, const float* xBias,
                                              const S* residual, NormParameters norm, int width, int stride) {
    const int row = warp_row();
    if (row >= *count) {
        return;
    }
    // sum, normed, x, residual [rows, stride]; xBias [stride], what is beyond the width does not matter
    const S* xRow = row_start(x, row, stride);
    const S* residualRow = residual == nullptr ? nullptr : row_start(residual, row, stride);
    S* sumRow = sum == nullptr ? nullptr : row_start(sum, row, stride);
    S* normedRow = normed == nullptr ? nullptr : row_start(normed, row, stride);

    const auto load = [&](int column, float (&values)[CHUNK]) {
        float addend[CHUNK];
        load_chunk(xRow + column, values);
        if (xBias != nullptr) {
            load_chunk(xBias + column, addend);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                values[i] += addend[i];
            }
        }
        if (residualRow != nullptr) {
            load_chunk(residualRow + column, addend);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                values[i] += addend[i];
            }
        }
    };
    const auto store = [&](int column, const float (&values)[CHUNK], const float (&normedValues)[CHUNK]) {
        if (sumRow != nullptr) {
            store_chunk(sumRow + column, values);
        }
        if (normedRow != nullptr) {
            store_chunk(normedRow + column, normedValues);
        }
    };
    norm_row<S>(norm, width, stride, load, store);
}

#define INSTANTIATE(SUFFIX, S)                                                                                      \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK) residual_norm_##SUFFIX(                                 \
        S* sum, S* normed, const int* count, const S* x, const float* xBias, const S* residual, const float* gain,  \
        const float* bias, float epsilon, int rmsNorm, int width, int stride) {                                     \
        residual_norm<S>(sum, normed, count, x, xBias, residual, NormParameters{gain, bias, epsilon, rmsNorm != 0}, \
                         width, stride);                                                                            \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
