// SPDX-License-Identifier: Apache-2.0
//
// From the output of the QKV projection to what attention reads, in place: bias, then RMS norm of each query and key
// head (where the model has one), then rotation of queries and keys by their position (rotary embedding). Launched only
// where something other than a bias is to be done to them. Values stay as they are: their bias went into the bias of
// the output product.
//
// qkv [T, (A + 2K) * P]: A query heads, K key heads, K value heads, each P wide of which d are used; P - d zeros stay
// zeros. bias [(A + K) * P].
//
// Idea: a lane holds 8 columns of a head, so a head of 64 takes 8 lanes and a warp holds 4 of them. The norm is a
// butterfly over the lanes of a head. Rotation pairs column i with i + R/2 (halves) or 2i with 2i + 1 (neighbours): a
// neighbour is in the same lane, the other half is read a second time, from L1, before anybody writes.
// Cost: reads and writes [T, (A + K) * d] once; bound by memory.
//
// Launch: L = P / 8 rounded up to a power of two; grid.x = ceil(tokens * (A + K) * L / 128), block 128. d <= 256.
// Surplus blocks do no harm.
#include "device/warp.cuh"

struct Rotary {
    const float* cosines; // [positions, dimension / 2], nullable: no rotation
    const float* sines;   // likewise
    int dimension;
    bool neighbours;
};

// One head of one token: what its numbers go through before they are rotated.
template <typename S>
struct HeadNumbers {
    const S* head;     // [P]
    const float* bias; // [P], nullable
    const float* gain; // [d], nullable: no norm
    int headSize;
    float inverseRootMeanSquare; // known after the first pass

    __device__ __forceinline__ float at(int column) const {
        float x = to_float(head[column]);
        if (bias != nullptr) {
            x += bias[column];
        }
        return gain == nullptr ? x : x * inverseRootMeanSquare * gain[column];
    }

    // Columns [column, column + 8) with their bias, at a multiple of 8; padding is zero and stays so.
    __device__ __forceinline__ void load_biased(int column, float (&values)[CHUNK]) const {
        load_chunk(head + column, values);
        if (bias != nullptr) {
            add_chunk(bias + column, values);
        }
    }

    __device__ __forceinline__ void normalize(int column, float (&values)[CHUNK]) const {
        if (gain != nullptr) {
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                // The gain ends with the head, which need not be a multiple of 8.
                values[i] *= column + i < headSize ? inverseRootMeanSquare * gain[column + i] : 0.0f;
            }
        }
    }
};

// values [8 columns of a head] turned by the angles of their position
template <typename S>
__device__ __forceinline__ void rotate(float (&values)[CHUNK], int column, const HeadNumbers<S>& numbers,
                                       const float* cosines, const float* sines, const Rotary& rotary) {
    const int half = rotary.dimension / 2;
    float partners[CHUNK];
    if (rotary.neighbours) {
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            partners[i] = values[i ^ 1];
        }
    } else if (half % CHUNK == 0) {
        const int other = column < half ? column + half : column - half;
        numbers.load_biased(other, partners);
        numbers.normalize(other, partners);
    } else {
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            const int other = column + i < half ? column + i + half : column + i - half;
            partners[i] = column + i < rotary.dimension ? numbers.at(other) : 0.0f;
        }
    }
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        const int at = column + i;
        if (at < rotary.dimension) {
            const int angle = rotary.neighbours ? at / 2 : at < half ? at : at - half;
            const bool first = rotary.neighbours ? at % 2 == 0 : at < half;
            // (x, y) -> (x cos - y sin, y cos + x sin)
            values[i] = values[i] * cosines[angle] + (first ? -partners[i] : partners[i]) * sines[angle];
        }
    }
}

template <typename S>
__device__ __forceinline__ void query_key_bias_rotary(S* qkv, const int* count, const float* bias, const int* positions,
                                                      Rotary rotary, const float* queryGain, const float* keyGain,
                                                      float epsilon, int heads, int keyValueHeads, int headSize,
                                                      int headStride) {
    const int preparedHeads = heads + keyValueHeads;
    int lanes = 1;
    while (lanes * CHUNK < headStride) {
        lanes *= 2;
    }
    const int block = static_cast<int>(blockIdx.x);
    const int headsPerBlock = static_cast<int>(blockDim.x) / lanes;
    const int end = *count * preparedHeads;
    if (block * headsPerBlock >= end) {
        return; // the whole block: from here on all lanes of a warp take part in shuffles
    }
    const int index = block * headsPerBlock + static_cast<int>(threadIdx.x) / lanes;
    const int token = index / preparedHeads;
    const int head = index % preparedHeads;
    const int column = static_cast<int>(threadIdx.x) % lanes * CHUNK;
    const bool present = index < end && column < headStride;

    S* numbersOfHead = row_start(qkv, token, (preparedHeads + keyValueHeads) * headStride) + head * headStride;
    HeadNumbers<S> numbers{numbersOfHead, bias == nullptr ? nullptr : bias + head * headStride,
                           head < heads ? queryGain : keyGain, headSize, 1.0f};
    float values[CHUNK] = {};
    if (present) {
        numbers.load_biased(column, values);
    }
    if (queryGain != nullptr) {
        float squares = 0.0f;
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            squares += values[i] * values[i];
        }
        for (int offset = lanes / 2; offset > 0; offset /= 2) {
            squares += __shfl_xor_sync(ALL_LANES, squares, offset);
        }
        numbers.inverseRootMeanSquare = 1.0f / sqrtf(squares / static_cast<float>(headSize) + epsilon);
        numbers.normalize(column, values);
    }
    if (present && rotary.cosines != nullptr && column < rotary.dimension) {
        const int half = rotary.dimension / 2;
        rotate(values, column, numbers, row_start(rotary.cosines, positions[token], half),
               row_start(rotary.sines, positions[token], half), rotary);
    }
    __syncwarp(); // all lanes of a head have read their partners
    if (present) {
        store_chunk(numbersOfHead + column, values);
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                                       \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK) query_key_bias_rotary_##SUFFIX(                          \
        S* qkv, const int* count, const float* bias, const int* positions, const float* cosines, const float* sines, \
        int rotaryDimension, int neighbours, const float* queryGain, const float* keyGain, float epsilon, int heads, \
        int keyValueHeads, int headSize, int headStride) {                                                           \
        query_key_bias_rotary<S>(qkv, count, bias, positions,                                                        \
                                 Rotary{cosines, sines, rotaryDimension, neighbours != 0}, queryGain, keyGain,       \
                                 epsilon, heads, keyValueHeads, headSize, headStride);                               \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
