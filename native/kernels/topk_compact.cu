// SPDX-License-Identifier: Apache-2.0
//
// Raises each query's limit by the candidates found so far and drops those below it.
//
// Of the scores of a query's candidates let t be the k-th best. k rows have a true score of at least t - margin, so a
// row whose score is below t - 2 margin cannot be among the best k, and neither can one yet to come: that is the limit.
// With fewer than k candidates nothing is known. A query is lost (lost[q] = 1, a limit that nothing reaches, no
// candidates) if its list ran over, or if what remains leaves no room for `room` more.
//
// Idea: one block a query. The k-th best is found by its ordered bits, 8 at a time from the top, with a histogram in
// shared memory; then the list is packed in place, a block's width at a time: a candidate never moves up, so nothing is
// overwritten that was not read.
// Cost: five passes over the list.
//
// Launch: grid.x = queries, block 512.
#include "device/topk.cuh"

namespace topk_compaction {

constexpr int BLOCK = 512;
constexpr int WARPS = BLOCK / WARP;
constexpr int DIGIT_BITS = 8;
constexpr int BINS = 1 << DIGIT_BITS;

// The bin in which the rank-th best lies, counted from the highest bin, by the first warp: lane l adds up bins
// 255 - 8 l to 248 - 8 l. Writes the bin and the rank within it.
__device__ __forceinline__ void find_bin(const int* histogram, int rank, int* foundBin, int* foundRank) {
    constexpr int SHARE = BINS / WARP;
    const int highest = BINS - 1 - lane_index() * SHARE;
    int mine = 0;
    for (int i = 0; i < SHARE; i++) {
        mine += histogram[highest - i];
    }
    int upToMine = mine;
#pragma unroll
    for (int distance = 1; distance < WARP; distance *= 2) {
        const int other = __shfl_up_sync(ALL_LANES, upToMine, distance);
        upToMine += lane_index() >= distance ? other : 0;
    }
    const int before = upToMine - mine;
    if (before < rank && rank <= upToMine) {
        int left = rank - before;
        int bin = highest;
        while (left > histogram[bin]) {
            left -= histogram[bin];
            bin--;
        }
        *foundBin = bin;
        *foundRank = left;
    }
}

// Ordered bits of the k-th best of count >= k candidates.
static __device__ __forceinline__ unsigned kth_best(const topk::Key* keys, int count, int k) {
    __shared__ int histogram[BINS];
    __shared__ int foundBin;
    __shared__ int foundRank;
    unsigned prefix = 0;
    int rank = k;
    for (int shift = 32 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
        for (int i = static_cast<int>(threadIdx.x); i < BINS; i += BLOCK) {
            histogram[i] = 0;
        }
        __syncthreads();
        for (int i = static_cast<int>(threadIdx.x); i < count; i += BLOCK) {
            const unsigned bits = topk::ordered_bits_of(keys[i]);
            // In 64 bits, since all 32 are shifted out in the first pass.
            if (static_cast<unsigned long long>(bits) >> (shift + DIGIT_BITS) == prefix) {
                atomicAdd(&histogram[bits >> shift & (BINS - 1)], 1);
            }
        }
        __syncthreads();
        if (warp_index() == 0) {
            find_bin(histogram, rank, &foundBin, &foundRank);
        }
        __syncthreads();
        prefix = prefix << DIGIT_BITS | static_cast<unsigned>(foundBin);
        rank = foundRank;
        __syncthreads();
    }
    return prefix;
}

// Packs the candidates that reach the limit; how many those are.
static __device__ __forceinline__ int pack(topk::Key* keys, int count, float limit) {
    __shared__ int kept[WARPS];
    int packed = 0;
    for (int first = 0; first < count; first += BLOCK) {
        const int i = first + static_cast<int>(threadIdx.x);
        const topk::Key key = i < count ? keys[i] : 0;
        const bool keep = i < count && topk::score_of(key) >= limit;
        const unsigned keeping = __ballot_sync(ALL_LANES, keep);
        if (lane_index() == 0) {
            kept[warp_index()] = __popc(keeping);
        }
        // Also: this block's width has been read by all.
        __syncthreads();
        int place = packed + __popc(keeping & ((1u << lane_index()) - 1));
        for (int warp = 0; warp < WARPS; warp++) {
            place += warp < warp_index() ? kept[warp] : 0;
            packed += kept[warp];
        }
        if (keep) {
            keys[place] = key;
        }
        __syncthreads();
    }
    return packed;
}

__device__ __forceinline__ void compact(topk::Key* allKeys, int* counts, float* limits, int* lost, const float* margins,
                                        int capacity, int k, int room) {
    const int query = static_cast<int>(blockIdx.x);
    topk::Key* keys = allKeys + static_cast<size_t>(query) * capacity;
    int count = counts[query];
    float limit = limits[query];
    const bool overrun = lost[query] != 0 || count > capacity;
    if (!overrun && count >= k) {
        const float kth = topk::from_ordered_bits(kth_best(keys, count, k));
        // Rounded to the nearest and then one down: never above the difference itself.
        const float below = kth - 2.0f * margins[query];
        limit = topk::from_ordered_bits(topk::ordered_bits(below) - 1);
        count = pack(keys, count, limit);
    }
    // Others of the block have read what the first thread writes.
    __syncthreads();
    if (threadIdx.x == 0) {
        const bool gone = overrun || count > capacity - room;
        counts[query] = gone ? 0 : count;
        limits[query] = gone ? INFINITY : limit;
        lost[query] = gone ? 1 : 0;
    }
}

} // namespace topk_compaction

extern "C" __global__ void __launch_bounds__(topk_compaction::BLOCK)
    topk_compact(topk::Key* keys, int* counts, float* limits, int* lost, const float* margins, int capacity, int k,
                 int room) {
    topk_compaction::compact(keys, counts, limits, lost, margins, capacity, k, room);
}
