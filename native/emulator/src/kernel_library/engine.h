// SPDX-License-Identifier: Apache-2.0
//
// One emulated streaming multiprocessor: its state, private to a copy of a kernel library.
//
// Only one OS thread at a time is inside a copy (the driver lends it out), so nothing here is locked.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "emulated/warp.h"

namespace emulated {

constexpr unsigned maxThreads = 1024;
constexpr unsigned maxWarps = maxThreads / 32;
constexpr unsigned maxDynamicShared = 166912 - 1024; // what an sm_80 block may opt in to
constexpr unsigned sharedGuardBytes = 256;           // behind the dynamic shared memory of the block

/** Lanes on their way to one warp operation. */
struct Rendezvous {
    uint32_t mask, arrived;
    const Collective* collective;
};

struct Warp {
    uint32_t live;     // have not exited
    uint32_t runnable; // may run now (or have not begun)
    uint32_t inBarrier;
    unsigned epoch;         // counts __syncwarp, for the race check
    Rendezvous meetings[4]; // more than four diverged groups at once are refused
    void* arguments[32];
    Fiber* lanes;
};

/** A cp.async that has not been waited for. */
struct PendingCopy {
    void* shared;
    const void* device;
    bool valid;
    unsigned group;
};

struct Engine {
    Fiber fibers[maxThreads];
    Warp warps[maxWarps];
    unsigned threads = 0, warpCount = 0;
    Index3 dimension{};

    uint32_t runnableWarps = 0; // bit w: warps[w].runnable != 0
    unsigned live = 0, inBarrier = 0;
    unsigned barrierEpoch = 0; // counts __syncthreads over all blocks, for the race check
    int barrierVotes = 0, barrierResult = 0;
    bool barrierAll = true;

    const Launch* launch = nullptr;
    Fault* fault = nullptr;
    bool faulted = false, running = false;
    void* mainStackPointer = nullptr;
    uint64_t random = 0;

    struct {
        std::vector<PendingCopy> copies;
        unsigned committed = 0;
    } asynchronous[maxThreads];
    bool copiesPending = false; // since the block began
};

extern Engine engine;

/** Lets somebody else run; returns when the current fiber was made runnable and chosen again. */
void suspend();
/** Makes the lanes of `warp` in `lanes` runnable. */
inline void wake(Warp& warp, uint32_t lanes) {
    warp.runnable |= lanes;
    if (warp.runnable != 0) {
        engine.runnableWarps |= 1u << (&warp - engine.warps);
    }
}
inline void block(Warp& warp, uint32_t lanes) {
    warp.runnable &= ~lanes;
    if (warp.runnable == 0) {
        engine.runnableWarps &= ~(1u << (&warp - engine.warps));
    }
}

/** Runs the fibers of the block that `engine` holds until all have exited or a fault was raised. */
void runFibers();
/** Called by a fiber whose kernel has returned: releases those who waited for it. */
void exited(Fiber& fiber);
[[noreturn]] void describeDeadlock();
/** Leaves the current fiber for good; the block ends. */
[[noreturn]] void abandonBlock();

struct StackRange {
    uintptr_t guard, low, high; // [guard, low) is not accessible
};
StackRange stackOf(const Fiber& fiber);
StackRange allStacks();
bool interceptSignal(int signal, void* info, void* context);

// The checked build (checks.cpp) implements these; the fast one (no_checks.cpp) leaves them empty.
extern const bool checkedBuild;
void beginBlockChecks();
void noteWarpSync(Warp& warp);
/** Looks at an access on behalf of uninstrumented code: ldmatrix and cp.async. */
void checkAccess(const void* address, size_t bytes, bool write);

} // namespace emulated
