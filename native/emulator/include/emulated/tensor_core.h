// SPDX-License-Identifier: Apache-2.0
//
// The emulated side of native/kernels/device/tensor_core.cuh: matrix instructions as warp operations.
//
// The last lane to arrive multiplies for the whole warp. Products of 16-bit elements are exact in fp32; they are added
// to the accumulator one after the other, in order of k.
#pragma once

#include "narrow_floats.h"
#include "warp.h"

namespace emulated {

struct MatrixArguments {
    float* d;
    const uint32_t* a;
    const uint32_t* b;
};

struct LoadMatrixArguments {
    uint32_t* registers;
    const void* row;
};

extern const Collective mmaHalf16, mmaHalf8, mmaBrain16, mmaBrain8;
extern const Collective loadMatrix1, loadMatrix2, loadMatrix4, loadMatrix1Transposed, loadMatrix2Transposed,
    loadMatrix4Transposed;

template <typename T>
struct MatrixOperations;
template <>
struct MatrixOperations<__half> {
    static const Collective& k16() { return mmaHalf16; }
    static const Collective& k8() { return mmaHalf8; }
};
template <>
struct MatrixOperations<__nv_bfloat16> {
    static const Collective& k16() { return mmaBrain16; }
    static const Collective& k8() { return mmaBrain8; }
};

template <typename T>
inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    MatrixArguments arguments{d, a, b};
    meet(MatrixOperations<T>::k16(), 0xffffffffu, &arguments);
}

template <typename T>
inline void mma_m16n8k8(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]) {
    MatrixArguments arguments{d, a, b};
    meet(MatrixOperations<T>::k8(), 0xffffffffu, &arguments);
}

inline void loadMatrix(const Collective& which, uint32_t* registers, const void* row) {
    LoadMatrixArguments arguments{registers, row};
    meet(which, 0xffffffffu, &arguments);
}
inline void ldmatrix_x1(uint32_t (&r)[1], const void* row) {
    loadMatrix(loadMatrix1, r, row);
}
inline void ldmatrix_x2(uint32_t (&r)[2], const void* row) {
    loadMatrix(loadMatrix2, r, row);
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
    loadMatrix(loadMatrix4, r, row);
}
inline void ldmatrix_x1_trans(uint32_t (&r)[1], const void* row) {
    loadMatrix(loadMatrix1Transposed, r, row);
}
inline void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row) {
    loadMatrix(loadMatrix2Transposed, r, row);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
    loadMatrix(loadMatrix4Transposed, r, row);
}

inline void cp_async_16(void* shared, const void* device, bool valid) {
    copyAsynchronously(shared, device, valid);
}
inline void cp_async_commit() {
    commitCopies();
}
inline void cp_async_wait(int pendingGroups) {
    waitForCopies(pendingGroups);
}

} // namespace emulated
