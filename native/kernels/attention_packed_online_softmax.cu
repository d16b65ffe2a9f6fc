// SPDX-License-Identifier: Apache-2.0
//
// Attention over packed rows without tensor cores: any storage type, any head size up to 256, any device.
//
// Idea: a block takes 32 queries of one row and head and walks over the keys it can see, 32 at a time, keeping a
// running maximum, a running sum and a running output for each query (online softmax: Milakov and Gimelshein, "Online
// normalizer calculation for softmax", 2018). A warp owns 8 queries. For the scores a lane is a key, so the maximum is
// one butterfly; for the output a lane is a column (or two). Keys and values pass through shared memory as fp32 in
// slices of up to 64 columns, so shared memory depends neither on the row's length nor much on the head's size.
// Cost: 4 * S * d flops a query and head; per 4 columns a lane reads 9 vectors from shared memory for 32 multiply-adds.
// Key blocks outside the causal triangle or the window are not visited.
//
// Launch: grid.x = bound of work items, grid.y = heads, block 128, dynamic shared memory 128 * headStride + 12800
// bytes. A work item is (row, first query) and covers 32 queries (QUERIES_PER_BLOCK).
#include "device/attention_scores.cuh"

namespace online_softmax {

constexpr int QUERIES_PER_BLOCK = 32;
constexpr int BLOCK = 128;
constexpr int QUERIES_PER_WARP = QUERIES_PER_BLOCK / (BLOCK / WARP);
constexpr int KEYS = WARP;
constexpr int MAX_SLICE = 2 * WARP;
constexpr int PAD = 4; // a row stride of 4 modulo 32 words: the lanes' float4 reads of a column hit different banks

struct Shared {
    float* queries; // [32, P]
    float* tile;    // [32 keys, slice + PAD]: a slice of the keys or of the values
    float* weights; // [32 keys, 8 queries] of this warp

    __device__ __forceinline__ Shared(unsigned char* memory, int headStride)
        : queries(reinterpret_cast<float*>(memory)),
          tile(queries + QUERIES_PER_BLOCK * headStride),
          weights(tile + KEYS * (MAX_SLICE + PAD) + warp_index() * KEYS * QUERIES_PER_WARP) {}
};

// Copies columns [column, column + SLICE) of the keys or values [firstKey, firstKey + 32); zeros beyond the row.
template <typename S, int SLICE>
__device__ __forceinline__ void load_tile(float* tile, const S* source, int tokenStride, int firstKey, int rowLength,
                                          int column, int headStride) {
    constexpr int CHUNKS = SLICE / CHUNK;
    for (int i = static_cast<int>(threadIdx.x); i < KEYS * CHUNKS; i += BLOCK) {
        const int key = i / CHUNKS;
        const int at = i % CHUNKS * CHUNK;
        float values[CHUNK] = {};
        if (firstKey + key < rowLength && column + at < headStride) {
            load_chunk(row_start(source, firstKey + key, tokenStride) + column + at, values);
        }
        store_chunk(tile + key * (SLICE + PAD) + at, values);
    }
}

// P <= SLICES * SLICE; a lane owns columns lane, lane + 32 (if SLICE = 64) of each slice.
template <typename S, int SLICES, int SLICE>
__device__ __forceinline__ void attend(S* out, const S* qkv, const AttentionParameters& p,
                                       const AttentionBlock& block) {
    constexpr int COLUMNS = SLICE / WARP;
    const Shared shared(dynamic_shared_memory(), p.headStride);
    const ScoreRules rules(p, block.head);
    const int headStride = p.headStride;
    const int slices = (headStride + SLICE - 1) / SLICE;

    // queries [32, P] with their bias, zeros beyond the row
    const S* queries = block.queries(qkv, p);
    const float* bias = block.query_bias(p);
    const int queryChunks = headStride / CHUNK;
#pragma unroll 1
    for (int i = static_cast<int>(threadIdx.x); i < QUERIES_PER_BLOCK * queryChunks; i += BLOCK) {
        const int query = block.firstQuery + i / queryChunks;
        const int column = i % queryChunks * CHUNK;
        float values[CHUNK] = {};
        if (query < block.rowLength) {
            load_chunk(row_start(queries, query, block.tokenStride) + column, values);
            if (bias != nullptr) {
                add_chunk(bias + column, values);
            }
        }
        store_chunk(shared.queries + i / queryChunks * headStride + column, values);
    }

    const int warpFirst = block.firstQuery + warp_index() * QUERIES_PER_WARP;
    const int warpLast = min(warpFirst + QUERIES_PER_WARP, block.rowLength) - 1;
    const float* warpQueries = shared.queries + warp_index() * QUERIES_PER_WARP * headStride;
    const int warpFirstKey = rules.first_key(warpFirst);
    const int warpEndKey = warpLast < warpFirst ? 0 : rules.end_key(warpLast, block.rowLength);

    float maximum[QUERIES_PER_WARP]; // the same in all lanes
    float sum[QUERIES_PER_WARP];     // of this lane's keys only, until the end
    float output[SLICES][QUERIES_PER_WARP][COLUMNS];
#pragma unroll
    for (int q = 0; q < QUERIES_PER_WARP; q++) {
        maximum[q] = -INFINITY;
        sum[q] = 0.0f;
#pragma unroll
        for (int slice = 0; slice < SLICES; slice++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                output[slice][q][c] = 0.0f;
            }
        }
    }

    const int blockLast = min(block.firstQuery + QUERIES_PER_BLOCK, block.rowLength) - 1;
    const int endKey = rules.end_key(blockLast, block.rowLength);
    for (int firstKey = rules.first_key(block.firstQuery); firstKey < endKey; firstKey += KEYS) {
        // Warps without a query here still load and wait with the others.
        const bool takesPart = firstKey < warpEndKey && firstKey + KEYS > warpFirstKey;

        // scores [8 queries] of this lane's key
        float scores[QUERIES_PER_WARP] = {};
#pragma unroll 1
        for (int slice = 0; slice < slices; slice++) {
            __syncthreads();
            load_tile<S, SLICE>(shared.tile, block.keys(qkv, p), block.tokenStride, firstKey, block.rowLength,
                                slice * SLICE, headStride);
            __syncthreads();
            if (takesPart) {
                const float* keyRow = shared.tile + lane_index() * (SLICE + PAD);
                const float* queryColumns = warpQueries + slice * SLICE;
                const int columns = min(SLICE, headStride - slice * SLICE);
#pragma unroll 2
                for (int column = 0; column < columns; column += 4) {
                    const float4 k = *reinterpret_cast<const float4*>(keyRow + column);
#pragma unroll
                    for (int q = 0; q < QUERIES_PER_WARP; q++) {
                        const float4 x = *reinterpret_cast<const float4*>(queryColumns + q * headStride + column);
                        scores[q] += x.x * k.x + x.y * k.y + x.z * k.z + x.w * k.w;
                    }
                }
            }
        }

        if (takesPart) {
            const auto place = [&](int q) { return ScorePlace{warpFirst + q, firstKey + lane_index()}; };
            rules.apply(scores, place);
            rules.mask(scores, block.rowLength, place);
#pragma unroll
            for (int q = 0; q < QUERIES_PER_WARP; q++) {
                const float newMaximum = fmaxf(maximum[q], warp_max(scores[q]));
                const float base = exponent_base(newMaximum);
                const float correction = exp2_of(maximum[q] - base);
                const float weight = exp2_of(scores[q] - base);
                maximum[q] = newMaximum;
                sum[q] = sum[q] * correction + weight;
                shared.weights[lane_index() * QUERIES_PER_WARP + q] = weight;
#pragma unroll
                for (int slice = 0; slice < SLICES; slice++) {
#pragma unroll
                    for (int c = 0; c < COLUMNS; c++) {
                        output[slice][q][c] *= correction;
                    }
                }
            }
            __syncwarp();
        }

        const int keys = min(KEYS, endKey - firstKey);
#pragma unroll
        for (int slice = 0; slice < SLICES; slice++) {
            if (slice >= slices) {
                break;
            }
            __syncthreads();
            load_tile<S, SLICE>(shared.tile, block.values(qkv, p), block.tokenStride, firstKey, block.rowLength,
                                slice * SLICE, headStride);
            __syncthreads();
            if (takesPart) {
#pragma unroll 2
                for (int key = 0; key < keys; key++) {
                    float weights[QUERIES_PER_WARP];
                    load_chunk(shared.weights + key * QUERIES_PER_WARP, weights);
#pragma unroll
                    for (int c = 0; c < COLUMNS; c++) {
                        const float value = shared.tile[key * (SLICE + PAD) + lane_index() + c * WARP];
#pragma unroll
                        for (int q = 0; q < QUERIES_PER_WARP; q++) {
                            output[slice][q][c] += weights[q] * value;
                        }
                    }
                }
            }
        }
    }

    // out [T, A * P]; value columns in [d, P) are zero and so are the output's
    S* outRows = block.output(out, p);
#pragma unroll
    for (int q = 0; q < QUERIES_PER_WARP; q++) {
        const float inverse = 1.0f / warp_sum(sum[q]);
        S* outRow = row_start(outRows, warpFirst + q, p.heads * headStride);
#pragma unroll
        for (int slice = 0; slice < SLICES; slice++) {
#pragma unroll
            for (int c = 0; c < COLUMNS; c++) {
                const int column = slice * SLICE + lane_index() + c * WARP;
                if (warpFirst + q <= warpLast && column < headStride) {
                    outRow[column] = from_float<S>(output[slice][q][c] * inverse);
                }
            }
        }
    }
}

template <typename S>
__device__ __forceinline__ void attend_any_head_size(S* out, const S* qkv, const AttentionParameters& p) {
    static_assert(QUERIES_PER_WARP == CHUNK, "weights of a key are read as one chunk");
    if (static_cast<int>(blockIdx.x) >= p.shape[2]) {
        return;
    }
    const AttentionBlock block(p);
    if constexpr (std::is_same<S, float>::value) {
        // Small models in fp32 come here on every device, those in 16 bits on old ones only.
        if (p.headStride <= 32) {
            return attend<S, 1, 32>(out, qkv, p, block);
        }
    }
    if (p.headStride <= 64) {
        attend<S, 1, 64>(out, qkv, p, block);
    } else {
        attend<S, 4, 64>(out, qkv, p, block);
    }
}

} // namespace online_softmax

#define INSTANTIATE(SUFFIX, S)                                                                                       \
    extern "C" __global__ void __launch_bounds__(online_softmax::BLOCK, 4) attention_packed_online_softmax_##SUFFIX( \
        S* out, const S* qkv, const float* queryBias, const int* shape, const int* cuSeqLens, const int* work,       \
        const float* distanceBias, int biasReach, const float* alibiSlopes, float scale, float softcap, int causal,  \
        int window, int heads, int keyValueHeads, int headStride) {                                                  \
        online_softmax::attend_any_head_size<S>(                                                                     \
            out, qkv,                                                                                                \
            AttentionParameters{queryBias, shape, cuSeqLens, work, distanceBias, biasReach, alibiSlopes, scale,      \
                                softcap, causal != 0, window, heads, keyValueHeads, headStride});                    \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
