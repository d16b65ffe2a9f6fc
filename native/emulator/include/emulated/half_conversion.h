// SPDX-License-Identifier: Apache-2.0
//
// fp16 and bf16 to fp32 and back, rounding to nearest even.
#pragma once

#include <cstdint>
#include <cstring>

namespace emulated {

#ifdef __F16C__
// The compiler's _Float16 calls a library function for what is one instruction here.
typedef float HalfConversionFloats __attribute__((vector_size(16)));
typedef short HalfConversionBits __attribute__((vector_size(16)));

inline float halfToFloat(uint16_t bits) {
    return __builtin_ia32_vcvtph2ps(HalfConversionBits{static_cast<short>(bits)})[0];
}
inline uint16_t floatToHalf(float value) {
    return static_cast<uint16_t>(__builtin_ia32_vcvtps2ph(HalfConversionFloats{value}, 0)[0]);
}
#else
inline float halfToFloat(uint16_t bits) {
    _Float16 value;
    memcpy(&value, &bits, sizeof bits);
    return static_cast<float>(value);
}
inline uint16_t floatToHalf(float value) {
    const _Float16 rounded = static_cast<_Float16>(value);
    uint16_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}
#endif

inline float brainToFloat(uint16_t bits) {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}
inline uint16_t floatToBrain(float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    if ((word & 0x7fffffffu) > 0x7f800000u) {
        return 0x7fff; // NaN, as the hardware writes it
    }
    return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
}

} // namespace emulated
