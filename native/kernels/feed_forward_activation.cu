// SPDX-License-Identifier: Apache-2.0
//
// Bias and activation of the feed-forward network, in place.
//   plain: x[:, :width] = act(x + bias)                        x [T, stride], bias [width]
//   gated: x[:, :width] = act(gate + gateBias) * (up + upBias) a row holds gate [width], then up [width]; bias likewise
//
// Idea: elementwise, 8 elements a thread; bound by memory (plain: read and write once). The erf form of GELU is exact,
// no tanh approximation stands in for it.
//
// `width` is the padded width. Padding is zero before and, since act(0) = 0 for all but the sigmoid, zero after; a
// plain sigmoid leaves 0.5 there, which the zero rows of the next weight matrix cancel.
//
// Launch: grid.x = ceil(rows * width / 8 / 256), block 256; rows * width / 8 below 2^32.
#include "device/storage.cuh"

// Numbers are the ordinals of io.embed4j.spec.Activation.
enum Activation { IDENTITY = 0, GELU_ERF = 1, GELU_TANH = 2, RELU = 3, SILU = 4, TANH = 5, SIGMOID = 6 };

template <int ACTIVATION>
__device__ __forceinline__ float activate(float x) {
    switch (ACTIVATION) {
        case GELU_ERF:
            return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
        case GELU_TANH:
            // sqrt(2 / pi) = 0.7978845608
            return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        case RELU:
            // Not fmaxf, which turns NaN into 0 and would hide an overflow.
            return x < 0.0f ? 0.0f : x;
        case SILU:
            return x / (1.0f + expf(-x));
        case TANH:
            return tanhf(x);
        case SIGMOID:
            return 1.0f / (1.0f + expf(-x));
        default:
            return x;
    }
}

template <typename S, int ACTIVATION>
__device__ __forceinline__ void activate_chunk(S* row, const float* bias, bool gated, int column, int width) {
    float values[CHUNK];
    float addend[CHUNK];
    load_chunk(row + column, values);
    if (bias != nullptr) {
        load_chunk(bias + column, addend);
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            values[i] += addend[i];
        }
    }
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        values[i] = activate<ACTIVATION>(values[i]);
    }
    if (gated) {
        float up[CHUNK];
        load_chunk(row + width + column, up);
        if (bias != nullptr) {
            load_chunk(bias + width + column, addend);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                up[i] += addend[i];
            }
        }
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            values[i] *= up[i];
        }
    }
    store_chunk(row + column, values);
}

template <typename S>
__device__ __forceinline__ void feed_forward_activation(S* x, const int* count, const float* bias, int activation,
                                                        bool gated, int width, int stride) {
    const unsigned chunks = static_cast<unsigned>(width) / CHUNK;
    const unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = static_cast<int>(index / chunks);
    if (row >= *count) {
        return;
    }
    const int column = static_cast<int>(index % chunks) * CHUNK;
    S* xRow = row_start(x, row, stride);
    // The same branch for the whole grid, and outside of the loop over the chunk.
    switch (activation) {
        case GELU_ERF:
            return activate_chunk<S, GELU_ERF>(xRow, bias, gated, column, width);
        case GELU_TANH:
            return activate_chunk<S, GELU_TANH>(xRow, bias, gated, column, width);
        case RELU:
            return activate_chunk<S, RELU>(xRow, bias, gated, column, width);
        case SILU:
            return activate_chunk<S, SILU>(xRow, bias, gated, column, width);
        case TANH:
            return activate_chunk<S, TANH>(xRow, bias, gated, column, width);
        case SIGMOID:
            return activate_chunk<S, SIGMOID>(xRow, bias, gated, column, width);
        default:
            return activate_chunk<S, IDENTITY>(xRow, bias, gated, column, width);
    }
}

#define INSTANTIATE(SUFFIX, S)                                                                         \
    extern "C" __global__ void __launch_bounds__(256) feed_forward_activation_##SUFFIX(                \
        S* x, const int* count, const float* bias, int activation, int gated, int width, int stride) { \
        feed_forward_activation<S>(x, count, bias, activation, gated != 0, width, stride);             \
    }
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
