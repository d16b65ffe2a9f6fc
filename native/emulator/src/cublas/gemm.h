// SPDX-License-Identifier: Apache-2.0
//
// One matrix product, as cuBLAS describes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulated {

/** cudaDataType */
enum ElementType : int { fp32 = 0, fp16 = 2, bf16 = 14 };

constexpr size_t elementBytes(int type) {
    return type == fp32 ? 4 : type == fp16 || type == bf16 ? 2 : 0;
}

/** C [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C, column-major. */
struct Gemm {
    bool transposeA, transposeB;
    int m, n, k;
    float alpha, beta;
    const void* a;
    int typeA, strideA; // elements from column to column
    const void* b;
    int typeB, strideB;
    void* c;
    int typeC, strideC;
    bool tensorFloat32; // operands are rounded to 10 bits of mantissa first
};

/** Multiplies; with `alone` on the calling thread only. */
void multiply(const Gemm& gemm, bool alone);

} // namespace emulated
