// SPDX-License-Identifier: Apache-2.0
//
// Embedding: out[t] = norm(scale * tokenTable[tokenIds[t]] + positionTable[positions[t]] + typeTable[typeIds[t]])
//
// Idea: the three gathers and the norm in one pass, one warp a token. Reads up to 3 rows and writes one; tables of
// small models stay in L2, so the cost is about that of writing [T, H].
//
// Launch: grid.x = ceil(tokens / 4), block 128.
#include "device/row_norm.cuh"

template <typename S>
__device__ __forceinline__ void embedding_gather_norm(S* out, const int* count, const int* tokenIds, const int* typeIds,
                                                      const int* positions, const S* tokenTable, const S* positionTable,
                                                      const S* typeTable, float scale, NormParameters norm, int width,
                                                      int stride) {
    const int token = warp_row();
    if (token >= *count) {
        return;
    }
    // out [T, stride], tables [rows of the table, stride]
    S* outRow = row_start(out, token, stride);
    const S* tokenRow = row_start(tokenTable, tokenIds[token], stride);
    const S* positionRow = positionTable == nullptr ? nullptr : row_start(positionTable, positions[token], stride);
    const S* typeRow = typeTable == nullptr ? nullptr : row_start(typeTable, typeIds[token], stride);

    const auto load = [&](int column, float (&values)[CHUNK]) {
        float addend[CHUNK];
        load_chunk(tokenRow + column, values);
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            values[i] *= scale;
        }
        if (typeRow != nullptr) {
            load_chunk(typeRow + column, addend);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                values[i] += addend[i];
            }
        }
        if (positionRow != nullptr) {
            load_chunk(positionRow + column, addend);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                values[i] += addend[i];
            }
        }
    };
    const auto store = [&](int column, const float (&)[CHUNK], const float (&normed)[CHUNK]) {
        store_chunk(outRow + column, normed);
    };
    norm_row<S>(norm, width, stride, load, store);
}

#define INSTANTIATE(SUFFIX, S)                                                                                        \
    extern "C" __global__ void __launch_bounds__(ROW_BLOCK) embedding_gather_norm_##SUFFIX(                           \
        S* out, const int* count, const int* tokenIds, const int* typeIds, const int* positions, const S* tokenTable, \
        const S* positionTable, const S* typeTable, float scale, const float* gain, const float* bias, float epsilon, \
        int rmsNorm, int width, int stride) {                                                                         \
        embedding_gather_norm<S>(out, count, tokenIds, typeIds, positions, tokenTable, positionTable, typeTable,      \
                                 scale, NormParameters{gain, bias, epsilon, rmsNorm != 0}, width, stride);            \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
