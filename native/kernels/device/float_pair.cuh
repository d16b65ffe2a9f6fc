// SPDX-License-Identifier: Apache-2.0
//
// Numbers of about 48 bits: the unevaluated sum of two floats, the second a correction to the first.
//
// What rounding takes from a sum or a product of two floats is itself a float, and a few fp32 instructions find it: five
// more for a sum (Knuth, The Art of Computer Programming, volume 2, 4.2.2), one fused multiply-add for a product.
// Doubles would do the same, but most devices compute them at a 32nd or 64th of the rate of fp32.
//
// The same functions take plain floats, for templates over both. A compiler may fuse a product into the sum that
// follows, so a product that is corrected is rounded by __fmul_rn.
#pragma once

#include "warp.cuh"

struct FloatPair {
    float high;
    float low = 0.0f;
};

__device__ __forceinline__ FloatPair exact_sum(float a, float b) {
    const float sum = a + b;
    const float ofB = sum - a;
    return {sum, (a - (sum - ofB)) + (b - ofB)};
}
__device__ __forceinline__ FloatPair exact_product(float a, float b) {
    const float product = __fmul_rn(a, b);
    return {product, fmaf(a, b, -product)};
}

__device__ __forceinline__ FloatPair sum_of(FloatPair a, FloatPair b) {
    const FloatPair sum = exact_sum(a.high, b.high);
    return {sum.high, sum.low + (a.low + b.low)};
}
__device__ __forceinline__ FloatPair sum_of(FloatPair a, float b) {
    const FloatPair sum = exact_sum(a.high, b);
    return {sum.high, sum.low + a.low};
}
__device__ __forceinline__ float sum_of(float a, float b) {
    return a + b;
}

// Where a and b are nearly equal, the correction of b is as large as what is left; it must not stay a correction.
__device__ __forceinline__ FloatPair difference_of(float a, FloatPair b) {
    const FloatPair difference = exact_sum(a, -b.high);
    return exact_sum(difference.high, difference.low - b.low);
}
__device__ __forceinline__ float difference_of(float a, float b) {
    return a - b;
}

__device__ __forceinline__ FloatPair product_of(FloatPair a, FloatPair b) {
    const FloatPair product = exact_product(a.high, b.high);
    return {product.high, fmaf(a.high, b.low, fmaf(a.low, b.high, product.low))};
}
__device__ __forceinline__ FloatPair product_of(FloatPair a, float b) {
    const FloatPair product = exact_product(a.high, b);
    return {product.high, fmaf(a.low, b, product.low)};
}
__device__ __forceinline__ float product_of(float a, float b) {
    return a * b;
}

__device__ __forceinline__ FloatPair quotient_of(FloatPair a, float divisor) {
    const float quotient = a.high / divisor;
    return {quotient, (fmaf(-quotient, divisor, a.high) + a.low) / divisor};
}
__device__ __forceinline__ float quotient_of(float a, float divisor) {
    return a / divisor;
}

// 1 / sqrt(x). Not rsqrtf: its last bits differ from the exact quotient, and one division a row costs nothing.
__device__ __forceinline__ float inverse_root_of(float x) {
    return 1.0f / sqrtf(x);
}
// A step of Newton's method behind the fp32 result.
__device__ __forceinline__ FloatPair inverse_root_of(FloatPair x) {
    const float root = inverse_root_of(x.high);
    const FloatPair one = product_of(x, exact_product(root, root));
    return {root, 0.5f * root * ((1.0f - one.high) - one.low)};
}

__device__ __forceinline__ float rounded(FloatPair x) {
    return x.high + x.low;
}
__device__ __forceinline__ float rounded(float x) {
    return x;
}

__device__ __forceinline__ FloatPair warp_sum(FloatPair x) {
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        const float high = __shfl_xor_sync(ALL_LANES, x.high, offset);
        const float low = __shfl_xor_sync(ALL_LANES, x.low, offset);
        x = sum_of(x, FloatPair{high, low});
    }
    return x;
}
