// SPDX-License-Identifier: Apache-2.0
//
// The warp operations, each computed for all lanes at once: shuffles, votes, matrix products and matrix loads; and the
// asynchronous copies, which belong to one thread.

#include <algorithm>

#include "emulated/arithmetic.h"
#include "emulated/narrow_floats.h"
#include "emulated/tensor_core.h"
#include "emulated/vectors.h"
#include "engine.h"

namespace emulated {

namespace {

template <typename Function>
void forEachLane(uint32_t lanes, Function function) {
    for (; lanes != 0; lanes &= lanes - 1) {
        function(__builtin_ctz(lanes));
    }
}

void combineSync(Warp& warp, uint32_t, void* const*) {
    noteWarpSync(warp);
}

void combineShuffle(Warp&, uint32_t lanes, void* const* arguments) {
    forEachLane(lanes, [&](unsigned lane) {
        ShuffleArguments& mine = *static_cast<ShuffleArguments*>(arguments[lane]);
        if ((lanes >> mine.source & 1u) == 0) {
            raise(FaultKind::divergence, 0, "a shuffle has lane %u read lane %u, which does not take part (lanes %#x)",
                  lane, mine.source, lanes);
        }
        mine.result = static_cast<ShuffleArguments*>(arguments[mine.source])->value;
    });
}

void combineBallot(Warp&, uint32_t lanes, void* const* arguments) {
    uint32_t votes = 0;
    forEachLane(lanes, [&](unsigned lane) {
        votes |= static_cast<uint32_t>(static_cast<VoteArguments*>(arguments[lane])->value) << lane;
    });
    forEachLane(lanes, [&](unsigned lane) { static_cast<VoteArguments*>(arguments[lane])->result = votes; });
}

void combineMatch(Warp&, uint32_t lanes, void* const* arguments) {
    forEachLane(lanes, [&](unsigned lane) {
        VoteArguments& mine = *static_cast<VoteArguments*>(arguments[lane]);
        mine.result = 0;
        forEachLane(lanes, [&](unsigned other) {
            mine.result |= (static_cast<VoteArguments*>(arguments[other])->value == mine.value ? 1u : 0u) << other;
        });
    });
}

template <uint32_t (*reduce)(uint32_t, uint32_t)>
void combineReduce(Warp&, uint32_t lanes, void* const* arguments) {
    uint32_t result = static_cast<uint32_t>(static_cast<VoteArguments*>(arguments[__builtin_ctz(lanes)])->value);
    forEachLane(lanes & (lanes - 1), [&](unsigned lane) {
        result = reduce(result, static_cast<uint32_t>(static_cast<VoteArguments*>(arguments[lane])->value));
    });
    forEachLane(lanes, [&](unsigned lane) { static_cast<VoteArguments*>(arguments[lane])->result = result; });
}

uint32_t add(uint32_t a, uint32_t b) {
    return a + b;
}
uint32_t lower(uint32_t a, uint32_t b) {
    return std::min(a, b);
}
uint32_t higher(uint32_t a, uint32_t b) {
    return std::max(a, b);
}
uint32_t lowerSigned(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>(std::min<int32_t>(a, b));
}
uint32_t higherSigned(uint32_t a, uint32_t b) {
    return static_cast<uint32_t>(std::max<int32_t>(a, b));
}
uint32_t bitAnd(uint32_t a, uint32_t b) {
    return a & b;
}
uint32_t bitOr(uint32_t a, uint32_t b) {
    return a | b;
}
uint32_t bitXor(uint32_t a, uint32_t b) {
    return a ^ b;
}

void requireFullWarp(uint32_t lanes, const char* what) {
    if (lanes != 0xffffffffu) {
        raise(FaultKind::divergence, 0, "%s needs all 32 lanes of a warp, has %#x", what, lanes);
    }
}

/**
 * d += a b on a [16, 8] tile with K = 16 or 8. Registers hold two elements each; with g = lane / 4 and t = lane % 4
 * register r of A is row g + 8 (r % 2), columns 2t + 8 (r / 2) and the next; register r of B is rows 2t + 8r and the
 * next, column g.
 */
template <typename T, int K>
void combineMma(Warp&, uint32_t lanes, void* const* arguments) {
    requireFullWarp(lanes, "mma");
    float a[16][K], b[K][8], d[16][8];
    for (unsigned lane = 0; lane < 32; lane++) {
        const MatrixArguments& mine = *static_cast<const MatrixArguments*>(arguments[lane]);
        const unsigned g = lane / 4, t = lane % 4;
        for (unsigned r = 0; r < K / 4; r++) {
            const unsigned row = g + 8 * (r % 2), column = 2 * t + 8 * (r / 2);
            a[row][column] = T::of(static_cast<uint16_t>(mine.a[r]));
            a[row][column + 1] = T::of(static_cast<uint16_t>(mine.a[r] >> 16));
        }
        for (unsigned r = 0; r < K / 8; r++) {
            b[2 * t + 8 * r][g] = T::of(static_cast<uint16_t>(mine.b[r]));
            b[2 * t + 8 * r + 1][g] = T::of(static_cast<uint16_t>(mine.b[r] >> 16));
        }
        for (unsigned r = 0; r < 4; r++) {
            d[g + 8 * (r / 2)][2 * t + r % 2] = mine.d[r];
        }
    }
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < K; k++) {
            for (int column = 0; column < 8; column++) {
                d[row][column] += a[row][k] * b[k][column];
            }
        }
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        float* mine = static_cast<const MatrixArguments*>(arguments[lane])->d;
        const unsigned g = lane / 4, t = lane % 4;
        for (unsigned r = 0; r < 4; r++) {
            mine[r] = d[g + 8 * (r / 2)][2 * t + r % 2];
        }
    }
}

template <int tiles, bool transposed>
void combineLoad(Warp&, uint32_t lanes, void* const* arguments) {
    requireFullWarp(lanes, "ldmatrix");
    uint16_t tile[8][8];
    for (unsigned i = 0; i < tiles; i++) {
        for (unsigned row = 0; row < 8; row++) {
            const void* source = static_cast<const LoadMatrixArguments*>(arguments[8 * i + row])->row;
            if (reinterpret_cast<uintptr_t>(source) % 16 != 0) {
                raise(FaultKind::misalignedAddress, reinterpret_cast<uintptr_t>(source),
                      "ldmatrix: the row address of lane %u is not a multiple of 16", 8 * i + row);
            }
            checkAccess(source, 16, false);
            memcpy(tile[row], source, 16);
        }
        for (unsigned lane = 0; lane < 32; lane++) {
            const unsigned row = lane / 4, column = 2 * (lane % 4);
            const uint32_t low = transposed ? tile[column][row] : tile[row][column];
            const uint32_t high = transposed ? tile[column + 1][row] : tile[row][column + 1];
            static_cast<const LoadMatrixArguments*>(arguments[lane])->registers[i] = low | high << 16;
        }
    }
}

void carryOut(const PendingCopy& copy) {
    if (copy.valid) {
        memcpy(copy.shared, copy.device, 16);
    } else {
        memset(copy.shared, 0, 16);
    }
}

} // namespace

const Collective syncWarp{"__syncwarp", combineSync};
const Collective shuffle{"__shfl_sync", combineShuffle};
const Collective shuffleXor{"__shfl_xor_sync", combineShuffle};
const Collective shuffleUp{"__shfl_up_sync", combineShuffle};
const Collective shuffleDown{"__shfl_down_sync", combineShuffle};
const Collective ballot{"a vote (__ballot_sync, __any_sync, __all_sync)", combineBallot};
const Collective matchAny{"__match_any_sync", combineMatch};
const Collective reduceAdd{"__reduce_add_sync", combineReduce<add>};
const Collective reduceMin{"__reduce_min_sync", combineReduce<lower>};
const Collective reduceMax{"__reduce_max_sync", combineReduce<higher>};
const Collective reduceMinSigned{"__reduce_min_sync", combineReduce<lowerSigned>};
const Collective reduceMaxSigned{"__reduce_max_sync", combineReduce<higherSigned>};
const Collective reduceAnd{"__reduce_and_sync", combineReduce<bitAnd>};
const Collective reduceOr{"__reduce_or_sync", combineReduce<bitOr>};
const Collective reduceXor{"__reduce_xor_sync", combineReduce<bitXor>};
const Collective mmaHalf16{"mma.m16n8k16 (fp16)", combineMma<__half, 16>};
const Collective mmaHalf8{"mma.m16n8k8 (fp16)", combineMma<__half, 8>};
const Collective mmaBrain16{"mma.m16n8k16 (bf16)", combineMma<__nv_bfloat16, 16>};
const Collective mmaBrain8{"mma.m16n8k8 (bf16)", combineMma<__nv_bfloat16, 8>};
const Collective loadMatrix1{"ldmatrix.x1", combineLoad<1, false>};
const Collective loadMatrix2{"ldmatrix.x2", combineLoad<2, false>};
const Collective loadMatrix4{"ldmatrix.x4", combineLoad<4, false>};
const Collective loadMatrix1Transposed{"ldmatrix.x1.trans", combineLoad<1, true>};
const Collective loadMatrix2Transposed{"ldmatrix.x2.trans", combineLoad<2, true>};
const Collective loadMatrix4Transposed{"ldmatrix.x4.trans", combineLoad<4, true>};

void copyAsynchronously(void* shared, const void* device, bool valid) {
    if (reinterpret_cast<uintptr_t>(shared) % 16 != 0 || reinterpret_cast<uintptr_t>(device) % 16 != 0) {
        raise(FaultKind::misalignedAddress, reinterpret_cast<uintptr_t>(device),
              "cp.async of 16 bytes: an address is not a multiple of 16");
    }
    checkAccess(shared, 16, true);
    if (valid) {
        checkAccess(device, 16, false);
    }
    auto& mine = engine.asynchronous[currentFiber->linearIndex];
    mine.copies.push_back({shared, device, valid, mine.committed});
    engine.copiesPending = true;
}

void commitCopies() {
    engine.asynchronous[currentFiber->linearIndex].committed++;
}

void waitForCopies(int pendingGroups) {
    auto& mine = engine.asynchronous[currentFiber->linearIndex];
    size_t done = 0;
    while (done < mine.copies.size() &&
           mine.committed - mine.copies[done].group > static_cast<unsigned>(pendingGroups)) {
        carryOut(mine.copies[done++]);
    }
    mine.copies.erase(mine.copies.begin(), mine.copies.begin() + static_cast<ptrdiff_t>(done));
}

} // namespace emulated
