// SPDX-License-Identifier: Apache-2.0
//
// Scores of a few queries with many rows, by plain multiplication: fp32 on every device, fp16 and bf16 where there are
// no tensor cores for them. Rows that reach a query's limit become its candidates.
//
// Idea: bound by reading the rows, once. A warp takes a tile of 32 rows: four lanes share a row, 8 numbers each at a
// time, so that a load instruction takes 64 or 128 bytes in a row from 8 rows. Queries lie in shared memory in fp32;
// each chunk of them is used for four rows of a lane. Sums are fp32, at most ceil(D / 4) long, then two exchanges.
//
// Launch: block 256, any grid: warps step over the tiles of the visit. Dynamic shared memory: QUERIES * (P + 1) floats,
// P = stride rounded up to 32.
#include "device/topk.cuh"

namespace topk_plain_scan {

constexpr int BLOCK = 256;
constexpr int LANES_PER_ROW = 4;
constexpr int ROW_GROUPS = topk::TILE_ROWS / (WARP / LANES_PER_ROW); // rows of a lane
constexpr int STEP = LANES_PER_ROW * CHUNK;                          // columns of a row at a time

// shared: queries [QUERIES, P], then limits [QUERIES]; what is beyond queryCount has a limit that nothing reaches
template <typename S, int QUERIES>
__device__ __forceinline__ void load_queries(float* shared, const S* queries, const float* limits, int queryCount,
                                             int stride, int paddedStride) {
    for (int i = static_cast<int>(threadIdx.x); i < QUERIES * paddedStride; i += static_cast<int>(blockDim.x)) {
        const int query = i / paddedStride;
        const int column = i % paddedStride;
        const bool there = query < queryCount && column < stride;
        shared[i] = there ? to_float(row_start(queries, query, stride)[column]) : 0.0f;
    }
    for (int i = static_cast<int>(threadIdx.x); i < QUERIES; i += static_cast<int>(blockDim.x)) {
        shared[QUERIES * paddedStride + i] = i < queryCount ? limits[i] : INFINITY;
    }
}

// Sums of this lane's four rows with all queries; afterwards each of a row's four lanes has them.
template <typename S, int QUERIES>
__device__ __forceinline__ void multiply(float (&sums)[ROW_GROUPS][QUERIES], const S* const (&rows)[ROW_GROUPS],
                                         const float* queries, int stride, int paddedStride) {
#pragma unroll
    for (int r = 0; r < ROW_GROUPS; r++) {
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            sums[r][q] = 0.0f;
        }
    }
    for (int column = lane_index() % LANES_PER_ROW * CHUNK; column < stride; column += STEP) {
        float values[ROW_GROUPS][CHUNK];
#pragma unroll
        for (int r = 0; r < ROW_GROUPS; r++) {
            load_chunk(rows[r] + column, values[r]);
        }
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            float query[CHUNK];
            load_chunk(queries + q * paddedStride + column, query);
#pragma unroll
            for (int r = 0; r < ROW_GROUPS; r++) {
#pragma unroll
                for (int i = 0; i < CHUNK; i++) {
                    sums[r][q] = fmaf(values[r][i], query[i], sums[r][q]);
                }
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROW_GROUPS; r++) {
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            sums[r][q] += __shfl_xor_sync(ALL_LANES, sums[r][q], 1);
            sums[r][q] += __shfl_xor_sync(ALL_LANES, sums[r][q], 2);
        }
    }
}

template <typename S, int QUERIES>
__device__ __forceinline__ void scan(const topk::Candidates& candidates, const float* limits, const S* rows,
                                     int firstRow, const topk::Visit& visit, const S* queries, int queryCount,
                                     int stride) {
    const int paddedStride = (stride + STEP - 1) / STEP * STEP;
    float* sharedQueries = reinterpret_cast<float*>(dynamic_shared_memory());
    const float* sharedLimits = sharedQueries + QUERIES * paddedStride;
    load_queries<S, QUERIES>(sharedQueries, queries, limits, queryCount, stride, paddedStride);
    __syncthreads();

    const int group = lane_index() / LANES_PER_ROW;
    const int share = lane_index() % LANES_PER_ROW;
    const int warps = static_cast<int>(gridDim.x * blockDim.x) / WARP;
    const int warp = static_cast<int>(blockIdx.x * blockDim.x) / WARP + warp_index();
    for (int place = visit.firstTile + warp; place < visit.endTile; place += warps) {
        const int tile = visit.first_row(place);
        const unsigned allowed = visit.allowed(tile);
        if (allowed == 0) {
            continue;
        }
        const S* tileRows[ROW_GROUPS];
#pragma unroll
        for (int r = 0; r < ROW_GROUPS; r++) {
            tileRows[r] = row_start(rows, min(tile + 8 * r + group, visit.rows - 1), stride);
        }
        float sums[ROW_GROUPS][QUERIES];
        multiply<S, QUERIES>(sums, tileRows, sharedQueries, stride, paddedStride);

        // Lane (group, share) speaks for row 8 * share + group.
        const int inTile = 8 * share + group;
        const bool mine = (allowed >> inTile & 1) != 0;
#pragma unroll
        for (int q = 0; q < QUERIES; q++) {
            float score = sums[0][q];
#pragma unroll
            for (int r = 1; r < ROW_GROUPS; r++) {
                score = share == r ? sums[r][q] : score;
            }
            const unsigned passing = __ballot_sync(ALL_LANES, mine && score >= sharedLimits[q]);
            if (passing != 0) {
                candidates.append(passing, q, score, firstRow + tile + inTile);
            }
        }
    }
}

} // namespace topk_plain_scan

#define INSTANTIATE_QUERIES(SUFFIX, S, QUERIES)                                                                 \
    extern "C" __global__ void __launch_bounds__(topk_plain_scan::BLOCK) topk_scan_##SUFFIX##_q##QUERIES(       \
        topk::Key* keys, int* counts, int capacity, const float* limits, const S* rows, int firstRow,           \
        const unsigned* filter, int rowCount, int firstTile, int endTile, int tileStep, const S* queries,       \
        int queryCount, int stride) {                                                                           \
        topk_plain_scan::scan<S, QUERIES>(topk::Candidates{keys, counts, capacity}, limits, rows, firstRow,     \
                                          topk::Visit{filter, rowCount, firstTile, endTile, tileStep}, queries, \
                                          queryCount, stride);                                                  \
    }
#define INSTANTIATE(SUFFIX, S)        \
    INSTANTIATE_QUERIES(SUFFIX, S, 1) \
    INSTANTIATE_QUERIES(SUFFIX, S, 8)
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
#undef INSTANTIATE_QUERIES
