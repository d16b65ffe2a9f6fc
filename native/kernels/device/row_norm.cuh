// SPDX-License-Identifier: Apache-2.0
//
// Layer norm or RMS norm of one row by one warp.
//
// Mean first, then the variance around it: the one-pass formula E[x^2] - E[x]^2 cancels when the mean is large. Rows of
// up to 1024 columns stay in registers between the passes; wider ones are read again by each pass (from L1 or L2).
//
// The row comes from a callable `load(column, values)` and goes to `store(column, values, normed)`, 8 columns at a
// time: `values` is the row itself, `normed` its norm. Lane l has chunks l, l + 32, ...; each chunk is stored by the
// lane that loaded it and after its last load, so results may overwrite inputs.
#pragma once

#include "warp.cuh"

struct NormParameters {
    const float* gain; // nullable: no norm, normed = values; may be read up to the stride, as may the bias
    const float* bias; // nullable
    float epsilon;
    bool rms;
};

// Columns beyond the width take part in nothing and are written as zeros.
__device__ __forceinline__ void clear_padding(int column, int width, float (&values)[CHUNK]) {
    if (column + CHUNK > width) {
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            values[i] = column + i < width ? values[i] : 0.0f;
        }
    }
}

__device__ __forceinline__ float sum_of_squares_around(float mean, int column, int width,
                                                       const float (&values)[CHUNK]) {
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        const float difference = column + i < width ? values[i] - mean : 0.0f;
        sum += difference * difference;
    }
    return sum;
}

__device__ __forceinline__ float sum_of(const float (&values)[CHUNK]) {
    return ((values[0] + values[1]) + (values[2] + values[3])) + ((values[4] + values[5]) + (values[6] + values[7]));
}

__device__ __forceinline__ void normalize_chunk(const NormParameters& norm, float mean, float inverseDeviation,
                                                int column, int width, const float (&values)[CHUNK],
                                                float (&normed)[CHUNK]) {
#pragma unroll
    for (int i = 0; i < CHUNK; i++) {
        normed[i] = (values[i] - mean) * inverseDeviation;
    }
    if (norm.gain != nullptr) {
        float factor[CHUNK];
        load_chunk(norm.gain + column, factor);
#pragma unroll
        for (int i = 0; i < CHUNK; i++) {
            normed[i] *= factor[i];
        }
        if (norm.bias != nullptr) {
            load_chunk(norm.bias + column, factor);
#pragma unroll
            for (int i = 0; i < CHUNK; i++) {
                normed[i] += factor[i];
            }
        }
    }
    clear_padding(column, width, normed);
}

// CHUNKS > 0: the row has at most 32 * CHUNKS chunks and is loaded once. CHUNKS = 0: any width.
template <int CHUNKS, typename Load, typename Store>
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

    float mean = 0.0f;
    float inverseDeviation = 1.0f;
    if (norm.gain != nullptr) {
        if (!norm.rms) {
            float sum = 0.0f;
            for_each_chunk(!IN_REGISTERS, [&](int, const float (&values)[CHUNK]) { sum += sum_of(values); });
            mean = warp_sum(sum) / static_cast<float>(width);
        }
        float squares = 0.0f;
        for_each_chunk(!IN_REGISTERS, [&](int column, const float (&values)[CHUNK]) {
            squares += sum_of_squares_around(mean, column, width, values);
        });
        const float variance = warp_sum(squares) / static_cast<float>(width);
        // Not rsqrtf: its last bits differ from the exact quotient, and one division a row costs nothing.
        inverseDeviation = 1.0f / sqrtf(variance + norm.epsilon);
    }
    for_each_chunk(!IN_REGISTERS, [&](int column, const float (&values)[CHUNK]) {
        float normed[CHUNK];
        normalize_chunk(norm, mean, inverseDeviation, column, width, values, normed);
        store(column, values, normed);
    });
}

template <typename Load, typename Store>
__device__ __forceinline__ void norm_row(const NormParameters& norm, int width, int stride, const Load& load,
                                         const Store& store) {
    constexpr int STEP = WARP * CHUNK;
    if (stride <= 4 * STEP) {
        norm_row_passes<4>(norm, width, stride, load, store);
    } else {
        norm_row_passes<0>(norm, width, stride, load, store);
    }
}
