// SPDX-License-Identifier: Apache-2.0
//
// CUDA's device language for g++: included before every .cu file that is compiled for the emulated device.
//
// `__global__` and `__shared__` are not macros here: build.sh finds kernels by the first word, and rewrites the second
// to `static` (a library copy runs one block at a time) or, behind `extern`, to a pointer to the dynamic shared memory.
#pragma once

#include <cassert>
#include <cfloat>
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#define EMBED4J_EMULATED 1
#define __CUDA_ARCH__ 800

#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

using std::isfinite;
using std::isinf;
using std::isnan;

#include "emulated/arithmetic.h"
#include "emulated/atomics.h"
#include "emulated/narrow_floats.h"
#include "emulated/tensor_core.h"
#include "emulated/vectors.h"
#include "emulated/warp.h"

#undef assert
#define assert(condition) \
    ((condition) ? (void)0 : ::emulated::raise(::emulated::FaultKind::trap, 0, "assertion failed: %s", #condition))
