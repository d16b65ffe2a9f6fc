// SPDX-License-Identifier: Apache-2.0
//
// From the output of the QKV projection to what attention reads, in place: bias, then RMS norm of each query and key
// head (where the model has one), then rotation of queries and keys by their position (rotary embedding).
//
// qkv [T, (A + 2K) * P]: A query heads, K key heads, K value heads, each P wide of which d are used; P - d zeros stay
// zeros.
//
// Idea: a warp holds one head of one token in registers, so that norm and rotation need no second pass. The R rotated
// columns are pairs, (i, i + R/2) in halves or (2i, 2i + 1) as neighbours; a lane owns whole pairs, so none is
// exchanged. Cost: reads and writes [T, (A + 2K) * d] once (without a bias values are not touched).
//
// Launch: grid.x = tokens, grid.y = ceil((A + 2K) / 4), block 128: one warp a head. d <= 256.
#include "device/warp.cuh"

constexpr int MAX_HEAD_SIZE = 256;
constexpr int MAX_PAIRS_PER_LANE = MAX_HEAD_SIZE / 2 / WARP;

struct Rotary {
    const float* cosines; // [positions, dimension / 2], nullable: no rotation
    const float* sines;   // likewise
    int dimension;
    bool neighbours;
};

// The two columns of pair i. Columns that are not rotated are paired up too: (R + 2j, R + 2j + 1).
struct ColumnPair {
    int first;
    int second;
    bool rotated;
};

__device__ __forceinline__ ColumnPair column_pair(int i, const Rotary& rotary) {
    const int half = rotary.dimension / 2;
    if (i >= half || rotary.neighbours) {
        return ColumnPair{2 * i, 2 * i + 1, i < half};
    }
    return ColumnPair{i, i + half, true};
}

template <typename S>
__device__ __forceinline__ void qkv_bias_rotary(S* qkv, const int* count, const float* bias, const int* positions,
                                                Rotary rotary, const float* queryGain, const float* keyGain,
                                                float epsilon, int heads, int keyValueHeads, int headSize,
                                                int headStride) {
    const int token = static_cast<int>(blockIdx.x);
    const int head = static_cast<int>(blockIdx.y) * ROWS_PER_BLOCK + warp_index();
    const int allHeads = heads + 2 * keyValueHeads;
    if (token >= *count || head >= allHeads) {
        return;
    }
    const bool isValue = head >= heads + keyValueHeads;
    if (isValue && bias == nullptr) {
        return;
    }
    S* row = row_start(qkv, token, allHeads * headStride) + head * headStride;
    const float* headBias = bias == nullptr ? nullptr : bias + head * headStride;

    // Pair lane + 32 j of this head; a column at or beyond d is absent.
    float first[MAX_PAIRS_PER_LANE];
    float second[MAX_PAIRS_PER_LANE];
    const auto load = [&](int column) {
        if (column >= headSize) {
            return 0.0f;
        }
        return to_float(row[column]) + (headBias == nullptr ? 0.0f : headBias[column]);
    };
    float squares = 0.0f;
#pragma unroll
    for (int j = 0; j < MAX_PAIRS_PER_LANE; j++) {
        const ColumnPair pair = column_pair(lane_index() + j * WARP, rotary);
        first[j] = load(pair.first);
        second[j] = load(pair.second);
        squares += first[j] * first[j] + second[j] * second[j];
    }

    const float* gain = isValue ? nullptr : head < heads ? queryGain : keyGain;
    if (gain != nullptr) {
        const float inverse = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(headSize) + epsilon);
#pragma unroll
        for (int j = 0; j < MAX_PAIRS_PER_LANE; j++) {
            const ColumnPair pair = column_pair(lane_index() + j * WARP, rotary);
            first[j] *= pair.first < headSize ? inverse * gain[pair.first] : 0.0f;
            second[j] *= pair.second < headSize ? inverse * gain[pair.second] : 0.0f;
        }
    }

    const bool rotates = !isValue && rotary.cosines != nullptr;
    const int half = rotary.dimension / 2;
    const float* cosines = rotates ? row_start(rotary.cosines, positions[token], half) : nullptr;
    const float* sines = rotates ? row_start(rotary.sines, positions[token], half) : nullptr;
#pragma unroll
    for (int j = 0; j < MAX_PAIRS_PER_LANE; j++) {
        const int i = lane_index() + j * WARP;
        const ColumnPair pair = column_pair(i, rotary);
        float x = first[j];
        float y = second[j];
        if (rotates && pair.rotated) {
            const float cosine = cosines[i];
            const float sine = sines[i];
            const float turned = x * cosine - y * sine;
            y = y * cosine + x * sine;
            x = turned;
        }
        if (pair.first < headSize) {
            row[pair.first] = from_float<S>(x);
        }
        if (pair.second < headSize) {
            row[pair.second] = from_float<S>(y);
        }
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                                       \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK) qkv_bias_rotary_##SUFFIX(                                \
        S* qkv, const int* count, const float* bias, const int* positions, const float* cosines, const float* sines, \
        int rotaryDimension, int neighbours, const float* queryGain, const float* keyGain, float epsilon, int heads, \
        int keyValueHeads, int headSize, int headStride) {                                                           \
        qkv_bias_rotary<S>(qkv, count, bias, positions,                                                              \
                           Rotary{cosines, sines, cosines == nullptr ? 0 : rotaryDimension, neighbours != 0},        \
                           queryGain, keyGain, epsilon, heads, keyValueHeads, headSize, headStride);                 \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
