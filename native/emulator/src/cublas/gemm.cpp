// SPDX-License-Identifier: Apache-2.0
//
// Matrix products on the CPU: operands are packed into fp32 panels, then multiplied tile by tile in registers.
//
// Every element of C is one chain of fused multiply-adds over k, from 0 to K - 1, whatever the shape and the place of
// the element: a row of the result does not depend on how many rows are computed with it, nor on the number of threads.
// Panels are padded with zeros to whole tiles, so that edges run through the same code. Packing reads every element
// once and costs as much as about 20 columns of the product. Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008), without the blocking over K, which would change the order of additions.

#include "gemm.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

#include "emulated/half_conversion.h"

extern "C" void embed4j_emulator_run_together(unsigned helpers, void (*body)(void*), void* argument);

namespace emulated {

namespace {

typedef float Vector __attribute__((vector_size(32)));
typedef float UnalignedVector __attribute__((vector_size(32), aligned(4), may_alias));
constexpr int lanes = 8, tileRows = 2 * lanes, tileColumns = 6; // 12 of the 16 registers hold sums

float widen(const void* data, int type, size_t index) {
    if (type == fp32) {
        return static_cast<const float*>(data)[index];
    }
    const uint16_t bits = static_cast<const uint16_t*>(data)[index];
    return type == fp16 ? halfToFloat(bits) : brainToFloat(bits);
}

void narrow(void* data, int type, size_t index, float value) {
    if (type == fp32) {
        static_cast<float*>(data)[index] = value;
    } else {
        static_cast<uint16_t*>(data)[index] = type == fp16 ? floatToHalf(value) : floatToBrain(value);
    }
}

float roundToTensorFloat32(float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    if ((word & 0x7f800000u) != 0x7f800000u) {
        word = (word + 0xfffu + ((word >> 13) & 1u)) & ~0x1fffu;
    }
    memcpy(&value, &word, sizeof value);
    return value;
}

/**
 * Packs `count` vectors of length k that begin at `first` into panel [k, width], zeros beyond `count`. Element p of
 * vector v is at (first + v) * vectorStep + p * elementStep.
 */
template <int width, int type>
void packAs(float* panel, const void* data, int first, int count, int k, size_t vectorStep, size_t elementStep) {
    if (count < width) {
        memset(panel, 0, sizeof(float) * width * static_cast<size_t>(k));
    }
    const size_t start = static_cast<size_t>(first) * vectorStep;
    for (int p = 0; p < k; p++) {
        for (int v = 0; v < count; v++) {
            panel[static_cast<size_t>(p) * width + static_cast<size_t>(v)] =
                widen(data, type, start + static_cast<size_t>(v) * vectorStep + static_cast<size_t>(p) * elementStep);
        }
    }
}

template <int width>
void pack(float* panel, const void* data, int type, int first, int count, int k, size_t vectorStep, size_t elementStep,
          bool tensorFloat32) {
    switch (type) {
        case fp32:
            packAs<width, fp32>(panel, data, first, count, k, vectorStep, elementStep);
            break;
        case fp16:
            packAs<width, fp16>(panel, data, first, count, k, vectorStep, elementStep);
            break;
        default:
            packAs<width, bf16>(panel, data, first, count, k, vectorStep, elementStep);
            break;
    }
    if (tensorFloat32) {
        std::transform(panel, panel + static_cast<size_t>(width) * k, panel, roundToTensorFloat32);
    }
}

/** tile [tileColumns][tileRows] = a [k, tileRows] times b [k, tileColumns]. */
void multiplyTile(const float* a, const float* b, int k, float (&tile)[tileColumns][tileRows]) {
    Vector sums[tileColumns][2] = {};
    for (int p = 0; p < k; p++) {
        const Vector upper = *reinterpret_cast<const UnalignedVector*>(a);
        const Vector lower = *reinterpret_cast<const UnalignedVector*>(a + lanes);
        for (int column = 0; column < tileColumns; column++) {
            sums[column][0] += upper * b[column];
            sums[column][1] += lower * b[column];
        }
        a += tileRows;
        b += tileColumns;
    }
    memcpy(tile, sums, sizeof sums);
}

/** Multiplies one A panel by one B panel and writes what lies within C. */
void finishTile(const Gemm& gemm, const float* a, const float* b, int row, int column) {
    float tile[tileColumns][tileRows];
    multiplyTile(a, b, gemm.k, tile);
    const int rows = std::min(tileRows, gemm.m - row), columns = std::min(tileColumns, gemm.n - column);
    for (int j = 0; j < columns; j++) {
        const size_t start =
            static_cast<size_t>(column + j) * static_cast<size_t>(gemm.strideC) + static_cast<size_t>(row);
        for (int i = 0; i < rows; i++) {
            float value = gemm.alpha * tile[j][i];
            if (gemm.beta != 0) { // with beta = 0 C may hold anything, NaN included
                value += gemm.beta * widen(gemm.c, gemm.typeC, start + static_cast<size_t>(i));
            }
            narrow(gemm.c, gemm.typeC, start + static_cast<size_t>(i), value);
        }
    }
}

/** The product as two rounds of numbered tasks that any number of threads takes in turn: pack panels, multiply. */
class Product {
public:
    explicit Product(const Gemm& gemm)
        : gemm(gemm),
          panelsA((gemm.m + tileRows - 1) / tileRows),
          panelsB((gemm.n + tileColumns - 1) / tileColumns),
          packedA(new float[static_cast<size_t>(panelsA) * tileRows * gemm.k + 1]),
          packedB(new float[static_cast<size_t>(panelsB) * tileColumns * gemm.k + 1]) {}

    void work() {
        const int packs = panelsA + panelsB;
        for (int task; (task = nextPack++) < packs;) {
            if (task < panelsA) {
                packA(task);
            } else {
                packB(task - panelsA);
            }
            packed.fetch_add(1, std::memory_order_release);
        }
        while (packed.load(std::memory_order_acquire) < packs) {
            __builtin_ia32_pause(); // another thread is finishing its last panel
        }
        const int blocksA = (panelsA + blockA - 1) / blockA, blocksB = (panelsB + blockB - 1) / blockB;
        for (int task; (task = nextBlock++) < blocksA * blocksB;) {
            multiplyBlock(task % blocksA, task / blocksA);
        }
    }

private:
    static constexpr int blockA = 8, blockB = 16; // panels a task: enough work to be worth taking

    float* panelA(int panel) const { return packedA.get() + static_cast<size_t>(panel) * tileRows * gemm.k; }
    float* panelB(int panel) const { return packedB.get() + static_cast<size_t>(panel) * tileColumns * gemm.k; }

    void packA(int panel) {
        const auto stride = static_cast<size_t>(gemm.strideA);
        const int first = panel * tileRows;
        pack<tileRows>(panelA(panel), gemm.a, gemm.typeA, first, std::min(tileRows, gemm.m - first), gemm.k,
                       gemm.transposeA ? stride : 1, gemm.transposeA ? 1 : stride, gemm.tensorFloat32);
    }

    void packB(int panel) {
        const auto stride = static_cast<size_t>(gemm.strideB);
        const int first = panel * tileColumns;
        pack<tileColumns>(panelB(panel), gemm.b, gemm.typeB, first, std::min(tileColumns, gemm.n - first), gemm.k,
                          gemm.transposeB ? 1 : stride, gemm.transposeB ? stride : 1, gemm.tensorFloat32);
    }

    void multiplyBlock(int rowBlock, int columnBlock) {
        const int lastA = std::min(panelsA, (rowBlock + 1) * blockA),
                  lastB = std::min(panelsB, (columnBlock + 1) * blockB);
        for (int i = rowBlock * blockA; i < lastA; i++) {
            for (int j = columnBlock * blockB; j < lastB; j++) {
                finishTile(gemm, panelA(i), panelB(j), i * tileRows, j * tileColumns);
            }
        }
    }

    const Gemm gemm;
    const int panelsA, panelsB;
    std::unique_ptr<float[]> packedA, packedB;
    std::atomic<int> nextPack{0}, packed{0}, nextBlock{0};
};

} // namespace

void multiply(const Gemm& gemm, bool alone) {
    Product product(gemm);
    const double work = static_cast<double>(gemm.m) * gemm.n * gemm.k + 20.0 * gemm.k * (double(gemm.m) + gemm.n);
    if (alone || work < 2e6) { // shorter than waking a helper
        product.work();
        return;
    }
    embed4j_emulator_run_together(64, [](void* p) { static_cast<Product*>(p)->work(); }, &product);
}

} // namespace emulated
