// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of exact top-k agree on: how candidates are written down, and which rows are visited in which order.
//
// A search keeps, for each query, a list of candidates and a limit. Kernels that compute scores append every row whose
// score reaches the limit; topk_compact then raises the limit to the k-th best score less twice the proven error of a
// score, and drops what is below. So at the end the list has every row that can be among the best k. A launch appends
// at most one candidate a row and query; the host gives it no more rows than every list has room for. What would not
// fit is not written but counted, and topk_compact gives up a query whose count says so: nothing is lost unseen.
#pragma once

#include "warp.cuh"

namespace topk {

constexpr int TILE_ROWS = 32; // rows that a warp takes at a time, one word of a filter

// Ordered bits of the score above, the complement of the row below: of equal scores the lower row has the larger key.
using Key = unsigned long long;

// Bits that are ordered as unsigned integers as the numbers are.
__device__ __forceinline__ unsigned ordered_bits(float score) {
    const unsigned bits = __float_as_uint(score);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float from_ordered_bits(unsigned ordered) {
    return __uint_as_float((ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered);
}
__device__ __forceinline__ Key key_of(float score, int row) {
    return static_cast<Key>(ordered_bits(score)) << 32 | ~static_cast<unsigned>(row);
}
__device__ __forceinline__ unsigned ordered_bits_of(Key key) {
    return static_cast<unsigned>(key >> 32);
}
__device__ __forceinline__ float score_of(Key key) {
    return from_ordered_bits(ordered_bits_of(key));
}
__device__ __forceinline__ int row_of(Key key) {
    return static_cast<int>(~static_cast<unsigned>(key));
}

struct Candidates {
    Key* keys;   // [Q, capacity]
    int* counts; // [Q], may exceed the capacity: then candidates are missing
    int capacity;

    // Appends the rows of all lanes in `passing`, whose candidates are of one query; other lanes may have another one.
    // All lanes call, each with the mask of its own query, which may be empty.
    __device__ __forceinline__ void append(unsigned passing, int query, float score, int row) const {
        const unsigned self = 1u << lane_index();
        const int leader = passing == 0 ? 0 : __ffs(static_cast<int>(passing)) - 1;
        int first = 0;
        if (passing != 0 && lane_index() == leader) {
            first = atomicAdd(counts + query, __popc(passing));
        }
        first = __shfl_sync(ALL_LANES, first, leader);
        const int place = first + __popc(passing & (self - 1));
        if ((passing & self) != 0 && place < capacity) {
            keys[static_cast<size_t>(query) * capacity + place] = key_of(score, row);
        }
    }
};

// Which rows of a piece of the corpus a launch visits: tiles [firstTile, endTile) of an order in which tile i is
// i * tileStep modulo all. A step without common divisor visits all; one of 0.6 of all spreads any part of the order
// over the whole piece, so that rows in order of their score do not make each launch meet better ones than the last.
struct Visit {
    const unsigned* filter; // nullable; bit r of the words: row r may be found
    int rows;
    int firstTile;
    int endTile;
    int tileStep;

    __device__ __forceinline__ int first_row(int place) const {
        const long long tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
        return static_cast<int>(static_cast<long long>(place) * tileStep % tiles) * TILE_ROWS;
    }
    // Bit r: row firstRow + r is there and may be found.
    __device__ __forceinline__ unsigned allowed(int firstRow) const {
        const int there = rows - firstRow;
        const unsigned mask = there >= TILE_ROWS ? 0xffffffffu : (1u << there) - 1;
        return filter == nullptr ? mask : mask & filter[firstRow / TILE_ROWS];
    }
};

} // namespace topk
