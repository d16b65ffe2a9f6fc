// SPDX-License-Identifier: Apache-2.0
//
// Tensor cores, matrix loads and asynchronous copies: the few PTX instructions our kernels use, one function each.
//
// A kernel calls these functions and nothing else, so the same source runs on a GPU and on the emulated device
// (native/emulator), where EMBED4J_EMULATED is defined and the functions of namespace `emulated` compute the same.
//
// Fragments follow the PTX ISA ("Matrix fragments for mma.m16n8k16"). With g = lane / 4 and t = lane % 4, and with two
// 16-bit elements a register, low half first:
//   A [16, 16] row-major     a[0] = (g, 2t), a[1] = (g+8, 2t), a[2] = (g, 2t+8), a[3] = (g+8, 2t+8), each with its
//                            right neighbour
//   B [16, 8]  column-major  b[0] = (2t, g), b[1] = (2t+8, g), each with the element below
//   D [16, 8]  fp32          d[0] = (g, 2t), d[1] = (g, 2t+1), d[2] = (g+8, 2t), d[3] = (g+8, 2t+1)
// All 32 lanes of a warp must call together.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#ifndef EMBED4J_EMULATED
#define EMBED4J_PTX_ADDRESS(pointer) static_cast<unsigned>(__cvta_generic_to_shared(pointer))
#endif

/** d += a b for 16-bit elements of type T (__half or __nv_bfloat16) with fp32 accumulation: sm_80 and later. */
template <typename T>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

/** As above with a [16, 8] in two registers and b [8, 8] in one: fp16 from sm_75, bf16 from sm_80. */
template <typename T>
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]);

template <>
__device__ __forceinline__ void mma_m16n8k16<__half>(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef EMBED4J_EMULATED
    emulated::mma_m16n8k16<__half>(d, a, b);
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap(); // the host chooses this kernel from sm_80 on only
#endif
}

template <>
__device__ __forceinline__ void mma_m16n8k16<__nv_bfloat16>(float (&d)[4], const uint32_t (&a)[4],
                                                            const uint32_t (&b)[2]) {
#ifdef EMBED4J_EMULATED
    emulated::mma_m16n8k16<__nv_bfloat16>(d, a, b);
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}

template <>
__device__ __forceinline__ void mma_m16n8k8<__half>(float (&d)[4], const uint32_t (&a)[2], const uint32_t (&b)[1]) {
#ifdef EMBED4J_EMULATED
    emulated::mma_m16n8k8<__half>(d, a, b);
#elif __CUDA_ARCH__ >= 750
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#else
    __trap();
#endif
}

template <>
__device__ __forceinline__ void mma_m16n8k8<__nv_bfloat16>(float (&d)[4], const uint32_t (&a)[2],
                                                           const uint32_t (&b)[1]) {
#ifdef EMBED4J_EMULATED
    emulated::mma_m16n8k8<__nv_bfloat16>(d, a, b);
#elif __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#else
    __trap();
#endif
}

// ---- matrix loads: 8x8 tiles of 16-bit elements from shared memory, sm_75 and later -------------------------------
// Lane 8i + j gives the address of row j (8 elements, 16-byte aligned) of tile i; result register i of lane l holds the
// elements (l / 4, 2 (l % 4)) and its right neighbour of tile i. `_trans` delivers every tile transposed.

__device__ __forceinline__ void ldmatrix_x1(uint32_t (&r)[1], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x1(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x2(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x4(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x1_trans(uint32_t (&r)[1], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x1_trans(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(r[0])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x2_trans(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void* sharedRow) {
#ifdef EMBED4J_EMULATED
    emulated::ldmatrix_x4_trans(r, sharedRow);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(EMBED4J_PTX_ADDRESS(sharedRow))
                 : "memory");
#endif
}

// ---- asynchronous copies from device to shared memory ---------------------------------------------------------------
// 16 bytes a call, both addresses 16-byte aligned. Before sm_80 a plain copy does the same, without the overlap. The
// emulated device delays the copy until the wait, so that a forgotten wait shows.

/** Copies 16 bytes, or writes 16 zero bytes without reading when `valid` is false. */
__device__ __forceinline__ void cp_async_16(void* shared, const void* device, bool valid = true) {
#ifdef EMBED4J_EMULATED
    emulated::cp_async_16(shared, device, valid);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(EMBED4J_PTX_ADDRESS(shared)), "l"(device),
                 "r"(valid ? 16 : 0)
                 : "memory");
#else
    *static_cast<uint4*>(shared) = valid ? *static_cast<const uint4*>(device) : make_uint4(0, 0, 0, 0);
#endif
}

/** Closes the group of copies this thread has begun since the last commit. */
__device__ __forceinline__ void cp_async_commit() {
#ifdef EMBED4J_EMULATED
    emulated::cp_async_commit();
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/** Waits until at most `pending` of this thread's groups are under way. Other threads see the data after a barrier. */
template <int pending>
__device__ __forceinline__ void cp_async_wait() {
#ifdef EMBED4J_EMULATED
    emulated::cp_async_wait(pending);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}
