// SPDX-License-Identifier: Apache-2.0
//
// Scores of up to 128 queries with many rows on tensor cores, for fp16 and bf16 on sm_80 and later. Rows that reach a
// query's limit become its candidates.
//
// Idea: the rows are read once, whatever the number of queries, and no score is written that is no candidate. Rows are
// the left operand, 32 of them a warp; queries are the right operand and stay in shared memory for the whole launch.
// A dot product may be added up in any order as long as both sides agree, so a lane takes 8 columns in a row (16 bytes)
// of a row and of a query, and gives them to two mma steps as if they were those the instruction asks for: every load
// is a full one, from device memory as from shared memory. Nothing is shared between warps but the queries, so there is
// no barrier after they are loaded. To about 100 queries the reading takes longer than the multiplying.
//
// Queries in shared memory: [steps, QUERY_TILES, 32 lanes] of 16 bytes, the words that a lane needs for 32 columns of 8
// queries; then limits [8 * QUERY_TILES].
//
// Launch: block 256, any grid: warps step over the tiles of the visit. Dynamic shared memory:
// (512 * steps + 32) * QUERY_TILES bytes, steps = ceil(stride / 32) rounded up to a multiple of 4, or of 2 if
// QUERY_TILES > 4.
#include "device/tensor_core.cuh"
#include "device/topk.cuh"

namespace topk_tensor_core_scan {

[[maybe_unused]] constexpr int BLOCK = 256;
[[maybe_unused]] constexpr int STEP = 32;     // columns a step: 8 for each of the four lanes of a row
[[maybe_unused]] constexpr int ROW_TILES = 2; // of 16 rows
[[maybe_unused]] constexpr int QUERIES_A_TILE = 8;

// Steps whose rows are loaded before the first is used: few where the sums need the registers.
template <int QUERY_TILES>
[[maybe_unused]] constexpr int STEPS_AT_ONCE = QUERY_TILES > 4 ? 2 : 4;

[[maybe_unused]] constexpr int blocks_per_multiprocessor(int queryTiles) {
    return queryTiles > 4 ? 1 : 2;
}

template <typename S, int QUERY_TILES>
__device__ __forceinline__ void load_queries(uint4* words, float* sharedLimits, const S* queries, const float* limits,
                                             int queryCount, int stride, int steps) {
    for (int i = static_cast<int>(threadIdx.x); i < steps * QUERY_TILES * WARP; i += static_cast<int>(blockDim.x)) {
        const int lane = i % WARP;
        const int query = i / WARP % QUERY_TILES * QUERIES_A_TILE + lane / 4;
        const int column = i / WARP / QUERY_TILES * STEP + lane % 4 * CHUNK;
        const bool there = query < queryCount && column < stride;
        words[i] = there ? *reinterpret_cast<const uint4*>(row_start(queries, query, stride) + column)
                         : make_uint4(0, 0, 0, 0);
    }
    for (int i = static_cast<int>(threadIdx.x); i < QUERY_TILES * QUERIES_A_TILE; i += static_cast<int>(blockDim.x)) {
        sharedLimits[i] = i < queryCount ? limits[i] : INFINITY;
    }
}

// This lane's share of scores [32 rows, 8 * QUERY_TILES], as mma leaves it: [16 rows][8 queries][4].
template <int QUERY_TILES>
using Scores = float[ROW_TILES][QUERY_TILES][4];

// rows[2 m + h] is the row 16 m + 8 h + lane / 4 of the tile
template <typename S, int QUERY_TILES>
__device__ __forceinline__ void multiply(Scores<QUERY_TILES>& scores, const S* const (&rows)[2 * ROW_TILES],
                                         const uint4* queries, int stride, int steps) {
    constexpr int AT_ONCE = STEPS_AT_ONCE<QUERY_TILES>;
#pragma unroll
    for (int m = 0; m < ROW_TILES; m++) {
#pragma unroll
        for (int n = 0; n < QUERY_TILES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                scores[m][n][i] = 0.0f;
            }
        }
    }
    for (int step = 0; step < steps; step += AT_ONCE) {
        uint4 words[AT_ONCE][2 * ROW_TILES];
#pragma unroll
        for (int s = 0; s < AT_ONCE; s++) {
            const int column = (step + s) * STEP + lane_index() % 4 * CHUNK;
#pragma unroll
            for (int r = 0; r < 2 * ROW_TILES; r++) {
                words[s][r] =
                    column < stride ? *reinterpret_cast<const uint4*>(rows[r] + column) : make_uint4(0, 0, 0, 0);
            }
        }
#pragma unroll
        for (int s = 0; s < AT_ONCE; s++) {
#pragma unroll
            for (int n = 0; n < QUERY_TILES; n++) {
                const uint4 query = queries[((step + s) * QUERY_TILES + n) * WARP + lane_index()];
                const uint32_t first[2] = {query.x, query.y};
                const uint32_t second[2] = {query.z, query.w};
#pragma unroll
                for (int m = 0; m < ROW_TILES; m++) {
                    const uint4& low = words[s][2 * m];
                    const uint4& high = words[s][2 * m + 1];
                    const uint32_t firstRows[4] = {low.x, high.x, low.y, high.y};
                    const uint32_t secondRows[4] = {low.z, high.z, low.w, high.w};
                    mma_m16n8k16<S>(scores[m][n], firstRows, first);
                    mma_m16n8k16<S>(scores[m][n], secondRows, second);
                }
            }
        }
    }
}

template <int QUERY_TILES>
__device__ __forceinline__ void append(const topk::Candidates& candidates, const Scores<QUERY_TILES>& scores,
                                       const float* limits, unsigned allowed, int firstRow) {
    const int pair = lane_index() % 4 * 2; // queries pair and pair + 1 of each eight
    const int group = lane_index() / 4;    // rows group and group + 8 of each sixteen
    const auto in_tile = [&](int m, int i) { return 16 * m + i / 2 * 8 + group; };
    const auto passes = [&](int m, int n, int i) {
        return (allowed >> in_tile(m, i) & 1) != 0 && scores[m][n][i] >= limits[n * QUERIES_A_TILE + pair + i % 2];
    };
    bool any = false;
#pragma unroll
    for (int m = 0; m < ROW_TILES; m++) {
#pragma unroll
        for (int n = 0; n < QUERY_TILES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                any = any || passes(m, n, i);
            }
        }
    }
    if (!__any_sync(ALL_LANES, any)) {
        return;
    }
    const unsigned sameQueries = 0x11111111u << lane_index() % 4;
#pragma unroll
    for (int m = 0; m < ROW_TILES; m++) {
#pragma unroll
        for (int n = 0; n < QUERY_TILES; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const unsigned passing = __ballot_sync(ALL_LANES, passes(m, n, i));
                if (passing != 0) {
                    candidates.append(passing & sameQueries, n * QUERIES_A_TILE + pair + i % 2, scores[m][n][i],
                                      firstRow + in_tile(m, i));
                }
            }
        }
    }
}

template <typename S, int QUERY_TILES>
__device__ __forceinline__ void scan(const topk::Candidates& candidates, const float* limits, const S* rows,
                                     int firstRow, const topk::Visit& visit, const S* queries, int queryCount,
                                     int stride) {
    constexpr int AT_ONCE = STEPS_AT_ONCE<QUERY_TILES>;
    const int steps = (stride + STEP * AT_ONCE - 1) / (STEP * AT_ONCE) * AT_ONCE;
    uint4* sharedQueries = reinterpret_cast<uint4*>(dynamic_shared_memory());
    float* sharedLimits = reinterpret_cast<float*>(sharedQueries + steps * QUERY_TILES * WARP);
    load_queries<S, QUERY_TILES>(sharedQueries, sharedLimits, queries, limits, queryCount, stride, steps);
    __syncthreads();

    const int warps = static_cast<int>(gridDim.x * blockDim.x) / WARP;
    const int warp = static_cast<int>(blockIdx.x * blockDim.x) / WARP + warp_index();
    for (int place = visit.firstTile + warp; place < visit.endTile; place += warps) {
        const int tile = visit.first_row(place);
        const unsigned allowed = visit.allowed(tile);
        if (allowed == 0) {
            continue;
        }
        const S* tileRows[2 * ROW_TILES];
#pragma unroll
        for (int r = 0; r < 2 * ROW_TILES; r++) {
            tileRows[r] = row_start(rows, min(tile + 8 * r + lane_index() / 4, visit.rows - 1), stride);
        }
        Scores<QUERY_TILES> scores;
        multiply<S, QUERY_TILES>(scores, tileRows, sharedQueries, stride, steps);
        append<QUERY_TILES>(candidates, scores, sharedLimits, allowed, firstRow + tile);
    }
}

} // namespace topk_tensor_core_scan

#if defined(EMBED4J_EMULATED) || !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define SCAN(S, TILES, candidates, limits, rows, firstRow, visit, queries, queryCount, stride) \
    topk_tensor_core_scan::scan<S, TILES>(candidates, limits, rows, firstRow, visit, queries, queryCount, stride)
#else
// sm_75 has other instructions; the host takes the other kernel there.
#define SCAN(S, TILES, candidates, limits, rows, firstRow, visit, queries, queryCount, stride) __trap()
#endif

#define INSTANTIATE_QUERIES(SUFFIX, S, QUERIES)                                                                 \
    extern "C" __global__ void __launch_bounds__(topk_tensor_core_scan::BLOCK,                                  \
                                                 topk_tensor_core_scan::blocks_per_multiprocessor(QUERIES / 8)) \
        topk_scan_mma_##SUFFIX##_q##QUERIES(topk::Key* keys, int* counts, int capacity, const float* limits,    \
                                            const S* rows, int firstRow, const unsigned* filter, int rowCount,  \
                                            int firstTile, int endTile, int tileStep, const S* queries,         \
                                            int queryCount, int stride) {                                       \
        SCAN(S, QUERIES / 8, (topk::Candidates{keys, counts, capacity}), limits, rows, firstRow,                \
             (topk::Visit{filter, rowCount, firstTile, endTile, tileStep}), queries, queryCount, stride);       \
    }
#define INSTANTIATE(SUFFIX, S)         \
    INSTANTIATE_QUERIES(SUFFIX, S, 8)  \
    INSTANTIATE_QUERIES(SUFFIX, S, 16) \
    INSTANTIATE_QUERIES(SUFFIX, S, 32) \
    INSTANTIATE_QUERIES(SUFFIX, S, 64) \
    INSTANTIATE_QUERIES(SUFFIX, S, 128)
INSTANTIATE(fp16, __half)
INSTANTIATE(bf16, __nv_bfloat16)
#undef INSTANTIATE
#undef INSTANTIATE_QUERIES
#undef SCAN
