// SPDX-License-Identifier: Apache-2.0
//
// Brings a weight matrix into the layout of the backend: storage type, transposition, padding of groups.
// in [rows, columns], or [columns, rows] if transposed. Row r goes to r / rowGroup * rowGroupPadded + r % rowGroup,
// columns likewise, so that each head (group of d rows) starts at a multiple of its padded size. The destination was
// zeroed.
//
// Idea: runs once per matrix at load, where reading the file costs more; one element a thread.
//
// Launch: grid.x = ceil(columns / 32), grid.y = ceil(rows / 8), block 32 x 8.
#include "device/storage.cuh"

__device__ __forceinline__ int place_in_groups(int index, int group, int groupPadded) {
    return index / group * groupPadded + index % group;
}

template <typename Source, typename S>
__device__ __forceinline__ void convert_pad(S* out, const Source* in, int rows, int columns, bool transposed,
                                            int rowGroup, int rowGroupPadded, int columnGroup, int columnGroupPadded,
                                            int outStride) {
    const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int row = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    if (row >= rows || column >= columns) {
        return;
    }
    const Source value = transposed ? row_start(in, column, rows)[row] : row_start(in, row, columns)[column];
    S* outRow = row_start(out, place_in_groups(row, rowGroup, rowGroupPadded), outStride);
    outRow[place_in_groups(column, columnGroup, columnGroupPadded)] = from_float<S>(to_float(value));
}

#define INSTANTIATE_PAIR(FROM, SOURCE, SUFFIX, S)                                                                    \
    extern "C" __global__ void __launch_bounds__(256)                                                                \
        convert_pad_##FROM##_##SUFFIX(S* out, const SOURCE* in, int rows, int columns, int transposed, int rowGroup, \
                                      int rowGroupPadded, int columnGroup, int columnGroupPadded, int outStride) {   \
        convert_pad<SOURCE, S>(out, in, rows, columns, transposed != 0, rowGroup, rowGroupPadded, columnGroup,       \
                               columnGroupPadded, outStride);                                                        \
    }
#define INSTANTIATE(SUFFIX, S)                \
    INSTANTIATE_PAIR(fp32, float, SUFFIX, S)  \
    INSTANTIATE_PAIR(fp16, __half, SUFFIX, S) \
    INSTANTIATE_PAIR(bf16, __nv_bfloat16, SUFFIX, S)
EMBED4J_FOR_EACH_STORAGE_TYPE(INSTANTIATE)
#undef INSTANTIATE
#undef INSTANTIATE_PAIR
