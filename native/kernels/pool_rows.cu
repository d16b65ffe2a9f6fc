// SPDX-License-Identifier: Apache-2.0
//
// From token vectors to one vector a row, in fp32, optionally of unit length.
// Pools tokens [cuSeqLens[b] + poolStarts[b], cuSeqLens[b + 1]) of row b; only the first `dimension` columns are made,
// and the norm is theirs. The twin is io.embed4j.core.math.PoolingHead.
//
// Idea: one block a row. The block's columns are swept 256 at a time (8 a lane); its warps share out the tokens and add
// their sums in a fixed order, so a row's bits do not depend on its neighbours. Reads the pooled tokens once.
// Error: sums of 4 tokens are added before they meet the running sum, which keeps long rows exact to a few ulp.
//
// Launch: grid.x = rows, block 128 or 256.
#include "device/warp.cuh"

// Numbers are the ordinals of io.embed4j.spec.PoolingMode; the last one is ours: row b of `hidden` is the result.
enum Pooling {
    POOL_CLS = 0,
    POOL_MEAN = 1,
    POOL_MAX = 2,
    POOL_MEAN_SQRT_LENGTH = 3,
    POOL_WEIGHTED_MEAN = 4,
    POOL_LAST_TOKEN = 5,
    POOL_GATHERED_ROW = 6
};

constexpr int POOL_MAX_BLOCK = 256;
constexpr int POOL_MAX_WARPS = POOL_MAX_BLOCK / WARP;
constexpr int POOL_COLUMNS = WARP * CHUNK;
constexpr int POOL_UNROLL = 4;

struct PooledTokens {
    int rowStart; // first token of the row: places count from here
    int from;
    int end;
    float divisor;
    bool byPlace; // weigh by the place in the row, from 1
    bool maximum;
};

__device__ __forceinline__ PooledTokens pooled_tokens(int row, const int* cuSeqLens, const int* poolStarts, int mode) {
    if (mode == POOL_GATHERED_ROW) {
        return PooledTokens{row, row, row + 1, 1.0f, false, false};
    }
    const int start = cuSeqLens[row];
    const int from = start + poolStarts[row];
    const int end = cuSeqLens[row + 1];
    const float length = static_cast<float>(end - from);
    switch (mode) {
        case POOL_CLS:
            return PooledTokens{start, from, from + 1, 1.0f, false, false};
        case POOL_LAST_TOKEN:
            return PooledTokens{start, end - 1, end, 1.0f, false, false};
        case POOL_MAX:
            return PooledTokens{start, from, end, 1.0f, false, true};
        case POOL_MEAN_SQRT_LENGTH:
            return PooledTokens{start, from, end, sqrtf(length), false, false};
        case POOL_WEIGHTED_MEAN: {
            // places from - start + 1, ..., end - start add up to this
            const float ends = static_cast<float>(from - start + 1) + static_cast<float>(end - start);
            return PooledTokens{start, from, end, ends * length * 0.5f, true, false};
        }
        default:
            return PooledTokens{start, from, end, length, false, false};
    }
}

// Unlike fmaxf this keeps NaN, which tells the host that an activation overflowed.
__device__ __forceinline__ float max_or_nan(float a, float b) {
    return a > b || a != a ? a : b;
}

// One lane's 8 columns over the tokens of its warp.
template <typename S>
__device__ __forceinline__ void pool_columns(const PooledTokens& tokens, const S* hidden, int column, int stride,
                                             float (&pooled)[CHUNK]) {
    const int warps = static_cast<int>(blockDim.x) / WARP;
    const float neutral = tokens.maximum ? -INFINITY : 0.0f;
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        pooled[i] = neutral;
    }
    for (int token = tokens.from + warp_index(); token < tokens.end; token += POOL_UNROLL * warps) {
        float values[POOL_UNROLL][CHUNK];
#pragma unroll
        for (int u = 0; u < POOL_UNROLL; u++) {
            const int at = token + u * warps;
            if (at < tokens.end) {
                load_chunk(row_start(hidden, at, stride) + column, values[u]);
            } else {
#pragma unroll
                for (int i = 0; i < CHUNK; i++) {
                    values[u][i] = neutral;
                }
            }
            if (tokens.byPlace) {
                const float place = static_cast<float>(at - tokens.rowStart + 1);
#pragma unroll
                for (int i = 0; i < CHUNK; i++) {
                    values[u][i] *= place;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            if (tokens.maximum) {
                const float low = max_or_nan(values[0][i], values[1][i]);
                const float high = max_or_nan(values[2][i], values[3][i]);
                pooled[i] = max_or_nan(max_or_nan(low, high), pooled[i]);
            } else {
                pooled[i] += (values[0][i] + values[1][i]) + (values[2][i] + values[3][i]);
            }
        }
    }
}

template <typename S>
static __device__ __forceinline__ void pool_rows(float* out, const int* shape, const S* hidden, const int* cuSeqLens,
                                                 const int* poolStarts, int mode, int stride, int outStride,
                                                 int outOffset, int dimension, bool normalize) {
    // One row of partial results a warp.
    __shared__ float partial[POOL_MAX_WARPS][POOL_COLUMNS];
    __shared__ float partialSquares[POOL_MAX_WARPS];
    const int row = static_cast<int>(blockIdx.x);
    if (row >= shape[1]) {
        return;
    }
    const int threads = static_cast<int>(blockDim.x);
    const int warps = threads / WARP;
    const PooledTokens tokens = pooled_tokens(row, cuSeqLens, poolStarts, mode);
    float* outRow = row_start(out, row, outStride) + outOffset;

    float squares = 0.0f;
    for (int firstColumn = 0; firstColumn < dimension; firstColumn += POOL_COLUMNS) {
        const int laneColumn = firstColumn + lane_index() * CHUNK;
        if (laneColumn < stride) {
            float pooled[CHUNK];
            pool_columns(tokens, hidden, laneColumn, stride, pooled);
            store_chunk(&partial[warp_index()][lane_index() * CHUNK], pooled);
        }
        __syncthreads();
        for (int i = static_cast<int>(threadIdx.x); i < POOL_COLUMNS && firstColumn + i < dimension; i += threads) {
            float value = partial[0][i];
            for (int warp = 1; warp < warps; warp++) {
                value = tokens.maximum ? max_or_nan(value, partial[warp][i]) : value + partial[warp][i];
            }
            value /= tokens.divisor;
            squares += value * value;
            outRow[firstColumn + i] = value;
        }
        __syncthreads(); // the next sweep overwrites `partial`
    }
    if (!normalize) {
        return;
    }
    squares = warp_sum(squares);
    if (lane_index() == 0) {
        partialSquares[warp_index()] = squares;
    }
    __syncthreads();
    float total = 0.0f;
    for (int warp = 0; warp < warps; warp++) {
        total += partialSquares[warp];
    }
    const float norm = fmaxf(sqrtf(total), 1e-12f);
    // Thread i wrote columns i, i + threads, ... of each sweep: where the block has fewer threads than a sweep has
    // columns, that is still column i modulo the number of threads, so each thread scales what it wrote itself.
    for (int column = static_cast<int>(threadIdx.x); column < dimension; column += threads) {
        outRow[column] /= norm;
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                                 \
    extern "C" __global__ void __launch_bounds__(POOL_MAX_BLOCK) pool_rows_##SUFFIX(                           \
        float* out, const int* shape, const S* hidden, const int* cuSeqLens, const int* poolStarts, int mode,  \
        [[maybe_unused]] int width, int stride, int outStride, int outOffset, int dimension, int normalize) {  \
        pool_rows<S>(out, shape, hidden, cuSeqLens, poolStarts, mode, stride, outStride, outOffset, dimension, \
                     normalize != 0);                                                                          \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
