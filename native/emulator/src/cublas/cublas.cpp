// SPDX-License-Identifier: Apache-2.0
//
// The cuBLAS calls of an embedding model: matrix products in fp32, fp16 and bf16 with fp32 accumulation.
//
// A product is work on the handle's stream like any kernel. Operands are checked against the allocations when it runs.

#include <atomic>
#include <memory>

#include "gemm.h"

#define EMULATED_CUBLAS extern "C" __attribute__((visibility("default"))) int

extern "C" int embed4j_emulator_submit(void* stream, int (*work)(void*), void* argument, void (*release)(void*));
extern "C" int embed4j_emulator_require(const char* what, const void* address, size_t bytes);
extern "C" void embed4j_emulator_run_together(unsigned helpers, void (*body)(void*), void* argument);

using namespace emulated;

namespace {

/** cublasStatus_t */
enum Status : int {
    success = 0,
    notInitialized = 1,
    allocationFailed = 3,
    invalidValue = 7,
    executionFailed = 13,
    notSupported = 15,
};

struct Handle {
    void* stream = nullptr;
    int pointerMode = 0; // 0 host, 1 device
    int mathMode = 0;
    int atomicsMode = 0;
    void* workspace = nullptr;
    size_t workspaceBytes = 0;
};

/** A batch of products of one shape: strided, or with arrays of pointers in device memory. */
struct Batch {
    Gemm gemm;
    int count;
    long long stepA, stepB, stepC; // elements from product to product
    const void* const* pointersA;
    const void* const* pointersB;
    void* const* pointersC;
    const float* alpha; // on the device; null when gemm has the values
    const float* beta;
};

/** Bytes of a column-major matrix. */
size_t matrixBytes(int rows, int columns, int stride, int type) {
    return (static_cast<size_t>(stride) * static_cast<size_t>(columns - 1) + static_cast<size_t>(rows)) *
           elementBytes(type);
}

Gemm product(const Batch& batch, int i) {
    Gemm gemm = batch.gemm;
    if (batch.pointersA != nullptr) {
        gemm.a = batch.pointersA[i];
        gemm.b = batch.pointersB[i];
        gemm.c = batch.pointersC[i];
        return gemm;
    }
    const auto step = [i](const void* base, long long elements, int type) {
        return reinterpret_cast<uintptr_t>(base) +
               static_cast<uintptr_t>(elements * i * static_cast<long long>(elementBytes(type)));
    };
    gemm.a = reinterpret_cast<const void*>(step(gemm.a, batch.stepA, gemm.typeA));
    gemm.b = reinterpret_cast<const void*>(step(gemm.b, batch.stepB, gemm.typeB));
    gemm.c = reinterpret_cast<void*>(step(gemm.c, batch.stepC, gemm.typeC));
    return gemm;
}

int requireOperands(const Gemm& gemm) {
    const size_t bytesA = gemm.transposeA ? matrixBytes(gemm.k, gemm.m, gemm.strideA, gemm.typeA)
                                          : matrixBytes(gemm.m, gemm.k, gemm.strideA, gemm.typeA);
    const size_t bytesB = gemm.transposeB ? matrixBytes(gemm.n, gemm.k, gemm.strideB, gemm.typeB)
                                          : matrixBytes(gemm.k, gemm.n, gemm.strideB, gemm.typeB);
    int problem = 0;
    if (gemm.k > 0) {
        problem = embed4j_emulator_require("GEMM operand A", gemm.a, bytesA);
        if (problem == 0) {
            problem = embed4j_emulator_require("GEMM operand B", gemm.b, bytesB);
        }
    }
    return problem != 0 ? problem
                        : embed4j_emulator_require("GEMM result C", gemm.c,
                                                   matrixBytes(gemm.m, gemm.n, gemm.strideC, gemm.typeC));
}

int requirePointers(const Batch& batch) {
    const size_t bytes = static_cast<size_t>(batch.count) * sizeof(void*);
    const void* const arrays[] = {batch.pointersA, batch.pointersB, batch.pointersC};
    for (const void* array : arrays) {
        if (const int problem = array == nullptr ? 0 : embed4j_emulator_require("GEMM pointer array", array, bytes)) {
            return problem;
        }
    }
    return 0;
}

int runBatch(void* argument) {
    Batch& batch = *static_cast<Batch*>(argument);
    if (batch.alpha != nullptr) {
        batch.gemm.alpha = *batch.alpha;
        batch.gemm.beta = *batch.beta;
    }
    if (const int problem = requirePointers(batch)) {
        return problem;
    }
    for (int i = 0; i < batch.count; i++) {
        if (const int problem = requireOperands(product(batch, i))) {
            return problem;
        }
    }
    if (batch.count == 1) {
        multiply(batch.gemm.a == nullptr || batch.pointersA != nullptr ? product(batch, 0) : batch.gemm, false);
        return 0;
    }
    struct Shared {
        const Batch& batch;
        std::atomic<int> next{0};
    } shared{batch};
    const double work = static_cast<double>(batch.count) * batch.gemm.m * batch.gemm.n * batch.gemm.k;
    embed4j_emulator_run_together(
        work < 2e6 ? 0 : 64,
        [](void* p) {
            Shared& mine = *static_cast<Shared*>(p);
            for (int i; (i = mine.next++) < mine.batch.count;) {
                multiply(product(mine.batch, i), true);
            }
        },
        &shared);
    return 0;
}

/** Compute types with fp32 accumulation, and whether fp32 operands are rounded to TF32. */
bool computesInFp32(int computeType, int mathMode, bool* tensorFloat32) {
    constexpr int plain = 68, pedantic = 69, fast16F = 74, fast16BF = 75, fastTensorFloat32 = 77;
    constexpr int tensorFloat32Math = 3;
    *tensorFloat32 = computeType == fastTensorFloat32 || (computeType == plain && mathMode == tensorFloat32Math);
    return computeType == plain || computeType == pedantic || computeType == fast16F || computeType == fast16BF ||
           computeType == fastTensorFloat32;
}

bool supportedTypes(int a, int b, int c) {
    return elementBytes(a) != 0 && a == b && (c == fp32 || (c == a));
}

int submit(void* handlePointer, int operationA, int operationB, const void* alpha, const void* beta, int computeType,
           Batch batch) {
    auto* handle = static_cast<Handle*>(handlePointer);
    Gemm& gemm = batch.gemm;
    if (handle == nullptr) {
        return notInitialized;
    }
    if (!computesInFp32(computeType, handle->mathMode, &gemm.tensorFloat32) ||
        !supportedTypes(gemm.typeA, gemm.typeB, gemm.typeC)) {
        return notSupported;
    }
    gemm.tensorFloat32 = gemm.tensorFloat32 && gemm.typeA == fp32;
    gemm.transposeA = operationA != 0;
    gemm.transposeB = operationB != 0;
    if (gemm.m < 0 || gemm.n < 0 || gemm.k < 0 || batch.count < 0 || alpha == nullptr || beta == nullptr ||
        gemm.strideA < (gemm.transposeA ? gemm.k : gemm.m) || gemm.strideB < (gemm.transposeB ? gemm.n : gemm.k) ||
        gemm.strideC < gemm.m) {
        return invalidValue;
    }
    if (gemm.m == 0 || gemm.n == 0 || batch.count == 0) {
        return success;
    }
    if (handle->pointerMode == 0) {
        gemm.alpha = *static_cast<const float*>(alpha);
        gemm.beta = *static_cast<const float*>(beta);
    } else {
        batch.alpha = static_cast<const float*>(alpha);
        batch.beta = static_cast<const float*>(beta);
    }
    const int result = embed4j_emulator_submit(handle->stream, runBatch, new Batch(batch),
                                               [](void* p) { delete static_cast<Batch*>(p); });
    return result == 0 ? success : result == 2 ? allocationFailed : executionFailed;
}

Batch shape(int m, int n, int k, const void* a, int typeA, int lda, const void* b, int typeB, int ldb, void* c,
            int typeC, int ldc) {
    Batch batch{};
    batch.count = 1;
    batch.gemm.m = m;
    batch.gemm.n = n;
    batch.gemm.k = k;
    batch.gemm.a = a;
    batch.gemm.typeA = typeA;
    batch.gemm.strideA = lda;
    batch.gemm.b = b;
    batch.gemm.typeB = typeB;
    batch.gemm.strideB = ldb;
    batch.gemm.c = c;
    batch.gemm.typeC = typeC;
    batch.gemm.strideC = ldc;
    return batch;
}

constexpr int compute32F = 68;

Handle* handleOf(void* handle) {
    return static_cast<Handle*>(handle);
}

} // namespace

// ---- products -------------------------------------------------------------------------------------------------------

EMULATED_CUBLAS cublasGemmEx(void* handle, int opA, int opB, int m, int n, int k, const void* alpha, const void* a,
                             int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c,
                             int typeC, int ldc, int computeType, int) {
    return submit(handle, opA, opB, alpha, beta, computeType,
                  shape(m, n, k, a, typeA, lda, b, typeB, ldb, c, typeC, ldc));
}

EMULATED_CUBLAS cublasGemmStridedBatchedEx(void* handle, int opA, int opB, int m, int n, int k, const void* alpha,
                                           const void* a, int typeA, int lda, long long stepA, const void* b, int typeB,
                                           int ldb, long long stepB, const void* beta, void* c, int typeC, int ldc,
                                           long long stepC, int count, int computeType, int) {
    Batch batch = shape(m, n, k, a, typeA, lda, b, typeB, ldb, c, typeC, ldc);
    batch.count = count;
    batch.stepA = stepA;
    batch.stepB = stepB;
    batch.stepC = stepC;
    return submit(handle, opA, opB, alpha, beta, computeType, batch);
}

EMULATED_CUBLAS cublasGemmBatchedEx(void* handle, int opA, int opB, int m, int n, int k, const void* alpha,
                                    const void* const* a, int typeA, int lda, const void* const* b, int typeB, int ldb,
                                    const void* beta, void* const* c, int typeC, int ldc, int count, int computeType,
                                    int) {
    Batch batch = shape(m, n, k, nullptr, typeA, lda, nullptr, typeB, ldb, nullptr, typeC, ldc);
    batch.count = count;
    batch.pointersA = a;
    batch.pointersB = b;
    batch.pointersC = c;
    return submit(handle, opA, opB, alpha, beta, computeType, batch);
}

EMULATED_CUBLAS cublasSgemm_v2(void* handle, int opA, int opB, int m, int n, int k, const float* alpha, const float* a,
                               int lda, const float* b, int ldb, const float* beta, float* c, int ldc) {
    return cublasGemmEx(handle, opA, opB, m, n, k, alpha, a, fp32, lda, b, fp32, ldb, beta, c, fp32, ldc, compute32F,
                        -1);
}

EMULATED_CUBLAS cublasSgemmStridedBatched(void* handle, int opA, int opB, int m, int n, int k, const float* alpha,
                                          const float* a, int lda, long long stepA, const float* b, int ldb,
                                          long long stepB, const float* beta, float* c, int ldc, long long stepC,
                                          int count) {
    return cublasGemmStridedBatchedEx(handle, opA, opB, m, n, k, alpha, a, fp32, lda, stepA, b, fp32, ldb, stepB, beta,
                                      c, fp32, ldc, stepC, count, compute32F, -1);
}

// ---- handles --------------------------------------------------------------------------------------------------------

EMULATED_CUBLAS cublasCreate_v2(void** handle) {
    *handle = new Handle;
    return success;
}

EMULATED_CUBLAS cublasDestroy_v2(void* handle) {
    delete handleOf(handle);
    return handle == nullptr ? notInitialized : success;
}

EMULATED_CUBLAS cublasSetStream_v2(void* handle, void* stream) {
    if (handle == nullptr) {
        return notInitialized;
    }
    handleOf(handle)->stream = stream;
    handleOf(handle)->workspace = nullptr; // as documented: the workspace goes back to the default one
    handleOf(handle)->workspaceBytes = 0;
    return success;
}

EMULATED_CUBLAS cublasGetStream_v2(void* handle, void** stream) {
    *stream = handleOf(handle)->stream;
    return success;
}

EMULATED_CUBLAS cublasSetWorkspace_v2(void* handle, void* workspace, size_t bytes) {
    if (handle == nullptr) {
        return notInitialized;
    }
    if (bytes > 0 && (reinterpret_cast<uintptr_t>(workspace) % 256 != 0 ||
                      embed4j_emulator_require("cuBLAS workspace", workspace, bytes) != 0)) {
        return invalidValue;
    }
    handleOf(handle)->workspace = workspace;
    handleOf(handle)->workspaceBytes = bytes;
    return success;
}

#define EMULATED_MODE(Name, field, suffix)                             \
    EMULATED_CUBLAS cublasSet##Name##suffix(void* handle, int mode) {  \
        if (handle == nullptr) {                                       \
            return notInitialized;                                     \
        }                                                              \
        handleOf(handle)->field = mode;                                \
        return success;                                                \
    }                                                                  \
    EMULATED_CUBLAS cublasGet##Name##suffix(void* handle, int* mode) { \
        if (handle == nullptr) {                                       \
            return notInitialized;                                     \
        }                                                              \
        *mode = handleOf(handle)->field;                               \
        return success;                                                \
    }
EMULATED_MODE(MathMode, mathMode, )
EMULATED_MODE(AtomicsMode, atomicsMode, )
EMULATED_MODE(PointerMode, pointerMode, _v2)

EMULATED_CUBLAS cublasGetVersion_v2(void*, int* version) {
    *version = EMULATED_CUBLAS_VERSION;
    return success;
}

EMULATED_CUBLAS cublasGetProperty(int type, int* value) {
    const int parts[] = {EMULATED_CUBLAS_VERSION / 10000, EMULATED_CUBLAS_VERSION / 100 % 100,
                         EMULATED_CUBLAS_VERSION % 100};
    if (type < 0 || type > 2) {
        return invalidValue;
    }
    *value = parts[type];
    return success;
}

extern "C" __attribute__((visibility("default"))) size_t cublasGetCudartVersion() {
    return EMULATED_CUBLAS_VERSION / 10000 * 1000;
}

namespace {

struct StatusText {
    int status;
    const char* name;
    const char* text;
};
constexpr StatusText statusTexts[] = {
    {0, "CUBLAS_STATUS_SUCCESS", "success"},
    {1, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {3, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {7, "CUBLAS_STATUS_INVALID_VALUE", "an unsupported numerical value was passed to the function"},
    {8, "CUBLAS_STATUS_ARCH_MISMATCH",
     "the function requires an architectural feature absent from the architecture of the device"},
    {11, "CUBLAS_STATUS_MAPPING_ERROR", "an access to GPU memory space failed"},
    {13, "CUBLAS_STATUS_EXECUTION_FAILED", "the function failed to launch on the GPU"},
    {14, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {15, "CUBLAS_STATUS_NOT_SUPPORTED", "the functionality is not supported"},
};

const StatusText& textOf(int status) {
    static constexpr StatusText unknown{-1, "CUBLAS_STATUS_UNKNOWN", "unknown status"};
    for (const StatusText& row : statusTexts) {
        if (row.status == status) {
            return row;
        }
    }
    return unknown;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const char* cublasGetStatusName(int status) {
    return textOf(status).name;
}
extern "C" __attribute__((visibility("default"))) const char* cublasGetStatusString(int status) {
    return textOf(status).text;
}
