// SPDX-License-Identifier: Apache-2.0
// A libcublas.so.12 or .13 (CUBLAS_MAJOR) that makes handles and tells its version. Linked with --default-symver, its
// symbols carry the version that is the library's own name, as NVIDIA's do.

#include <cstddef>

extern "C" {

// In the library that stands for cuBLASLt, so that loading fails where it is not loaded first.
int fakeCublasLt();

int cublasCreate_v2(void** handle) {
    static int marker;
    *handle = &marker;
    return fakeCublasLt();
}

int cublasGetVersion_v2(void*, int* version) {
    *version = CUBLAS_MAJOR * 10000;
    return 0;
}

}  // extern "C"
