// SPDX-License-Identifier: Apache-2.0
//
// Brings the candidates of all queries beside each other, so that the host copies what there is and no more.
//
// offsets[q] becomes the place of query q's first candidate in `packed`, or -1 if they did not fit there; *collected
// grows by all counts. The order of the queries in `packed` is that in which their blocks come.
//
// Launch: grid.x = queries, block 128.
#include "device/topk.cuh"

extern "C" __global__ void __launch_bounds__(ROW_BLOCK)
    topk_collect(topk::Key* packed, int* offsets, int* collected, int packedCapacity, const topk::Key* keys,
                 const int* counts, int capacity) {
    __shared__ int sharedOffset;
    const int query = static_cast<int>(blockIdx.x);
    const int count = counts[query];
    if (threadIdx.x == 0) {
        // All lists together are bounded by the memory they lie in, far below 2^31.
        const int first = atomicAdd(collected, count);
        sharedOffset = count <= packedCapacity && first <= packedCapacity - count ? first : -1;
        offsets[query] = sharedOffset;
    }
    __syncthreads();
    const int offset = sharedOffset;
    if (offset < 0) {
        return;
    }
    const topk::Key* from = keys + static_cast<size_t>(query) * capacity;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
        packed[offset + i] = from[i];
    }
}
