// SPDX-License-Identifier: Apache-2.0
//
// Attention over packed rows with tensor cores, for fp16 and bf16 on sm_80 and later.
//
// Idea: as FlashAttention-2 (Dao 2023, arXiv:2307.08691). A block takes up to 64 queries of one row and head, a warp 16
// of them, and walks over tiles of 64 keys (32 for head sizes above 128). Queries stay in registers as mma fragments;
// keys and values come by asynchronous copies into two stages of shared memory, the next tile while this one is
// computed. Scores, softmax and output are fp32; the weights are rounded to the storage type for the second product.
// Cost: 4 * S * d flops a query and head on tensor cores; keys and values are read once by each block.
//
// Tiles outside the causal triangle or the window are not visited, and within a tile only groups of 16 keys that exist.
// Short rows: a block may be launched with fewer warps and less shared memory. A text of 16 tokens then costs one warp
// and 64 * D bytes, so an SM holds as many texts as it has room for blocks.
//
// Shared rows are swizzled: chunk c (16 bytes) of row r is stored at c ^ r, so that the 8 rows of one ldmatrix lie in
// different banks.
//
// Launch: grid.x = bound of work items, grid.y = heads, block 32 * w for w = 1 to 4. A work item is (row, first query)
// and covers 16 * w queries. D = head stride rounded up to 32, 64, 128 or 256. Dynamic shared memory, in bytes:
//   stages * 2 * keys * D * 2, keys = longest row rounded up to 16, at most 64 (D = 256: 32),
//   stages = 2 if a row is longer than 64 (32) tokens, else 1.
// More does no harm; the most is 16, 32, 64, 64 KiB for D = 32, 64, 128, 256.
#include "device/attention_scores.cuh"
#include "device/tensor_core.cuh"

namespace tensor_core_attention {

[[maybe_unused]] constexpr int MAX_BLOCK = 128;
[[maybe_unused]] constexpr int QUERIES_PER_WARP = 16;
[[maybe_unused]] constexpr int KEY_GROUP = 16; // keys of one mma step

// Blocks that an SM shall hold. Caps the registers at 128 for D = 32 and 168 for D = 64, which hardly costs a spill.
[[maybe_unused]] constexpr int blocks_per_multiprocessor(int d) {
    return d <= 32 ? 4 : d <= 64 ? 3 : 2;
}

// A tile of keys or values in shared memory, [keys, D].
template <typename S, int D>
struct Tile {
    static constexpr int CHUNKS = D / CHUNK;
    static constexpr int KEYS = D > 128 ? 32 : 64;
    static constexpr int ROW_BYTES = D * static_cast<int>(sizeof(S));

    // A row of 32 columns is half of the 128 bytes that the banks span, hence two rows share a swizzle.
    static __device__ __forceinline__ int offset(int row, int chunk) {
        const int swizzle = D == 32 ? row / 2 % 4 : row % 8;
        return row * ROW_BYTES + (chunk ^ swizzle) * 16;
    }

    // Begins copying rows [firstKey, firstKey + keys); zeros beyond the row and beyond the head.
    static __device__ __forceinline__ void begin_load(unsigned char* tile, const S* source, int tokenStride,
                                                      int firstKey, int keys, int rowLength, int headStride) {
        const int chunk = static_cast<int>(threadIdx.x) % CHUNKS;
        const int step = static_cast<int>(blockDim.x) / CHUNKS;
        for (int row = static_cast<int>(threadIdx.x) / CHUNKS; row < keys; row += step) {
            const bool valid = firstKey + row < rowLength && chunk * CHUNK < headStride;
            const void* from = valid ? row_start(source, firstKey + row, tokenStride) + chunk * CHUNK : source;
            cp_async_16(tile + offset(row, chunk), from, valid);
        }
    }
};

// Running state of this lane's two queries, g and g + 8 of the warp's 16 (g = lane / 4).
template <int D>
struct Softmax {
    float maximum[2];
    float sum[2];           // of this lane's keys only, until the end
    float output[D / 8][4]; // mma accumulators: columns 8 n + 2 (lane % 4) + {0, 1} of query g, then of query g + 8
};

// bias [P], nullable: added in fp32, before the sum is rounded to what the instruction takes
template <typename S, int D>
__device__ __forceinline__ void load_queries(uint32_t (&fragments)[D / 16][4], const S* queries, const float* bias,
                                             int tokenStride, int firstQuery, int rowLength, int headStride) {
    const int row = firstQuery + lane_index() / 4;
    const int pair = lane_index() % 4 * 2;
#pragma unroll
    for (int step = 0; step < D / 16; step++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // fragment word i: query g or g + 8, columns 2t or 2t + 8
            const int query = row + i % 2 * 8;
            const int column = step * 16 + i / 2 * 8 + pair;
            fragments[step][i] = 0;
            if (query < rowLength && column < headStride) {
                fragments[step][i] =
                    *reinterpret_cast<const uint32_t*>(row_start(queries, query, tokenStride) + column);
            }
        }
    }
    if (bias != nullptr) {
#pragma unroll
        for (int step = 0; step < D / 16; step++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                // The same columns of both queries. One beyond the row gets it too: nobody reads what becomes of it.
                const int column = step * 16 + half * 8 + pair;
                const float2 addend =
                    column < headStride ? *reinterpret_cast<const float2*>(bias + column) : make_float2(0.0f, 0.0f);
                add_to_pair<S>(fragments[step][2 * half], addend);
                add_to_pair<S>(fragments[step][2 * half + 1], addend);
            }
        }
    }
}

// scores [16 queries, 16 * groups keys] = queries * keys^T
template <typename S, int D>
__device__ __forceinline__ void multiply_keys(float (&scores)[Tile<S, D>::KEYS / 2],
                                              const uint32_t (&queries)[D / 16][4], const unsigned char* keys,
                                              int groups) {
    // ldmatrix tiles: keys 0-7 columns 0-7, keys 0-7 columns 8-15, keys 8-15 columns 0-7, keys 8-15 columns 8-15
    const int row = lane_index() / 16 * 8 + lane_index() % 8;
    const int half = lane_index() / 8 % 2;
#pragma unroll
    for (int group = 0; group < Tile<S, D>::KEYS / KEY_GROUP; group++) {
        if (group < groups) {
            float low[4] = {};
            float high[4] = {};
#pragma unroll
            for (int step = 0; step < D / 16; step++) {
                uint32_t words[4];
                ldmatrix_x4(words, keys + Tile<S, D>::offset(group * KEY_GROUP + row, step * 2 + half));
                const uint32_t lowKeys[2] = {words[0], words[1]};
                const uint32_t highKeys[2] = {words[2], words[3]};
                mma_m16n8k16<S>(low, queries[step], lowKeys);
                mma_m16n8k16<S>(high, queries[step], highKeys);
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                scores[group * 8 + i] = low[i];
                scores[group * 8 + 4 + i] = high[i];
            }
        } else {
#pragma unroll
            for (int i = 0; i < 8; i++) {
                scores[group * 8 + i] = -INFINITY;
            }
        }
    }
}

// output [16 queries, D] += weights [16 queries, 16 * groups keys] * values
template <typename S, int D>
__device__ __forceinline__ void multiply_values(float (&output)[D / 8][4], const float (&weights)[Tile<S, D>::KEYS / 2],
                                                const unsigned char* values, int groups) {
    // ldmatrix tiles, each transposed: keys 0-7 columns 0-7, keys 8-15 columns 0-7, keys 0-7 columns 8-15, ...
    const int row = lane_index() / 8 % 2 * 8 + lane_index() % 8;
    const int half = lane_index() / 16;
#pragma unroll
    for (int group = 0; group < Tile<S, D>::KEYS / KEY_GROUP; group++) {
        if (group < groups) {
            // Accumulators of two neighbouring 8-column tiles are laid out as one left operand of 16 columns.
            uint32_t words[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                words[i] = pack_pair<S>(weights[group * 8 + 2 * i], weights[group * 8 + 2 * i + 1]);
            }
#pragma unroll
            for (int step = 0; step < D / 16; step++) {
                uint32_t valueWords[4];
                ldmatrix_x4_trans(valueWords, values + Tile<S, D>::offset(group * KEY_GROUP + row, step * 2 + half));
                const uint32_t lowColumns[2] = {valueWords[0], valueWords[1]};
                const uint32_t highColumns[2] = {valueWords[2], valueWords[3]};
                mma_m16n8k16<S>(output[2 * step], words, lowColumns);
                mma_m16n8k16<S>(output[2 * step + 1], words, highColumns);
            }
        }
    }
}

// Dot products to softmax weights; the state moves to the new maximum. Score 4 n + i is that of query g + i / 2 * 8 and
// key 8 n + 2 (lane % 4) + i % 2 of the tile. Scores of groups that are not there are -inf.
template <int D, int N>
__device__ __forceinline__ void online_softmax_step(Softmax<D>& state, float (&scores)[N], const ScoreRules& rules,
                                                    int firstQuery, int firstKey, int groups, int rowLength) {
    const auto place = [&](int i) {
        return ScorePlace{firstQuery + lane_index() / 4 + i / 2 % 2 * 8,
                          firstKey + lane_index() % 4 * 2 + i / 4 * 8 + i % 2};
    };
    // Of a plain score the scale is left to the exponent, where it costs nothing.
    const bool plain = rules.plain();
    const float factor = plain ? rules.scale : 1.0f;
    if (!plain) {
        rules.apply(scores, place);
    }
    const int endKey = firstKey + groups * KEY_GROUP;
    if (!plain || endKey > rowLength ||
        !rules.all_seen(firstQuery, firstQuery + QUERIES_PER_WARP - 1, firstKey, endKey - 1)) {
        rules.mask(scores, min(rowLength, endKey), place);
    }

    float base[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float maximum = state.maximum[half];
#pragma unroll
        for (int i = 0; i < N; i++) {
            if (i / 2 % 2 == half) {
                maximum = fmaxf(maximum, scores[i]);
            }
        }
        // the four lanes of a query
        maximum = fmaxf(maximum, __shfl_xor_sync(ALL_LANES, maximum, 1));
        maximum = fmaxf(maximum, __shfl_xor_sync(ALL_LANES, maximum, 2));
        base[half] = exponent_base(maximum) * factor;
        const float correction = exp2_of(state.maximum[half] * factor - base[half]);
        state.maximum[half] = maximum;
        state.sum[half] *= correction;
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            state.output[n][2 * half] *= correction;
            state.output[n][2 * half + 1] *= correction;
        }
    }
#pragma unroll
    for (int i = 0; i < N; i++) {
        scores[i] = exp2_of(scores[i] * factor - base[i / 2 % 2]);
        state.sum[i / 2 % 2] += scores[i];
    }
}

// out [T, A * P]; columns in [d, P) are zero because those of the values are
template <typename S, int D>
__device__ __forceinline__ void store_output(S* out, const Softmax<D>& state, int outStride, int firstQuery,
                                             int rowLength, int headStride) {
    const int pair = lane_index() % 4 * 2;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float total = state.sum[half];
        total += __shfl_xor_sync(ALL_LANES, total, 1);
        total += __shfl_xor_sync(ALL_LANES, total, 2);
        const float inverse = 1.0f / total;
        const int query = firstQuery + lane_index() / 4 + half * 8;
        S* outRow = row_start(out, query, outStride);
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            if (query < rowLength && n * 8 < headStride) {
                *reinterpret_cast<uint32_t*>(outRow + n * 8 + pair) =
                    pack_pair<S>(state.output[n][2 * half] * inverse, state.output[n][2 * half + 1] * inverse);
            }
        }
    }
}

template <typename S, int D>
__device__ __forceinline__ void attend(S* out, const S* qkv, const AttentionParameters& p) {
    using KeyTile = Tile<S, D>;
    if (static_cast<int>(blockIdx.x) >= p.shape[2]) {
        return;
    }
    const AttentionBlock block(p);
    const ScoreRules rules(p, block.head);
    const S* keys = block.keys(qkv, p);
    const S* values = block.values(qkv, p);

    // Two stages of (keys, values). The longest row of the batch decides how much of a tile there is.
    unsigned char* shared = dynamic_shared_memory();
    const int tileKeys = min(KeyTile::KEYS, (p.shape[3] + KEY_GROUP - 1) / KEY_GROUP * KEY_GROUP);
    const int tileBytes = tileKeys * KeyTile::ROW_BYTES;

    const int blockQueries = static_cast<int>(blockDim.x) / WARP * QUERIES_PER_WARP;
    const int blockLast = min(block.firstQuery + blockQueries, block.rowLength) - 1;
    const int firstKey = rules.first_key(block.firstQuery);
    const int endKey = rules.end_key(blockLast, block.rowLength);
    const auto groups_of = [&](int tileFirst) {
        return (min(KeyTile::KEYS, endKey - tileFirst) + KEY_GROUP - 1) / KEY_GROUP;
    };
    const auto begin_load = [&](int tileFirst, int stage) {
        unsigned char* tile = shared + stage * 2 * tileBytes;
        const int count = groups_of(tileFirst) * KEY_GROUP;
        KeyTile::begin_load(tile, keys, block.tokenStride, tileFirst, count, block.rowLength, p.headStride);
        KeyTile::begin_load(tile + tileBytes, values, block.tokenStride, tileFirst, count, block.rowLength,
                            p.headStride);
        cp_async_commit();
    };
    begin_load(firstKey, 0);

    // A warp without queries copies and waits with the others, no more.
    const int warpFirst = block.firstQuery + warp_index() * QUERIES_PER_WARP;
    const int warpLast = min(warpFirst + QUERIES_PER_WARP, block.rowLength) - 1;
    const int warpFirstKey = rules.first_key(warpFirst);
    const int warpEndKey = warpLast < warpFirst ? 0 : rules.end_key(warpLast, block.rowLength);

    uint32_t queries[D / 16][4];
    load_queries<S, D>(queries, block.queries(qkv, p), block.query_bias(p), block.tokenStride, warpFirst,
                       block.rowLength, p.headStride);
    Softmax<D> state;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        state.maximum[half] = -INFINITY;
        state.sum[half] = 0.0f;
    }
#pragma unroll
    for (int n = 0; n < D / 8; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            state.output[n][i] = 0.0f;
        }
    }

    int stage = 0;
    for (int tileFirst = firstKey; tileFirst < endKey; tileFirst += KeyTile::KEYS, stage ^= 1) {
        cp_async_wait<0>();
        // This tile is there for all warps, and all have done with the other stage.
        __syncthreads();
        if (tileFirst + KeyTile::KEYS < endKey) {
            begin_load(tileFirst + KeyTile::KEYS, stage ^ 1);
        }
        if (tileFirst < warpEndKey && tileFirst + KeyTile::KEYS > warpFirstKey) {
            const unsigned char* tile = shared + stage * 2 * tileBytes;
            const int groups = groups_of(tileFirst);
            float scores[KeyTile::KEYS / 2]; // a lane's share of [16 queries, KEYS]
            multiply_keys<S, D>(scores, queries, tile, groups);
            online_softmax_step<D>(state, scores, rules, warpFirst, tileFirst, groups, block.rowLength);
            multiply_values<S, D>(state.output, scores, tile + tileBytes, groups);
        }
    }
    store_output<S, D>(block.output(out, p), state, p.heads * p.headStride, warpFirst, block.rowLength, p.headStride);
}

} // namespace tensor_core_attention

#if defined(EMBED4J_EMULATED) || !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define ATTEND(S, D, out, qkv, parameters) tensor_core_attention::attend<S, D>(out, qkv, parameters)
#else
// sm_75 has neither these instructions nor the registers' worth of shared memory; the host takes the other kernel
// there.
#define ATTEND(S, D, out, qkv, parameters) __trap()
#endif

#define INSTANTIATE_SIZE(SUFFIX, S, D)                                                                               \
    extern "C" __global__ void __launch_bounds__(tensor_core_attention::MAX_BLOCK,                                   \
                                                 tensor_core_attention::blocks_per_multiprocessor(D))                \
        attention_packed_mma_##SUFFIX##_d##D(S* out, const S* qkv, const float* queryBias, const int* shape,         \
                                             const int* cuSeqLens, const int* work, const float* distanceBias,       \
                                             int biasReach, const float* alibiSlopes, float scale, float softcap,    \
                                             int causal, int window, int heads, int keyValueHeads, int headStride) { \
        ATTEND(S, D, out, qkv,                                                                                       \
               (AttentionParameters{queryBias, shape, cuSeqLens, work, distanceBias, biasReach, alibiSlopes, scale,  \
                                    softcap, causal != 0, window, heads, keyValueHeads, headStride}));               \
    }
#define INSTANTIATE(SUFFIX, S)       \
    INSTANTIATE_SIZE(SUFFIX, S, 32)  \
    INSTANTIATE_SIZE(SUFFIX, S, 64)  \
    INSTANTIATE_SIZE(SUFFIX, S, 128) \
    INSTANTIATE_SIZE(SUFFIX, S, 256)
INSTANTIATE(fp16, __half)
INSTANTIATE(bf16, __nv_bfloat16)
#undef INSTANTIATE
#undef INSTANTIATE_SIZE
#undef ATTEND
