// SPDX-License-Identifier: Apache-2.0
//
// Kernels compute the same thing in order, in every random order of threads, and under the checks.

#include <algorithm>
#include <thread>

#include "device_api.h"

namespace {

/** In order, three random orders, checked, and checked in random order. */
void inEveryMode(const std::function<void()>& body) {
    for (const int mode : {0, 1, 2, 3, 100, 101}) {
        setLimit(seed, static_cast<size_t>(mode % 100));
        setLimit(checks, mode >= 100);
        body();
    }
    setLimit(seed, 0);
    setLimit(checks, 0);
}

double maxDifference(const std::vector<float>& a, const std::vector<double>& b) {
    double highest = 0;
    for (size_t i = 0; i < a.size(); i++) {
        const double difference = std::abs(a[i] - b[i]);
        highest = difference <= highest ? highest : difference; // NaN counts
    }
    return highest;
}

} // namespace

TEST(barriers_and_static_shared_memory) {
    const int rows = 7, columns = 127;
    const auto x = noise(rows * columns);
    std::vector<double> wanted(x.size());
    for (int r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (int c = 0; c < columns; c++) {
            mean += x[r * columns + c] / double(columns);
        }
        for (int c = 0; c < columns; c++) {
            variance += (x[r * columns + c] - mean) * (x[r * columns + c] - mean) / columns;
        }
        for (int c = 0; c < columns; c++) {
            wanted[r * columns + c] = (x[r * columns + c] - mean) / std::sqrt(variance + 1e-5);
        }
    }
    Buffer<float> in(x), out(x.size());
    std::vector<float> first;
    inEveryMode([&] {
        OK(launch("layer_norm", {.gridX = rows, .blockX = 128}, in.address, out.address, columns, 1e-5f));
        const auto got = out.content();
        EXPECT(maxDifference(got, wanted) < 2e-6);
        if (first.empty()) {
            first = got;
        }
        EXPECT(limit(checks) != 0 || got == first); // the order of threads may not show
    });
}

TEST(dynamic_shared_memory_and_shuffles) {
    const int rows = 12, columns = 65;
    const auto x = noise(rows * columns);
    std::vector<double> wanted(x.size());
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int c = 0; c < columns; c++) {
            sum += std::exp(double(x[r * columns + c]));
        }
        for (int c = 0; c < columns; c++) {
            wanted[r * columns + c] = std::exp(double(x[r * columns + c])) / sum;
        }
    }
    Buffer<float> in(x), out(x.size());
    inEveryMode([&] {
        OK(launch("softmax", {.gridX = rows / 4, .blockX = 128, .shared = 4 * columns * 4}, in.address, out.address,
                  columns));
        EXPECT(maxDifference(out.content(), wanted) < 1e-7);
    });
}

TEST(kernels_from_macros_in_three_types) {
    const auto x = noise(1000);
    std::vector<uint16_t> half(x.size()), brain(x.size());
    std::transform(x.begin(), x.end(), half.begin(), toHalf);
    std::transform(x.begin(), x.end(), brain.begin(), toBrain);
    inEveryMode([&] {
        Buffer<float> a(x);
        Buffer<uint16_t> b(half), c(brain);
        OK(launch("scale_fp32", {.gridX = 4, .blockX = 256}, a.address, 0.5f, 1000));
        OK(launch("scale_fp16", {.gridX = 4, .blockX = 256}, b.address, 0.5f, 1000));
        OK(launch("scale_bf16", {.gridX = 4, .blockX = 256}, c.address, 0.5f, 1000));
        const auto gotA = a.content();
        const auto gotB = b.content(), gotC = c.content();
        for (size_t i = 0; i < x.size(); i++) {
            EXPECT(gotA[i] == x[i] * 0.5f);
            EXPECT_EQUAL(toHalf(fromHalf(half[i]) * 0.5f), gotB[i]);
            EXPECT_EQUAL(toBrain(fromBrain(brain[i]) * 0.5f), gotC[i]);
        }
    });
}

TEST(matrix_instructions_with_cp_async_and_ldmatrix) {
    const int m = 32, n = 24, k = 80;
    const auto a = noise(m * k, 2), b = noise(n * k, 3);
    for (const bool brain : {false, true}) {
        std::vector<uint16_t> narrowA(a.size()), narrowB(b.size());
        std::transform(a.begin(), a.end(), narrowA.begin(), brain ? toBrain : toHalf);
        std::transform(b.begin(), b.end(), narrowB.begin(), brain ? toBrain : toHalf);
        const auto widen = brain ? fromBrain : fromHalf;
        std::vector<double> wanted(m * n);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                for (int p = 0; p < k; p++) {
                    wanted[i * n + j] += double(widen(narrowA[i * k + p])) * widen(narrowB[j * k + p]);
                }
            }
        }
        Buffer<uint16_t> deviceA(narrowA), deviceB(narrowB);
        Buffer<float> out(m * n);
        inEveryMode([&] {
            OK(launch(brain ? "mma_bf16" : "mma_fp16", {.gridX = n / 8, .blockX = 32, .gridY = m / 16}, deviceA.address,
                      deviceB.address, out.address, n, k));
            EXPECT(maxDifference(out.content(), wanted) < 1e-5);
        });
    }
}

TEST(ldmatrix_transposes) {
    std::vector<uint16_t> in(64);
    for (int i = 0; i < 64; i++) {
        in[i] = static_cast<uint16_t>(i);
    }
    Buffer<uint16_t> a(in), b(64);
    inEveryMode([&] {
        OK(launch("transpose_8x8", {}, a.address, b.address));
        const auto got = b.content();
        for (int i = 0; i < 64; i++) {
            EXPECT_EQUAL(i % 8 * 8 + i / 8, got[i]);
        }
    });
}

TEST(atomics_votes_and_counting_barriers) {
    const int n = 1000;
    std::vector<int> x(n);
    unsigned total = 0, positive = 0;
    for (int i = 0; i < n; i++) {
        x[i] = (i * 37) % 11 - 3;
        total += static_cast<unsigned>(x[i]);
        positive += x[i] > 0;
    }
    Buffer<int> in(x);
    inEveryMode([&] {
        Buffer<unsigned> counts(std::vector<unsigned>{0, 0, 0});
        OK(launch("count_ways", {.gridX = 8, .blockX = 128}, in.address, counts.address, n));
        const auto got = counts.content();
        EXPECT_EQUAL(total, got[0]);
        EXPECT_EQUAL(positive, got[1]);
        EXPECT_EQUAL(positive, got[2]);
    });
}

TEST(threads_that_leave_and_warps_that_split) {
    inEveryMode([&] {
        Buffer<float> x(std::vector<float>(64, -1.0f));
        OK(launch("early_exit", {.blockX = 64}, x.address));
        const auto got = x.content();
        for (int i = 0; i < 64; i++) {
            EXPECT_EQUAL(i < 40 ? i / 8 * 8 + 3 : -1, got[i]);
        }
        Buffer<int> y(32);
        OK(launch("half_warps", {}, y.address));
        const auto lanes = y.content();
        for (int i = 0; i < 32; i++) {
            EXPECT_EQUAL(i < 16 ? i ^ 1 : i - 16 >= 2 ? i - 2 : i, lanes[i]);
        }
    });
}

TEST(packed_vectors) {
    const int n = 33;
    const auto a = noise(n * 8, 4), b = noise(n * 8, 5);
    std::vector<uint16_t> halfA(a.size()), halfB(b.size());
    std::transform(a.begin(), a.end(), halfA.begin(), toHalf);
    std::transform(b.begin(), b.end(), halfB.begin(), toHalf);
    Buffer<uint16_t> x(halfA), y(halfB), z(halfA.size());
    OK(launch("vector_ops", {.gridX = 2}, x.address, y.address, z.address, n));
    const auto got = z.content();
    for (size_t i = 0; i < got.size(); i++) {
        EXPECT_EQUAL(toHalf(fromHalf(halfA[i]) * 2.0f + fromHalf(halfB[i])), got[i]);
    }
}

TEST(three_dimensional_launches_and_packed_parameters) {
    const int threads = 3 * 5 * 2, blocks = 2 * 3 * 4;
    Buffer<int> out(threads * blocks);
    struct {
        int x, y, z;
    } unused{1, 2, 3};
    const Shape shape{.gridX = 2, .blockX = 3, .gridY = 3, .blockY = 5, .gridZ = 4, .blockZ = 2};
    OK(launch("where_am_i", shape, out.address, unused, 9));
    const auto got = out.content();
    for (int i = 0; i < threads * blocks; i++) {
        EXPECT_EQUAL(i / threads * 1000 + i % threads, got[i]);
    }
    Buffer<float> x(std::vector<float>{1, 2, 3});
    struct {
        Address x;
        float factor;
        int n;
    } packed{x.address, 3.0f, 3};
    size_t bytes = sizeof packed;
    void* extra[] = {reinterpret_cast<void*>(1), &packed, reinterpret_cast<void*>(2), &bytes, nullptr};
    OK(cuLaunchKernel(kernel("scale_fp32"), 1, 1, 1, 32, 1, 1, 0, nullptr, nullptr, extra));
    EXPECT(x.content() == (std::vector<float>{3, 6, 9}));
}

TEST(many_host_threads_launch_at_once) {
    void* context = nullptr;
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    kernel("layer_norm");
    std::vector<std::thread> threads;
    std::vector<int> wrong(8);
    for (int t = 0; t < 8; t++) {
        threads.emplace_back([t, context, &wrong] {
            cuCtxSetCurrent(context);
            void* stream = nullptr;
            wrong[t] += cuStreamCreate(&stream, 1) != 0;
            Address x = 0;
            wrong[t] += cuMemAlloc_v2(&x, 400) != 0;
            for (int round = 0; round < 200; round++) {
                std::vector<float> values(100, static_cast<float>(t + round));
                wrong[t] += cuMemcpyHtoDAsync_v2(x, values.data(), 400, stream) != 0;
                float factor = 2.0f;
                int n = 100;
                void* parameters[] = {&x, &factor, &n};
                void* function = kernel("scale_fp32");
                wrong[t] += cuLaunchKernel(function, 1, 1, 1, 128, 1, 1, 0, stream, parameters, nullptr) != 0;
                wrong[t] += cuMemcpyDtoHAsync_v2(values.data(), x, 400, stream) != 0;
                wrong[t] += cuStreamSynchronize(stream) != 0;
                for (const float value : values) {
                    wrong[t] += value != 2.0f * static_cast<float>(t + round);
                }
            }
            wrong[t] += cuMemFree_v2(x) != 0;
            wrong[t] += cuStreamDestroy_v2(stream) != 0;
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    for (const int count : wrong) {
        EXPECT_EQUAL(0, count);
    }
    OK(cuDevicePrimaryCtxRelease_v2(0));
}
