// SPDX-License-Identifier: Apache-2.0
//
// __half and __nv_bfloat16 with the intrinsics of cuda_fp16.h and cuda_bf16.h that kernels use.
//
// Both types are one template over their format: arithmetic widens to fp32, computes, and rounds to nearest even.
#pragma once

#include <cmath>

#include "half_conversion.h"
#include "vectors.h"

// A namespace of its own: functions of `emulated` must not be found through arguments of these types.
namespace emulated_numbers {

struct HalfFormat {
    static float widen(uint16_t bits) { return emulated::halfToFloat(bits); }
    static uint16_t narrow(float value) { return emulated::floatToHalf(value); }
};

struct BrainFormat {
    static float widen(uint16_t bits) { return emulated::brainToFloat(bits); }
    static uint16_t narrow(float value) { return emulated::floatToBrain(value); }
};

template <typename Format>
struct Narrow {
    uint16_t bits;

    Narrow() = default; // trivial, so that it may live in unions and __shared__ arrays
    Narrow(float value) : bits(Format::narrow(value)) {}
    Narrow(double value) : bits(Format::narrow(static_cast<float>(value))) {}
    Narrow(int value) : bits(Format::narrow(static_cast<float>(value))) {}
    operator float() const { return Format::widen(bits); }

    static Narrow of(uint16_t bits) {
        Narrow result;
        result.bits = bits;
        return result;
    }
};

template <typename Format>
struct alignas(4) NarrowPair {
    Narrow<Format> x, y;
};

template <typename F>
inline Narrow<F> operator+(Narrow<F> a, Narrow<F> b) {
    return float(a) + float(b);
}
template <typename F>
inline Narrow<F> operator-(Narrow<F> a, Narrow<F> b) {
    return float(a) - float(b);
}
template <typename F>
inline Narrow<F> operator*(Narrow<F> a, Narrow<F> b) {
    return float(a) * float(b);
}
template <typename F>
inline Narrow<F> operator/(Narrow<F> a, Narrow<F> b) {
    return float(a) / float(b);
}
template <typename F>
inline Narrow<F> operator-(Narrow<F> a) {
    return Narrow<F>::of(a.bits ^ 0x8000u);
}
template <typename F>
inline Narrow<F>& operator+=(Narrow<F>& a, Narrow<F> b) {
    return a = a + b;
}
template <typename F>
inline Narrow<F>& operator-=(Narrow<F>& a, Narrow<F> b) {
    return a = a - b;
}
template <typename F>
inline Narrow<F>& operator*=(Narrow<F>& a, Narrow<F> b) {
    return a = a * b;
}
template <typename F>
inline bool operator<(Narrow<F> a, Narrow<F> b) {
    return float(a) < float(b);
}
template <typename F>
inline bool operator>(Narrow<F> a, Narrow<F> b) {
    return float(a) > float(b);
}
template <typename F>
inline bool operator<=(Narrow<F> a, Narrow<F> b) {
    return float(a) <= float(b);
}
template <typename F>
inline bool operator>=(Narrow<F> a, Narrow<F> b) {
    return float(a) >= float(b);
}
template <typename F>
inline bool operator==(Narrow<F> a, Narrow<F> b) {
    return float(a) == float(b);
}
template <typename F>
inline bool operator!=(Narrow<F> a, Narrow<F> b) {
    return float(a) != float(b);
}

template <typename F>
inline NarrowPair<F> operator+(NarrowPair<F> a, NarrowPair<F> b) {
    return {a.x + b.x, a.y + b.y};
}
template <typename F>
inline NarrowPair<F> operator-(NarrowPair<F> a, NarrowPair<F> b) {
    return {a.x - b.x, a.y - b.y};
}
template <typename F>
inline NarrowPair<F> operator*(NarrowPair<F> a, NarrowPair<F> b) {
    return {a.x * b.x, a.y * b.y};
}

} // namespace emulated_numbers

using __half = emulated_numbers::Narrow<emulated_numbers::HalfFormat>;
using __half2 = emulated_numbers::NarrowPair<emulated_numbers::HalfFormat>;
using __nv_bfloat16 = emulated_numbers::Narrow<emulated_numbers::BrainFormat>;
using __nv_bfloat162 = emulated_numbers::NarrowPair<emulated_numbers::BrainFormat>;
using half = __half;
using half2 = __half2;
using nv_bfloat16 = __nv_bfloat16;
using nv_bfloat162 = __nv_bfloat162;

// ---- conversions -------------------------------------------------------------------------------------------------

static inline float __half2float(__half a) {
    return a;
}
static inline __half __float2half(float a) {
    return a;
}
static inline __half __float2half_rn(float a) {
    return a;
}
static inline __half __double2half(double a) {
    return a;
}
static inline __half __int2half_rn(int a) {
    return a;
}
static inline int __half2int_rn(__half a) {
    return static_cast<int>(rintf(a));
}
static inline float2 __half22float2(__half2 a) {
    return make_float2(a.x, a.y);
}
static inline __half2 __float22half2_rn(float2 a) {
    return {a.x, a.y};
}
static inline __half2 __floats2half2_rn(float a, float b) {
    return {a, b};
}
static inline __half2 __float2half2_rn(float a) {
    return {a, a};
}
static inline __half2 make_half2(__half a, __half b) {
    return {a, b};
}
static inline __half2 __halves2half2(__half a, __half b) {
    return {a, b};
}
static inline __half2 __half2half2(__half a) {
    return {a, a};
}
static inline unsigned short __half_as_ushort(__half a) {
    return a.bits;
}
static inline short __half_as_short(__half a) {
    return static_cast<short>(a.bits);
}
static inline __half __ushort_as_half(unsigned short bits) {
    return __half::of(bits);
}
static inline __half __short_as_half(short bits) {
    return __half::of(static_cast<uint16_t>(bits));
}

static inline float __bfloat162float(__nv_bfloat16 a) {
    return a;
}
static inline __nv_bfloat16 __float2bfloat16(float a) {
    return a;
}
static inline __nv_bfloat16 __float2bfloat16_rn(float a) {
    return a;
}
static inline __nv_bfloat16 __double2bfloat16(double a) {
    return a;
}
static inline __nv_bfloat16 __int2bfloat16_rn(int a) {
    return a;
}
static inline float2 __bfloat1622float2(__nv_bfloat162 a) {
    return make_float2(a.x, a.y);
}
static inline __nv_bfloat162 __float22bfloat162_rn(float2 a) {
    return {a.x, a.y};
}
static inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) {
    return {a, b};
}
static inline __nv_bfloat162 __float2bfloat162_rn(float a) {
    return {a, a};
}
static inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) {
    return {a, b};
}
static inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) {
    return {a, b};
}
static inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 a) {
    return {a, a};
}
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 a) {
    return a.bits;
}
static inline short __bfloat16_as_short(__nv_bfloat16 a) {
    return static_cast<short>(a.bits);
}
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) {
    return __nv_bfloat16::of(bits);
}
static inline __nv_bfloat16 __short_as_bfloat16(short bits) {
    return __nv_bfloat16::of(static_cast<uint16_t>(bits));
}
static inline __half __low2half(__half2 a) {
    return a.x;
}
static inline __half __high2half(__half2 a) {
    return a.y;
}
static inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 a) {
    return a.x;
}
static inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 a) {
    return a.y;
}

// ---- arithmetic: the same names serve both types ------------------------------------------------------------------

#define EMULATED_NARROW   \
    template <typename F> \
    static inline
#define EMULATED_ONE emulated_numbers::Narrow<F>
#define EMULATED_TWO emulated_numbers::NarrowPair<F>

EMULATED_NARROW float __low2float(EMULATED_TWO a) {
    return a.x;
}
EMULATED_NARROW float __high2float(EMULATED_TWO a) {
    return a.y;
}
EMULATED_NARROW EMULATED_TWO __lowhigh2highlow(EMULATED_TWO a) {
    return {a.y, a.x};
}

EMULATED_NARROW EMULATED_ONE __hadd(EMULATED_ONE a, EMULATED_ONE b) {
    return a + b;
}
EMULATED_NARROW EMULATED_ONE __hsub(EMULATED_ONE a, EMULATED_ONE b) {
    return a - b;
}
EMULATED_NARROW EMULATED_ONE __hmul(EMULATED_ONE a, EMULATED_ONE b) {
    return a * b;
}
EMULATED_NARROW EMULATED_ONE __hdiv(EMULATED_ONE a, EMULATED_ONE b) {
    return a / b;
}
EMULATED_NARROW EMULATED_ONE __hneg(EMULATED_ONE a) {
    return -a;
}
EMULATED_NARROW EMULATED_ONE __habs(EMULATED_ONE a) {
    return EMULATED_ONE::of(a.bits & 0x7fffu);
}
EMULATED_NARROW EMULATED_ONE __hfma(EMULATED_ONE a, EMULATED_ONE b, EMULATED_ONE c) {
    return fmaf(a, b, c);
}
EMULATED_NARROW EMULATED_ONE __hmax(EMULATED_ONE a, EMULATED_ONE b) {
    return fmaxf(a, b);
}
EMULATED_NARROW EMULATED_ONE __hmin(EMULATED_ONE a, EMULATED_ONE b) {
    return fminf(a, b);
}
EMULATED_NARROW bool __hlt(EMULATED_ONE a, EMULATED_ONE b) {
    return a < b;
}
EMULATED_NARROW bool __hle(EMULATED_ONE a, EMULATED_ONE b) {
    return a <= b;
}
EMULATED_NARROW bool __hgt(EMULATED_ONE a, EMULATED_ONE b) {
    return a > b;
}
EMULATED_NARROW bool __hge(EMULATED_ONE a, EMULATED_ONE b) {
    return a >= b;
}
EMULATED_NARROW bool __heq(EMULATED_ONE a, EMULATED_ONE b) {
    return a == b;
}
EMULATED_NARROW bool __hne(EMULATED_ONE a, EMULATED_ONE b) {
    return a != b;
}
EMULATED_NARROW bool __hisnan(EMULATED_ONE a) {
    return std::isnan(float(a));
}
EMULATED_NARROW EMULATED_ONE hexp(EMULATED_ONE a) {
    return expf(a);
}
EMULATED_NARROW EMULATED_ONE hexp2(EMULATED_ONE a) {
    return exp2f(a);
}
EMULATED_NARROW EMULATED_ONE hsqrt(EMULATED_ONE a) {
    return sqrtf(a);
}
EMULATED_NARROW EMULATED_ONE hrsqrt(EMULATED_ONE a) {
    return 1.0f / sqrtf(a);
}
EMULATED_NARROW EMULATED_ONE hrcp(EMULATED_ONE a) {
    return 1.0f / float(a);
}

EMULATED_NARROW EMULATED_TWO __hadd2(EMULATED_TWO a, EMULATED_TWO b) {
    return a + b;
}
EMULATED_NARROW EMULATED_TWO __hsub2(EMULATED_TWO a, EMULATED_TWO b) {
    return a - b;
}
EMULATED_NARROW EMULATED_TWO __hmul2(EMULATED_TWO a, EMULATED_TWO b) {
    return a * b;
}
EMULATED_NARROW EMULATED_TWO __h2div(EMULATED_TWO a, EMULATED_TWO b) {
    return {a.x / b.x, a.y / b.y};
}
EMULATED_NARROW EMULATED_TWO __hneg2(EMULATED_TWO a) {
    return {-a.x, -a.y};
}
EMULATED_NARROW EMULATED_TWO __habs2(EMULATED_TWO a) {
    return {__habs(a.x), __habs(a.y)};
}
EMULATED_NARROW EMULATED_TWO __hfma2(EMULATED_TWO a, EMULATED_TWO b, EMULATED_TWO c) {
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
EMULATED_NARROW EMULATED_TWO __hmax2(EMULATED_TWO a, EMULATED_TWO b) {
    return {__hmax(a.x, b.x), __hmax(a.y, b.y)};
}
EMULATED_NARROW EMULATED_TWO __hmin2(EMULATED_TWO a, EMULATED_TWO b) {
    return {__hmin(a.x, b.x), __hmin(a.y, b.y)};
}
EMULATED_NARROW EMULATED_TWO h2exp(EMULATED_TWO a) {
    return {hexp(a.x), hexp(a.y)};
}
EMULATED_NARROW EMULATED_TWO h2exp2(EMULATED_TWO a) {
    return {hexp2(a.x), hexp2(a.y)};
}

#undef EMULATED_NARROW
#undef EMULATED_ONE
#undef EMULATED_TWO
