// SPDX-License-Identifier: Apache-2.0
//
// Threads, warps and blocks as device code sees them, and the one primitive under every warp operation.
//
// The idea: a warp operation is a rendezvous. Each lane hands in a pointer to its own arguments; the last lane to
// arrive computes the operation for all lanes at once and everybody goes on. Shuffles, votes, mma and ldmatrix are all
// that, and lanes that meet in different operations, or wait for a lane that never comes, are found by the scheduler.
#pragma once

#include <cstring>
#include <utility>

#include "kernel_library.h"

/** A function whose loads and stores the checked build does not look at. */
#define EMULATED_UNSANITIZED __attribute__((no_sanitize("kernel-address")))

namespace emulated {

struct Warp;

/** One CUDA thread: a fiber. The fields that device code reads come first. */
struct Fiber {
    Index3 threadIndex;
    unsigned lane;
    Warp* warp;
    unsigned linearIndex;
    void* stackPointer; // where it was left, while it is not running
    int stack;          // number of its stack, -1 while it has not begun
};

/** A warp operation: `combine` sees the arguments of the lanes in `lanes`, indexed by lane. */
struct Collective {
    const char* name;
    void (*combine)(Warp& warp, uint32_t lanes, void* const* arguments);
};

extern Fiber* currentFiber;
extern Index3 currentBlockIndex, currentBlockDimension, currentGridDimension;
extern unsigned char dynamicShared[];

/** Meets the lanes of `mask` that have not exited. */
void meet(const Collective& collective, uint32_t mask, void* argument);
/** Lanes of the current warp that have not exited. */
uint32_t liveLanes();

enum class BarrierReduction { none, count, logicalAnd, logicalOr };
int meetBlock(BarrierReduction reduction, int predicate);

[[noreturn]] void raise(FaultKind kind, uintptr_t address, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/** Bounds of an atomic operation; it needs no barrier. Does nothing in the fast build. */
void checkAtomicAccess(const void* address, size_t bytes);

// cp.async: copies wait in the thread until it waits for them.
void copyAsynchronously(void* shared, const void* device, bool valid);
void commitCopies();
void waitForCopies(int pendingGroups);

/** Adds a kernel to the library's list when the library is loaded. */
struct Registration {
    KernelDescription description;
    Registration(const char* name, void (*call)(void**), int parameterCount, const uint16_t* parameterBytes);
};

template <typename Function>
struct Invoker;

template <typename... Parameters>
struct Invoker<void (*)(Parameters...)> {
    static constexpr int parameterCount = sizeof...(Parameters);
    static constexpr uint16_t parameterBytes[sizeof...(Parameters) + 1] = {sizeof(Parameters)..., 0};

    // Not looked at by the checked build: the parameters are read from the host.
    template <void (*kernel)(Parameters...)>
    EMULATED_UNSANITIZED static void call(void** parameters) {
        unpack<kernel>(parameters, std::index_sequence_for<Parameters...>{});
    }

private:
    template <void (*kernel)(Parameters...), size_t... index>
    EMULATED_UNSANITIZED static void unpack(void** parameters, std::index_sequence<index...>) {
        (void)parameters;
        kernel(*static_cast<Parameters*>(parameters[index])...);
    }
};

} // namespace emulated

// ---- indices -----------------------------------------------------------------------------------------------------

#define threadIdx (::emulated::currentFiber->threadIndex)
#define blockIdx (::emulated::currentBlockIndex)
#define blockDim (::emulated::currentBlockDimension)
#define gridDim (::emulated::currentGridDimension)
static constexpr int warpSize = 32;

// ---- barriers ----------------------------------------------------------------------------------------------------

static inline void __syncthreads() {
    emulated::meetBlock(emulated::BarrierReduction::none, 0);
}
static inline int __syncthreads_count(int p) {
    return emulated::meetBlock(emulated::BarrierReduction::count, p);
}
static inline int __syncthreads_and(int p) {
    return emulated::meetBlock(emulated::BarrierReduction::logicalAnd, p);
}
static inline int __syncthreads_or(int p) {
    return emulated::meetBlock(emulated::BarrierReduction::logicalOr, p);
}

namespace emulated {
extern const Collective syncWarp;
} // namespace emulated
static inline void __syncwarp(unsigned mask = 0xffffffffu) {
    emulated::meet(emulated::syncWarp, mask, nullptr);
}

static inline void __threadfence() {
    __sync_synchronize();
}
static inline void __threadfence_block() {
    __sync_synchronize();
}
static inline void __threadfence_system() {
    __sync_synchronize();
}
[[noreturn]] static inline void __trap() {
    emulated::raise(emulated::FaultKind::trap, 0, "__trap()");
}
static inline unsigned __activemask() {
    return emulated::liveLanes();
} // lanes do not diverge here of themselves
static inline void __nanosleep(unsigned) {}

// ---- shuffles ----------------------------------------------------------------------------------------------------

namespace emulated {

struct ShuffleArguments {
    uint64_t value;
    unsigned source; // lane to read
    uint64_t result;
};

extern const Collective shuffle, shuffleXor, shuffleUp, shuffleDown;

template <typename T>
inline T shuffleFrom(const Collective& which, unsigned mask, T value, unsigned source) {
    static_assert(sizeof(T) <= 8, "shuffles move values of up to 8 bytes");
    ShuffleArguments arguments{0, source, 0};
    memcpy(&arguments.value, &value, sizeof(T));
    meet(which, mask, &arguments);
    T result;
    memcpy(&result, &arguments.result, sizeof(T));
    return result;
}

} // namespace emulated

template <typename T>
static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    const unsigned first = emulated::currentFiber->lane & ~(width - 1);
    return emulated::shuffleFrom(emulated::shuffle, mask, value, first | (source & (width - 1)));
}

template <typename T>
static inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
    const unsigned lane = emulated::currentFiber->lane, source = lane ^ bits;
    const bool inside = source < ((lane & ~(width - 1)) + width);
    return emulated::shuffleFrom(emulated::shuffleXor, mask, value, inside ? source : lane);
}

template <typename T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32) {
    const unsigned lane = emulated::currentFiber->lane, source = lane + distance;
    const bool inside = (lane & (width - 1)) + distance < static_cast<unsigned>(width);
    return emulated::shuffleFrom(emulated::shuffleDown, mask, value, inside ? source : lane);
}

template <typename T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32) {
    const unsigned lane = emulated::currentFiber->lane;
    const bool inside = (lane & (width - 1)) >= distance;
    return emulated::shuffleFrom(emulated::shuffleUp, mask, value, inside ? lane - distance : lane);
}

// ---- votes and reductions ----------------------------------------------------------------------------------------

namespace emulated {

struct VoteArguments {
    uint64_t value;
    uint32_t result;
};

extern const Collective ballot, matchAny, reduceAdd, reduceMin, reduceMax, reduceMinSigned, reduceMaxSigned, reduceAnd,
    reduceOr, reduceXor;

inline uint32_t vote(const Collective& which, unsigned mask, uint64_t value) {
    VoteArguments arguments{value, 0};
    meet(which, mask, &arguments);
    return arguments.result;
}

} // namespace emulated

static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return emulated::vote(emulated::ballot, mask, predicate != 0);
}
static inline int __any_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate) != 0;
}
static inline int __all_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, !predicate) == 0;
}

template <typename T>
static inline unsigned __match_any_sync(unsigned mask, T value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return emulated::vote(emulated::matchAny, mask, bits);
}

static inline unsigned __reduce_add_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceAdd, m, v);
}
static inline int __reduce_add_sync(unsigned m, int v) {
    return emulated::vote(emulated::reduceAdd, m, uint32_t(v));
}
static inline unsigned __reduce_min_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceMin, m, v);
}
static inline unsigned __reduce_max_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceMax, m, v);
}
static inline int __reduce_min_sync(unsigned m, int v) {
    return emulated::vote(emulated::reduceMinSigned, m, uint32_t(v));
}
static inline int __reduce_max_sync(unsigned m, int v) {
    return emulated::vote(emulated::reduceMaxSigned, m, uint32_t(v));
}
static inline unsigned __reduce_and_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceAnd, m, v);
}
static inline unsigned __reduce_or_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceOr, m, v);
}
static inline unsigned __reduce_xor_sync(unsigned m, unsigned v) {
    return emulated::vote(emulated::reduceXor, m, v);
}
