// SPDX-License-Identifier: Apache-2.0
//
// Vectors as an index holds them: out [rows, stride] of S from in [rows, dimension] fp32, padding zeroed; and what the
// error of their scores is bounded by.
//
// largest[0] and [1] become at least the largest Euclidean |in[r]| and |in[r] - out[r]|, largest[2] becomes 1 where a
// number is not finite. They only grow, and begin as zeros.
//
// Idea: one warp a row; a dense row may start anywhere, so lanes read single floats side by side. Sums of squares in
// fp32 may be low by (D + 8) * 2^-24 of themselves, and squares below 2^-149 vanish: the roots are enlarged by as much
// and more. The difference of a number and its rounding is exact.
//
// Launch: grid.x = ceil(rows / 4), block 128.
#include "device/warp.cuh"

namespace topk_store {

__device__ __forceinline__ float root_from_above(float sumOfSquares, int dimension) {
    const float vanished = 0x1p-74f * sqrtf(static_cast<float>(dimension));
    return sqrtf(sumOfSquares) * (1.0f + 0x1p-23f * static_cast<float>(dimension + 8)) + vanished;
}

// Of numbers that are not negative, and of NaN behind all, the bits are ordered as the numbers.
__device__ __forceinline__ void raise(float* largest, float value) {
    atomicMax(reinterpret_cast<unsigned*>(largest), __float_as_uint(value));
}

template <typename S>
__device__ __forceinline__ void store_rows(S* out, float* largest, const float* in, int rows, int dimension,
                                           int stride) {
    const int row = warp_row();
    if (row >= rows) {
        return;
    }
    const float* inRow = row_start(in, row, dimension);
    S* outRow = row_start(out, row, stride);
    float squares = 0.0f;
    float errorSquares = 0.0f;
    bool finite = true;
    for (int column = lane_index(); column < stride; column += WARP) {
        const float value = column < dimension ? inRow[column] : 0.0f;
        const S stored = from_float<S>(value);
        outRow[column] = stored;
        const float error = value - to_float(stored);
        squares += value * value;
        errorSquares += error * error;
        finite = finite && isfinite(value);
    }
    const float norm = root_from_above(warp_sum(squares), dimension);
    const float error = root_from_above(warp_sum(errorSquares), dimension);
    finite = __all_sync(ALL_LANES, finite);
    if (lane_index() == 0) {
        raise(largest, norm);
        raise(largest + 1, error);
        if (!finite) {
            raise(largest + 2, 1.0f);
        }
    }
}

} // namespace topk_store

#define INSTANTIATE(SUFFIX, S)                                                                                   \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK)                                                      \
        topk_store_rows_##SUFFIX(S* out, float* largest, const float* in, int rows, int dimension, int stride) { \
        topk_store::store_rows<S>(out, largest, in, rows, dimension, stride);                                    \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
