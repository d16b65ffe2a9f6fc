// SPDX-License-Identifier: Apache-2.0
//
// What the emulated driver (libcuda.so.1) and a library of host-compiled kernels know of each other.
//
// The idea: one loaded copy of a kernel library is one streaming multiprocessor. `__shared__` arrays, blockIdx and the
// current thread are plain global variables of the copy, so a copy runs one block at a time; the driver loads as many
// copies as blocks shall run at once. Nothing is thread-local and nothing is passed to device functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulated {

struct Index3 {
    unsigned x, y, z;
};

/** A kernel as registered by its translation unit: `call` unpacks one pointer a parameter. */
struct KernelDescription {
    const char* name;
    void (*call)(void** parameters);
    int parameterCount;
    const uint16_t* parameterBytes;
    KernelDescription* next;
};

/** Device or pinned memory that kernels may touch: [begin, end). */
struct MemoryRange {
    uintptr_t begin, end;
};

/** The kinds of faults, as read through limit 0x7e0c; README.md lists them with their CUresult. */
enum class FaultKind : int {
    none = 0,
    illegalAddress = 1,
    divergence = 2,
    sharedOverrun = 3,
    sharedRace = 4,
    useAfterFree = 5,
    invalidFree = 6,
    outOfMemory = 7,
    copyOutOfBounds = 8,
    gemmOutOfBounds = 9,
    misalignedAddress = 10,
    trap = 11,
    divisionByZero = 12,
    stackOverflow = 13,
    invalidLaunch = 14,
    overwrittenGuard = 15,
    injected = 16,
    invalidCapture = 17,
};

struct Fault {
    FaultKind kind = FaultKind::none;
    uintptr_t address = 0; // of the access, where there is one
    char message[400] = {};
};

struct Launch {
    const KernelDescription* kernel;
    void** parameters;
    Index3 grid, block;
    unsigned dynamicSharedBytes;
    uint64_t schedulerSeed; // 0 = lanes, warps and blocks in order
    // Only the checked build looks at these. Sorted by begin.
    const MemoryRange* ranges;
    size_t rangeCount;
    MemoryRange deviceArena; // every device allocation lies in here
};

/** The face of a kernel library, returned by its only exported function `embed4j_kernel_library`. */
struct KernelLibrary {
    KernelDescription* kernels; // linked list
    bool checked;               // the build that looks at every load and store
    /** Runs one block on the calling OS thread; false = a fault was found and described. */
    bool (*runBlock)(const Launch& launch, Index3 block, Fault& fault);
    /** Called from a signal handler on the thread that runs a block: true = the context now leads to a fault report. */
    bool (*interceptSignal)(int signal, void* signalInfo, void* context);
    unsigned maxDynamicSharedBytes;
};

using KernelLibraryFunction = const KernelLibrary* (*)();

} // namespace emulated
