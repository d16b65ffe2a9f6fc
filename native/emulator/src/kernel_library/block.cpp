// SPDX-License-Identifier: Apache-2.0
//
// A block: laying out its warps, meeting at barriers and in warp operations, and saying who waits for whom when nobody
// can go on.

#include <cstdio>

#include "engine.h"

namespace emulated {

Index3 currentBlockIndex, currentBlockDimension, currentGridDimension;
alignas(256) unsigned char dynamicShared[maxDynamicShared + sharedGuardBytes];

namespace {

KernelLibrary library{};
constexpr unsigned char guardPattern = 0xa5;

/** Gives every thread its place. Kept from block to block while the shape of the block is the same. */
void layOut(Index3 dimension) {
    engine.dimension = dimension;
    engine.threads = dimension.x * dimension.y * dimension.z;
    engine.warpCount = (engine.threads + 31) / 32;
    for (unsigned i = 0; i < engine.threads; i++) {
        Fiber& fiber = engine.fibers[i];
        fiber.threadIndex = {i % dimension.x, i / dimension.x % dimension.y, i / (dimension.x * dimension.y)};
        fiber.linearIndex = i;
        fiber.lane = i % 32;
        fiber.warp = &engine.warps[i / 32];
    }
}

void beginBlock() {
    for (unsigned w = 0; w < engine.warpCount; w++) {
        Warp& warp = engine.warps[w];
        const unsigned lanes = engine.threads - w * 32;
        warp.live = lanes >= 32 ? 0xffffffffu : (1u << lanes) - 1u;
        warp.runnable = warp.live;
        warp.inBarrier = 0;
        warp.lanes = &engine.fibers[w * 32];
        for (Rendezvous& meeting : warp.meetings) {
            meeting.arrived = 0;
        }
    }
    for (unsigned i = 0; i < engine.threads; i++) {
        engine.fibers[i].stack = -1;
    }
    engine.runnableWarps = engine.warpCount == 32 ? 0xffffffffu : (1u << engine.warpCount) - 1u;
    engine.live = engine.threads;
    engine.inBarrier = 0;
    engine.barrierVotes = 0;
    engine.barrierAll = true;
    engine.barrierEpoch++;
    if (engine.copiesPending) {
        for (auto& thread : engine.asynchronous) {
            thread.copies.clear();
        }
        engine.copiesPending = false;
    }
}

void completeMeeting(Warp& warp, Rendezvous& meeting) {
    const uint32_t lanes = meeting.arrived;
    const Collective& collective = *meeting.collective;
    meeting.arrived = 0;
    collective.combine(warp, lanes, warp.arguments);
    wake(warp, lanes);
}

void completeBarrier() {
    engine.inBarrier = 0;
    engine.barrierResult = engine.barrierVotes;
    engine.barrierVotes = 0;
    engine.barrierEpoch++;
    for (unsigned w = 0; w < engine.warpCount; w++) {
        Warp& warp = engine.warps[w];
        if (warp.inBarrier != 0) {
            wake(warp, warp.inBarrier);
            warp.inBarrier = 0;
        }
    }
}

bool runBlock(const Launch& launch, Index3 blockIndex, Fault& fault) {
    engine.launch = &launch;
    engine.fault = &fault;
    engine.faulted = false;
    if (launch.block.x != engine.dimension.x || launch.block.y != engine.dimension.y ||
        launch.block.z != engine.dimension.z) {
        layOut(launch.block);
    }
    currentBlockIndex = blockIndex;
    currentBlockDimension = launch.block;
    currentGridDimension = launch.grid;
    if (launch.schedulerSeed != 0) {
        const uint64_t number = (uint64_t{blockIndex.z} * launch.grid.y + blockIndex.y) * launch.grid.x + blockIndex.x;
        engine.random = (launch.schedulerSeed + number) * 0x9e3779b97f4a7c15ull | 1u;
    }
    beginBlock();
    // 0xff bytes read as NaN in every floating type: nobody may count on zeros
    memset(dynamicShared, 0xff, launch.dynamicSharedBytes);
    memset(dynamicShared + launch.dynamicSharedBytes, guardPattern, sharedGuardBytes);
    beginBlockChecks();
    runFibers();
    if (engine.faulted) {
        return false;
    }
    for (unsigned i = 0; i < sharedGuardBytes; i++) {
        if (dynamicShared[launch.dynamicSharedBytes + i] != guardPattern) {
            fault.kind = FaultKind::sharedOverrun;
            snprintf(fault.message, sizeof fault.message,
                     "wrote byte %u of its dynamic shared memory, which has %u bytes", launch.dynamicSharedBytes + i,
                     launch.dynamicSharedBytes);
            return false;
        }
    }
    return true;
}

} // namespace

Registration::Registration(const char* name, void (*call)(void**), int parameterCount, const uint16_t* parameterBytes)
    : description{name, call, parameterCount, parameterBytes, library.kernels} {
    library.kernels = &description;
}

uint32_t liveLanes() {
    return currentFiber->warp->live;
}

void meet(const Collective& collective, uint32_t mask, void* argument) {
    Fiber& self = *currentFiber;
    Warp& warp = *self.warp;
    const uint32_t bit = 1u << self.lane;
    if ((mask & bit) == 0) {
        raise(FaultKind::divergence, 0, "%s with mask %#x, which lacks the calling lane %u", collective.name, mask,
              self.lane);
    }
    Rendezvous* meeting = nullptr;
    for (Rendezvous& candidate : warp.meetings) {
        if (candidate.arrived == 0) {
            if (meeting == nullptr) {
                meeting = &candidate;
            }
        } else if (candidate.mask == mask) {
            meeting = &candidate;
            break;
        } else if ((candidate.mask & bit) != 0) {
            raise(FaultKind::divergence, 0,
                  "divergence: lane %u is in %s with mask %#x; others wait for it in %s with mask %#x", self.lane,
                  collective.name, mask, candidate.collective->name, candidate.mask);
        }
    }
    if (meeting == nullptr) {
        raise(FaultKind::divergence, 0, "more than four groups of a warp wait in different operations");
    }
    if (meeting->arrived == 0) {
        meeting->mask = mask;
        meeting->collective = &collective;
    } else if (meeting->collective != &collective) {
        raise(FaultKind::divergence, 0, "divergence: lane %u is in %s; others of mask %#x wait in %s", self.lane,
              collective.name, mask, meeting->collective->name);
    }
    meeting->arrived |= bit;
    warp.arguments[self.lane] = argument;
    if (meeting->arrived == (mask & warp.live)) {
        completeMeeting(warp, *meeting); // the caller is runnable and simply goes on
        if (engine.launch->schedulerSeed != 0) {
            suspend();
        }
        return;
    }
    block(warp, bit);
    suspend();
}

int meetBlock(BarrierReduction reduction, int predicate) {
    Fiber& self = *currentFiber;
    Warp& warp = *self.warp;
    engine.barrierVotes += predicate != 0;
    warp.inBarrier |= 1u << self.lane;
    block(warp, 1u << self.lane);
    if (++engine.inBarrier == engine.live) {
        completeBarrier();
        if (engine.launch->schedulerSeed != 0) {
            suspend();
        }
    } else {
        suspend();
    }
    switch (reduction) {
        case BarrierReduction::logicalAnd:
            return engine.barrierResult == static_cast<int>(engine.live);
        case BarrierReduction::logicalOr:
            return engine.barrierResult != 0;
        default:
            return engine.barrierResult;
    }
}

void exited(Fiber& fiber) {
    Warp& warp = *fiber.warp;
    engine.live--;
    warp.live &= ~(1u << fiber.lane);
    block(warp, 1u << fiber.lane);
    for (Rendezvous& meeting : warp.meetings) {
        if (meeting.arrived != 0 && meeting.arrived == (meeting.mask & warp.live)) {
            completeMeeting(warp, meeting);
        }
    }
    if (engine.inBarrier != 0 && engine.inBarrier == engine.live) {
        completeBarrier();
    }
}

void describeDeadlock() {
    // One group at a barrier and one in a warp operation tell the story; the rest is counted.
    char groups[240];
    int length =
        snprintf(groups, sizeof groups, "%u of %u threads wait at __syncthreads()", engine.inBarrier, engine.live);
    for (unsigned w = 0; w < engine.warpCount; w++) {
        for (const Rendezvous& meeting : engine.warps[w].meetings) {
            if (meeting.arrived != 0 && length < static_cast<int>(sizeof groups) - 100) {
                length +=
                    snprintf(groups + length, sizeof groups - length, "; warp %u: lanes %#x wait in %s with mask %#x",
                             w, meeting.arrived, meeting.collective->name, meeting.mask & engine.warps[w].live);
            }
        }
    }
    raise(FaultKind::divergence, 0, "divergence, nobody can go on: %s", groups);
}

} // namespace emulated

extern "C" __attribute__((visibility("default"))) const emulated::KernelLibrary* embed4j_kernel_library() {
    using namespace emulated;
    library.checked = checkedBuild;
    library.runBlock = runBlock;
    library.interceptSignal = interceptSignal;
    library.maxDynamicSharedBytes = maxDynamicShared;
    return &library;
}
