// SPDX-License-Identifier: Apache-2.0
//
// Candidates out of scores that a matrix product has computed: scores [Q, stride] fp32 of `columns` rows, the first of
// which is row firstRow of the corpus.
//
// Idea: a tile of scores that still lies in L2 is read once. A warp takes 128 columns of a query, 4 a lane; in most of
// them no score reaches the limit, and one vote says so.
//
// Launch: grid.x = ceil(columns / 1024), grid.y = queries, block 256. stride is a multiple of 4.
#include "device/topk.cuh"

namespace topk_filter_tile {

constexpr int BLOCK = 256;
constexpr int COLUMNS = 4; // of a lane, 16 bytes

__device__ __forceinline__ void filter_tile(const topk::Candidates& candidates, const float* limits,
                                            const float* scores, int columns, int stride, int firstRow,
                                            const unsigned* filter) {
    const int query = static_cast<int>(blockIdx.y);
    const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * COLUMNS;
    const float limit = limits[query];
    float values[COLUMNS];
    bool passes[COLUMNS];
    bool any = false;
    if (column < columns) {
        const float4 four = *reinterpret_cast<const float4*>(row_start(scores, query, stride) + column);
        values[0] = four.x, values[1] = four.y, values[2] = four.z, values[3] = four.w;
        // the bits of four neighbours lie in one word
        const unsigned allowed =
            filter == nullptr ? 0xfu : filter[column / topk::TILE_ROWS] >> column % topk::TILE_ROWS;
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            passes[i] = column + i < columns && (allowed >> i & 1) != 0 && values[i] >= limit;
            any = any || passes[i];
        }
    } else {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            values[i] = 0.0f;
            passes[i] = false;
        }
    }
    if (!__any_sync(ALL_LANES, any)) {
        return;
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const unsigned passing = __ballot_sync(ALL_LANES, passes[i]);
        if (passing != 0) {
            candidates.append(passing, query, values[i], firstRow + column + i);
        }
    }
}

} // namespace topk_filter_tile

extern "C" __global__ void __launch_bounds__(topk_filter_tile::BLOCK)
    topk_filter(topk::Key* keys, int* counts, int capacity, const float* limits, const float* scores, int columns,
                int stride, int firstRow, const unsigned* filter) {
    topk_filter_tile::filter_tile(topk::Candidates{keys, counts, capacity}, limits, scores, columns, stride, firstRow,
                                  filter);
}
