// SPDX-License-Identifier: Apache-2.0
//
// Layer norm or RMS norm of one row by one warp.
//
// Mean first, then the variance around it: the one-pass formula E[x^2] - E[x]^2 cancels when the mean is large. Rows of
// up to 1024 columns stay in registers between the passes; wider ones are read again by each pass (from L1 or L2).
//
// For 16 bits of storage, fp32 is far better than what is stored. Rows stored as fp32 are normalized in pairs of floats,
// so that nothing is rounded but the result: the first norm makes large what is small in the tables, and every layer
// works on with its error (docs/numerics.md). It is some 60 fp32 instructions a number, which by the data sheet still take an
// H200 less time than moving it.
//
// The row comes from a callable `load(column, values)` and goes to `store(column, values, normed)`, 8 columns at a
// time: `values` is the row itself, `normed` its norm. Lane l has chunks l, l + 32, ...; each chunk is stored by the
// lane that loaded it and after its last load, so results may overwrite inputs.
#pragma once

#include "float_pair.cuh"

struct NormParameters {
    const float* gain; // nullable: no norm, normed = values; may be read up to the stride, as may the bias
    const float* bias; // nullable
    float epsilon;
    bool rms;
};

template <typename S>
using NormNumber = std::conditional_t<std::is_same_v<S, float>, FloatPair, float>;

// Columns beyond the width take part in nothing and are written as zeros.
__device__ __forceinline__ void clear_padding(int column, int width, float (&values)[CHUNK]) {
    if (column + CHUNK > width) {
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            values[i] = column + i < width ? values[i] : 0.0f;
        }
    }
}

// sum + values
template <typename Number>
__device__ __forceinline__ Number plus_values(Number sum, const float (&values)[CHUNK]) {
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        sum = sum_of(sum, values[i]);
    }
    return sum;
}

// sum + (values - mean)^2
template <typename Number>
__device__ __forceinline__ Number plus_squares(Number sum, Number mean, int column, int width,
                                               const float (&values)[CHUNK]) {
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        const Number difference = difference_of(values[i], mean);
        sum = sum_of(sum, column + i < width ? product_of(difference, difference) : Number{});
    }
    return sum;
}

template <typename Number>
__device__ __forceinline__ void normalize_chunk(const NormParameters& norm, Number mean, Number inverseDeviation,
                                                int column, int width, const float (&values)[CHUNK],
                                                float (&normed)[CHUNK]) {
    float gain[CHUNK];
    float bias[CHUNK] = {};
    load_chunk(norm.gain + column, gain);
    if (norm.bias != nullptr) {
        load_chunk(norm.bias + column, bias);
    }
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        const Number difference = difference_of(values[i], mean);
        normed[i] = rounded(sum_of(product_of(product_of(difference, inverseDeviation), gain[i]), bias[i]));
    }
}

// CHUNKS > 0: the row has at most 32 * CHUNKS chunks and is loaded once. CHUNKS = 0: any width.
template <typename Number, int CHUNKS, typename Load, typename Store>
__device__ __forceinline__ void norm_row_passes(const NormParameters& norm, int width, int stride, const Load& load,
                                                const Store& store) {
    constexpr bool IN_REGISTERS = CHUNKS > 0;
    constexpr int STEP = WARP * CHUNK;
    const int first = lane_index() * CHUNK;
    const int steps = IN_REGISTERS ? CHUNKS : (stride + STEP - 1) / STEP;
    float held[IN_REGISTERS ? CHUNKS : 1][CHUNK];

    // Runs `use` over this lane's chunks; what is not held is loaded again.
    constexpr int UNROLL = IN_REGISTERS ? CHUNKS : 1;
    const auto for_each_chunk = [&](bool loads, const auto& use) {
#pragma unroll UNROLL
        for (int step = 0; step < steps; step++) {
            const int column = first + step * STEP;
            if (column < stride) {
                auto& values = held[IN_REGISTERS ? step : 0];
                if (loads) {
                    load(column, values);
                    clear_padding(column, width, values);
                }
                use(column, values);
            }
        }
    };
    if (IN_REGISTERS) {
        for_each_chunk(true, [](int, const float (&)[CHUNK]) {});
    }

    Number mean{};
    Number inverseDeviation{};
    if (norm.gain != nullptr) {
        if (!norm.rms) {
            Number sum{};
            for_each_chunk(!IN_REGISTERS, [&](int, const float (&values)[CHUNK]) { sum = plus_values(sum, values); });
            mean = quotient_of(warp_sum(sum), static_cast<float>(width));
        }
        Number squares{};
        for_each_chunk(!IN_REGISTERS, [&](int column, const float (&values)[CHUNK]) {
            squares = plus_squares(squares, mean, column, width, values);
        });
        const Number variance = quotient_of(warp_sum(squares), static_cast<float>(width));
        inverseDeviation = inverse_root_of(sum_of(variance, norm.epsilon));
    }
    for_each_chunk(!IN_REGISTERS, [&](int column, const float (&values)[CHUNK]) {
        if (norm.gain == nullptr) {
            store(column, values, values);
            return;
        }
        float normed[CHUNK];
        normalize_chunk(norm, mean, inverseDeviation, column, width, values, normed);
        clear_padding(column, width, normed);
        store(column, values, normed);
    });
}

template <typename S, typename Load, typename Store>
__device__ __forceinline__ void norm_row(const NormParameters& norm, int width, int stride, const Load& load,
                                         const Store& store) {
    constexpr int STEP = WARP * CHUNK;
    if (stride <= 4 * STEP) {
        norm_row_passes<NormNumber<S>, 4>(norm, width, stride, load, store);
    } else {
        norm_row_passes<NormNumber<S>, 0>(norm, width, stride, load, store);
    }
}
