// SPDX-License-Identifier: Apache-2.0
//
// The truth about candidates: dot products in float64 of the stored fp32 rows with the fp32 queries.
//
// Numbers are added one after the other, from the first column to the last. A product of two fp32 numbers is exact in
// float64, so whether it is fused with the addition makes no difference: the result has the bits of the same loop on the
// host. That order leaves no work to share within a dot product, so each thread has a candidate of its own.
//
// The corpus lies in pieces: piece p has rows from pieceRows[p] on, at pieces[p]. Rows from residentRows on are not on
// the device and get no score.
//
// Launch: grid.x = any, grid.y = queries, block 128.
#include "device/topk.cuh"

namespace topk_truth {

// The last piece that begins at or before the row.
__device__ __forceinline__ int piece_of(int row, const int* pieceRows, int pieceCount) {
    int low = 0;
    int high = pieceCount - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (pieceRows[middle] <= row) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

} // namespace topk_truth

extern "C" __global__ void __launch_bounds__(ROW_BLOCK)
    topk_rescore(double* scores, const topk::Key* packed, const int* offsets, const int* counts,
                 const float* const* pieces, const int* pieceRows, int pieceCount, int residentRows,
                 const float* queries, int dimension, int stride) {
    const int query = static_cast<int>(blockIdx.y);
    const int offset = offsets[query];
    const int count = counts[query];
    if (offset < 0) {
        return;
    }
    // queries [Q, dimension] as they were given, pieces [rows, stride]
    const float* queryRow = row_start(queries, query, dimension);
    const int threads = static_cast<int>(gridDim.x * blockDim.x);
    for (int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); i < count; i += threads) {
        const int row = topk::row_of(packed[offset + i]);
        if (row >= residentRows) {
            continue;
        }
        const int piece = topk_truth::piece_of(row, pieceRows, pieceCount);
        const float* values = row_start(pieces[piece], row - pieceRows[piece], stride);
        double sum = 0.0;
        for (int column = 0; column < dimension; column++) {
            sum += static_cast<double>(queryRow[column]) * static_cast<double>(values[column]);
        }
        scores[offset + i] = sum;
    }
}
