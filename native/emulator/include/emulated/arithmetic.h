// SPDX-License-Identifier: Apache-2.0
//
// Scalar intrinsics: fast maths, bit tricks, cached loads, min and max.
//
// The fast versions (__expf and the like) are computed exactly: the emulated device has no reason to be less precise.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

// glibc declares some of these names for itself, hence macros.
#define __expf(x) expf(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __tanhf(x) tanhf(x)

namespace emulated {
// The C library's fmaxf and fminf to the bit, but not calls: attention asks for the larger of two for every score.
inline float larger(float a, float b) {
    return b != b ? a : a > b ? a : b;
}
inline float smaller(float a, float b) {
    return b != b ? a : a < b ? a : b;
}
} // namespace emulated
#define fmaxf(a, b) ::emulated::larger(a, b)
#define fminf(a, b) ::emulated::smaller(a, b)

static inline float rsqrtf(float a) {
    return 1.0f / sqrtf(a);
}
static inline double rsqrt(double a) {
    return 1.0 / sqrt(a);
}
static inline float normcdff(float a) {
    return 0.5f * erfcf(-a * 0.70710678118654752f);
}
static inline float __saturatef(float a) {
    return fminf(fmaxf(a, 0.0f), 1.0f);
}
static inline float __fdividef(float a, float b) {
    return a / b;
}
static inline float __frcp_rn(float a) {
    return 1.0f / a;
}
static inline float __fsqrt_rn(float a) {
    return sqrtf(a);
}
static inline float __frsqrt_rn(float a) {
    return 1.0f / sqrtf(a);
}
static inline float __fmaf_rn(float a, float b, float c) {
    return fmaf(a, b, c);
}
// noinline: the compiler may not contract these with their neighbours
__attribute__((noinline, unused)) static float __fadd_rn(float a, float b) {
    return a + b;
}
__attribute__((noinline, unused)) static float __fsub_rn(float a, float b) {
    return a - b;
}
__attribute__((noinline, unused)) static float __fmul_rn(float a, float b) {
    return a * b;
}
static inline float __fdiv_rn(float a, float b) {
    return a / b;
}

static inline int __float2int_rn(float a) {
    return static_cast<int>(rintf(a));
}
static inline int __float2int_rz(float a) {
    return static_cast<int>(a);
}
static inline int __float2int_rd(float a) {
    return static_cast<int>(floorf(a));
}
static inline int __float2int_ru(float a) {
    return static_cast<int>(ceilf(a));
}
static inline unsigned __float2uint_rn(float a) {
    return static_cast<unsigned>(rintf(a));
}
static inline unsigned __float2uint_rz(float a) {
    return static_cast<unsigned>(a);
}
static inline float __int2float_rn(int a) {
    return static_cast<float>(a);
}
static inline float __uint2float_rn(unsigned a) {
    return static_cast<float>(a);
}
static inline float __double2float_rn(double a) {
    return static_cast<float>(a);
}

template <typename To, typename From>
static inline To emulatedBitCast(From from) {
    static_assert(sizeof(To) == sizeof(From), "same size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float a) {
    return emulatedBitCast<int>(a);
}
static inline unsigned __float_as_uint(float a) {
    return emulatedBitCast<unsigned>(a);
}
static inline float __int_as_float(int a) {
    return emulatedBitCast<float>(a);
}
static inline float __uint_as_float(unsigned a) {
    return emulatedBitCast<float>(a);
}
static inline long long __double_as_longlong(double a) {
    return emulatedBitCast<long long>(a);
}
static inline double __longlong_as_double(long long a) {
    return emulatedBitCast<double>(a);
}

static inline int __popc(unsigned a) {
    return __builtin_popcount(a);
}
static inline int __popcll(unsigned long long a) {
    return __builtin_popcountll(a);
}
static inline int __ffs(int a) {
    return __builtin_ffs(a);
}
static inline int __ffsll(long long a) {
    return __builtin_ffsll(a);
}
static inline int __clz(int a) {
    return a == 0 ? 32 : __builtin_clz(static_cast<unsigned>(a));
}
static inline int __clzll(long long a) {
    return a == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(a));
}
static inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((uint64_t(a) * b) >> 32);
}
static inline int __mulhi(int a, int b) {
    return static_cast<int>((int64_t(a) * b) >> 32);
}
static inline unsigned __brev(unsigned a) {
    unsigned r = 0;
    for (int bit = 0; bit < 32; bit++) {
        r |= ((a >> bit) & 1u) << (31 - bit);
    }
    return r;
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const uint64_t bytes = (uint64_t(b) << 32) | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) {
        r |= static_cast<unsigned>((bytes >> (((selector >> (4 * i)) & 7u) * 8)) & 0xffu) << (8 * i);
    }
    return r;
}
static inline int __dp4a(int a, int b, int c) {
    for (int shift = 0; shift < 32; shift += 8) {
        c += static_cast<signed char>(a >> shift) * static_cast<signed char>(b >> shift);
    }
    return c;
}

// Loads and stores with a cache hint are plain ones.
#define EMULATED_LOAD(name)                  \
    template <typename T>                    \
    static inline T name(const T* address) { \
        return *address;                     \
    }
EMULATED_LOAD(__ldg)
EMULATED_LOAD(__ldca)
EMULATED_LOAD(__ldcg)
EMULATED_LOAD(__ldcs)
EMULATED_LOAD(__ldlu)
EMULATED_LOAD(__ldcv)
#undef EMULATED_LOAD
#define EMULATED_STORE(name)                       \
    template <typename T>                          \
    static inline void name(T* address, T value) { \
        *address = value;                          \
    }
EMULATED_STORE(__stcg)
EMULATED_STORE(__stcs)
EMULATED_STORE(__stwb)
EMULATED_STORE(__stwt)
#undef EMULATED_STORE

#define EMULATED_MIN_MAX(T)         \
    static inline T min(T a, T b) { \
        return a < b ? a : b;       \
    }                               \
    static inline T max(T a, T b) { \
        return a > b ? a : b;       \
    }
EMULATED_MIN_MAX(int)
EMULATED_MIN_MAX(unsigned)
EMULATED_MIN_MAX(long)
EMULATED_MIN_MAX(unsigned long)
EMULATED_MIN_MAX(long long)
EMULATED_MIN_MAX(unsigned long long)
#undef EMULATED_MIN_MAX
static inline float min(float a, float b) {
    return fminf(a, b);
}
static inline float max(float a, float b) {
    return fmaxf(a, b);
}
static inline double min(double a, double b) {
    return fmin(a, b);
}
static inline double max(double a, double b) {
    return fmax(a, b);
}
static inline unsigned min(int a, unsigned b) {
    return min(static_cast<unsigned>(a), b);
}
static inline unsigned min(unsigned a, int b) {
    return min(a, static_cast<unsigned>(b));
}
static inline unsigned max(int a, unsigned b) {
    return max(static_cast<unsigned>(a), b);
}
static inline unsigned max(unsigned a, int b) {
    return max(a, static_cast<unsigned>(b));
}

static inline long long clock64() {
    return static_cast<long long>(__builtin_ia32_rdtsc());
}
