// SPDX-License-Identifier: Apache-2.0
// What libcublasLt.so is to libcublas.so: a dependency, and nothing that JCuda calls.

extern "C" int fakeCublasLt() { return 0; }
