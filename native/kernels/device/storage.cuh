// SPDX-License-Identifier: Apache-2.0
//
// Storage types and how they are read and written.
//
// Tensors are stored as S = float, __half or __nv_bfloat16 and computed in fp32. Rows start at multiples of 8 elements,
// so a row is moved in chunks of 8: one 16-byte access for the 16-bit types, two for float.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

// One instantiation of a kernel for each storage type: INSTANTIATE(suffix of the name, type).
#define EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE) \
    INSTANTIATE(fp32, float)                       \
    INSTANTIATE(fp16, __half)                      \
    INSTANTIATE(bf16, __nv_bfloat16)

constexpr int CHUNK = 8;
constexpr int WARP = 32;
constexpr int ROWS_PER_BLOCK = 4; // kernels with one warp a row
constexpr int ROW_BLOCK = WARP * ROWS_PER_BLOCK;

__device__ __forceinline__ float to_float(float x) {
    return x;
}
__device__ __forceinline__ float to_float(__half x) {
    return __half2float(x);
}
__device__ __forceinline__ float to_float(__nv_bfloat16 x) {
    return __bfloat162float(x);
}

template <typename S>
__device__ __forceinline__ S from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
    return x;
}
template <>
__device__ __forceinline__ __half from_float<__half>(float x) {
    return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
    return __float2bfloat16_rn(x);
}

// Two values in one 32-bit register, the first in the lower half, as tensor core fragments want them.
template <typename S>
__device__ __forceinline__ uint32_t pack_pair(float low, float high);
template <>
__device__ __forceinline__ uint32_t pack_pair<__half>(float low, float high) {
    const __half2 pair = __floats2half2_rn(low, high);
    uint32_t word;
    memcpy(&word, &pair, sizeof(word));
    return word;
}
template <>
__device__ __forceinline__ uint32_t pack_pair<__nv_bfloat16>(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    uint32_t word;
    memcpy(&word, &pair, sizeof(word));
    return word;
}

// Adds in fp32 to both values of such a register, and rounds.
template <typename S>
__device__ __forceinline__ void add_to_pair(uint32_t& word, float2 addend) {
    S values[2];
    memcpy(values, &word, sizeof(word));
    word = pack_pair<S>(to_float(values[0]) + addend.x, to_float(values[1]) + addend.y);
}

// Reads 8 elements at a multiple of 8.
__device__ __forceinline__ void load_chunk(const float* from, float (&to)[CHUNK]) {
    const float4 low = *reinterpret_cast<const float4*>(from);
    const float4 high = *reinterpret_cast<const float4*>(from + 4);
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

template <typename S>
__device__ __forceinline__ void load_chunk(const S* from, float (&to)[CHUNK]) {
    const uint4 bits = *reinterpret_cast<const uint4*>(from);
    S values[CHUNK];
    memcpy(values, &bits, sizeof(bits));
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        to[i] = to_float(values[i]);
    }
}

// Adds 8 numbers at a multiple of 8.
__device__ __forceinline__ void add_chunk(const float* from, float (&to)[CHUNK]) {
    float addend[CHUNK];
    load_chunk(from, addend);
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        to[i] += addend[i];
    }
}

// Writes 8 elements at a multiple of 8.
__device__ __forceinline__ void store_chunk(float* to, const float (&from)[CHUNK]) {
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
    *reinterpret_cast<float4*>(to + 4) = make_float4(from[4], from[5], from[6], from[7]);
}

template <typename S>
__device__ __forceinline__ void store_chunk(S* to, const float (&from)[CHUNK]) {
    *reinterpret_cast<uint4*>(to) = make_uint4(pack_pair<S>(from[0], from[1]), pack_pair<S>(from[2], from[3]),
                                               pack_pair<S>(from[4], from[5]), pack_pair<S>(from[6], from[7]));
}

// Shared memory whose size the launch sets, 16-byte aligned.
static __device__ __forceinline__ unsigned char* dynamic_shared_memory() {
    extern __shared__ uint4 dynamic_shared[];
    return reinterpret_cast<unsigned char*>(dynamic_shared);
}

// Start of a row, in 64 bits: a batch of activations can exceed 2^31 elements.
template <typename T>
__device__ __forceinline__ T* row_start(T* base, int row, int stride) {
    return base + static_cast<size_t>(row) * static_cast<size_t>(stride);
}
