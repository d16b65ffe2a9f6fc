// SPDX-License-Identifier: Apache-2.0
//
// What both attention kernels agree on: the layout of their input, which keys a query sees, and how a dot product
// becomes a score. Scores are in units of log2, so that softmax needs exp2 only; the factor is folded into scale, cap
// and slope.
//
// Queries come without their bias where nothing stands between it and the scores; it is added in fp32 as they are
// loaded. Keys and values need none: a key's adds the same number to all scores of a query, which softmax does not see,
// and the host adds a value's to the bias of the output product.
#pragma once

#include "warp.cuh"

constexpr float LOG2_E = 1.4426950408889634f;

// 2^x. The instruction by itself: exp2f wraps it to keep subnormal results, which a softmax weight may lose.
__device__ __forceinline__ float exp2_of(float x) {
#ifdef EMBED4J_EMULATED
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

// (e^2x - 1) / (e^2x + 1). About 1e-7 of absolute error; tanhf is several times as long and there are 32 a lane.
__device__ __forceinline__ float tanh_of(float x) {
    return 1.0f - __fdividef(2.0f, 1.0f + exp2_of(2.0f * LOG2_E * x));
}

// Where a score stands, within the row.
struct ScorePlace {
    int query;
    int key;
};

// As launched. qkv [T, (A + 2K) * P], out [T, A * P].
struct AttentionParameters {
    const float* queryBias;    // [A * P], zeros between d and P; nullable
    const int* shape;          // {tokens, rows, work items, longest row}
    const int* cuSeqLens;      // [rows + 1]
    const int* work;           // [work items, 2] = row, first query
    const float* distanceBias; // [A, 2 * biasReach + 1], nullable
    int biasReach;
    const float* alibiSlopes; // [A], nullable
    float scale;
    float softcap; // 0: none
    bool causal;
    int window; // -1: none
    int heads;
    int keyValueHeads;
    int headStride;
};

// How the scores of one head are made.
struct ScoreRules {
    const float* distanceBias; // entry 0 is distance 0
    int biasReach;
    float scale;
    float cap; // 0: none
    float slope;
    bool causal;
    int window;

    __device__ __forceinline__ ScoreRules(const AttentionParameters& p, int head)
        : distanceBias(p.distanceBias == nullptr
                           ? nullptr
                           : p.distanceBias + static_cast<size_t>(head) * (2 * p.biasReach + 1) + p.biasReach),
          biasReach(p.biasReach),
          scale(p.softcap > 0.0f ? p.scale / p.softcap : p.scale * LOG2_E),
          cap(p.softcap > 0.0f ? p.softcap * LOG2_E : 0.0f),
          slope(p.alibiSlopes == nullptr ? 0.0f : p.alibiSlopes[head] * LOG2_E),
          causal(p.causal),
          window(p.window) {}

    // True if a score is no more than a scaled dot product.
    __device__ __forceinline__ bool plain() const { return distanceBias == nullptr && cap == 0.0f && slope == 0.0f; }

    // Dot products to scores. `place` gives the query and key of score i. One pass for each rule that applies: their
    // branches are the whole block's, and no pass is paid for by models without the rule.
    template <int N, typename Place>
    __device__ __forceinline__ void apply(float (&scores)[N], const Place& place) const {
#pragma unroll
        for (int i = 0; i < N; i++) {
            scores[i] *= scale;
        }
        if (cap > 0.0f) {
#pragma unroll
            for (int i = 0; i < N; i++) {
                scores[i] = cap * tanh_of(scores[i]);
            }
        }
        if (distanceBias != nullptr) {
#pragma unroll
            for (int i = 0; i < N; i++) {
                const int distance = place(i).key - place(i).query;
                scores[i] += LOG2_E * distanceBias[max(-biasReach, min(biasReach, distance))];
            }
        }
        if (slope != 0.0f) {
#pragma unroll
            for (int i = 0; i < N; i++) {
                const int distance = place(i).key - place(i).query;
                scores[i] -= slope * static_cast<float>(distance < 0 ? -distance : distance);
            }
        }
    }

    // Takes scores of keys that are not there, or not seen, to -inf. What a query sees is one interval, hence one
    // comparison.
    template <int N, typename Place>
    __device__ __forceinline__ void mask(float (&scores)[N], int rowLength, const Place& place) const {
#pragma unroll
        for (int i = 0; i < N; i++) {
            const int first = first_key(place(i).query);
            const unsigned length = static_cast<unsigned>(max(0, end_key(place(i).query, rowLength) - first));
            scores[i] = static_cast<unsigned>(place(i).key - first) < length ? scores[i] : -INFINITY;
        }
    }

    // Keys [first, end) that any of the queries [firstQuery, lastQuery] sees.
    __device__ __forceinline__ int first_key(int firstQuery) const {
        return window < 0 ? 0 : max(0, firstQuery - window);
    }
    __device__ __forceinline__ int end_key(int lastQuery, int rowLength) const {
        int end = rowLength;
        if (causal) {
            end = min(end, lastQuery + 1);
        }
        return window < 0 ? end : min(end, lastQuery + min(window, rowLength) + 1);
    }
    // True if each of these queries sees each of these keys.
    __device__ __forceinline__ bool all_seen(int firstQuery, int lastQuery, int firstKey, int lastKey) const {
        return (!causal || lastKey <= firstQuery) &&
               (window < 0 || (lastKey - firstQuery <= window && lastQuery - firstKey <= window));
    }
};

// Where one block's queries, keys and values are.
struct AttentionBlock {
    int head;
    int keyValueHead;
    int rowStart;   // first token of the row
    int rowLength;  // tokens of the row
    int firstQuery; // within the row
    int tokenStride;

    __device__ __forceinline__ AttentionBlock(const AttentionParameters& p)
        : head(static_cast<int>(blockIdx.y)),
          keyValueHead(head / (p.heads / p.keyValueHeads)),
          rowStart(p.cuSeqLens[p.work[2 * blockIdx.x]]),
          rowLength(p.cuSeqLens[p.work[2 * blockIdx.x] + 1] - rowStart),
          firstQuery(p.work[2 * blockIdx.x + 1]),
          tokenStride((p.heads + 2 * p.keyValueHeads) * p.headStride) {}

    // Start of this head of the row's first token; the next token is tokenStride further.
    template <typename S>
    __device__ __forceinline__ const S* queries(const S* qkv, const AttentionParameters& p) const {
        return row_start(qkv, rowStart, tokenStride) + head * p.headStride;
    }
    // What is added to this head's queries [P], nullable.
    __device__ __forceinline__ const float* query_bias(const AttentionParameters& p) const {
        return p.queryBias == nullptr ? nullptr : p.queryBias + head * p.headStride;
    }
    template <typename S>
    __device__ __forceinline__ const S* keys(const S* qkv, const AttentionParameters& p) const {
        return row_start(qkv, rowStart, tokenStride) + (p.heads + keyValueHead) * p.headStride;
    }
    template <typename S>
    __device__ __forceinline__ const S* values(const S* qkv, const AttentionParameters& p) const {
        return row_start(qkv, rowStart, tokenStride) + (p.heads + p.keyValueHeads + keyValueHead) * p.headStride;
    }
    template <typename S>
    __device__ __forceinline__ S* output(S* out, const AttentionParameters& p) const {
        return row_start(out, rowStart, p.heads * p.headStride) + head * p.headStride;
    }
};

// What to subtract before exp2: a query that has seen no key yet has the maximum -inf, and -inf - -inf is no number.
__device__ __forceinline__ float exponent_base(float maximum) {
    return maximum == -INFINITY ? 0.0f : maximum;
}
