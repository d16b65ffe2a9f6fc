// SPDX-License-Identifier: Apache-2.0
//
// Matrix products against float64, and the promise that a row does not depend on its neighbours.

#include <algorithm>
#include <ctime>

#include "device_api.h"

namespace {

constexpr int fp32 = 0, fp16 = 2, bf16 = 14, compute32F = 68, fastTensorFloat32 = 77;

void* handle() {
    static void* one = [] {
        void* created = nullptr;
        OK(cublasCreate_v2(&created));
        return created;
    }();
    return one;
}

float widen(uint16_t bits, int type) {
    return type == fp16 ? fromHalf(bits) : fromBrain(bits);
}

/** A matrix of any type, on the device and, widened, on the host. */
struct Matrix {
    int type;
    std::vector<float> values;
    Buffer<unsigned char> device;
    Matrix(const std::vector<float>& wanted, int type)
        : type(type), values(wanted), device(wanted.size() * (type == fp32 ? 4 : 2)) {
        if (type == fp32) {
            OK(cuMemcpyHtoD_v2(device.address, wanted.data(), wanted.size() * 4));
            return;
        }
        std::vector<uint16_t> bits(wanted.size());
        for (size_t i = 0; i < bits.size(); i++) {
            bits[i] = type == fp16 ? toHalf(wanted[i]) : toBrain(wanted[i]);
            values[i] = widen(bits[i], type);
        }
        OK(cuMemcpyHtoD_v2(device.address, bits.data(), bits.size() * 2));
    }
    void* pointer() const { return reinterpret_cast<void*>(device.address); }
    std::vector<float> content() const {
        std::vector<float> result(values.size());
        const auto bytes = device.content();
        for (size_t i = 0; i < result.size(); i++) {
            if (type == fp32) {
                memcpy(&result[i], &bytes[i * 4], 4);
            } else {
                uint16_t bits;
                memcpy(&bits, &bytes[i * 2], 2);
                result[i] = widen(bits, type);
            }
        }
        return result;
    }
};

} // namespace

TEST(gemm_of_all_shapes_and_types) {
    const struct {
        int m, n, k;
    } shapes[] = {{1, 1, 1}, {31, 33, 17}, {16, 6, 8}, {127, 5, 65}, {384, 37, 100}, {17, 127, 1}, {3, 2, 1024}};
    double worst = 0;
    for (const auto& shape : shapes) {
        for (const int type : {fp32, fp16, bf16}) {
            for (const int typeC : {type, fp32}) {
                for (int operations = 0; operations < 4; operations++) {
                    const int opA = operations & 1, opB = operations >> 1, m = shape.m, n = shape.n, k = shape.k;
                    const int lda = (opA ? k : m) + 3, ldb = (opB ? n : k) + 1, ldc = m + 2;
                    Matrix a(noise(size_t(lda) * (opA ? m : k), 1), type),
                        b(noise(size_t(ldb) * (opB ? k : n), 2), type);
                    Matrix c(noise(size_t(ldc) * n, 3), typeC);
                    const float alpha = 0.5f, beta = operations == 3 ? 0.0f : 0.25f;
                    OK(cublasGemmEx(handle(), opA, opB, m, n, k, &alpha, a.pointer(), type, lda, b.pointer(), type, ldb,
                                    &beta, c.pointer(), typeC, ldc, compute32F, -1));
                    const auto got = c.content();
                    for (int j = 0; j < n; j++) {
                        for (int i = 0; i < ldc; i++) {
                            double wanted = c.values[size_t(j) * ldc + i];
                            if (i < m) {
                                wanted *= beta;
                                for (int p = 0; p < k; p++) {
                                    wanted += alpha *
                                              double(a.values[opA ? size_t(i) * lda + p : size_t(p) * lda + i]) *
                                              b.values[opB ? size_t(p) * ldb + j : size_t(j) * ldb + p];
                                }
                            }
                            const double unit = typeC == fp32 ? 1e-6 : typeC == fp16 ? 5e-4 : 4e-3;
                            const double error = std::abs(got[size_t(j) * ldc + i] - wanted) /
                                                 (unit * (1 + std::sqrt(k) + std::abs(wanted)));
                            worst = error <= worst ? worst : error;
                        }
                    }
                }
            }
        }
    }
    printf("  largest error: %.2f of the tolerance\n", worst);
    EXPECT(worst < 1);
}

TEST(gemm_rows_do_not_depend_on_their_neighbours) {
    const int m = 384, k = 384, n = 300; // cuBLAS columns are our rows
    Matrix weights(noise(m * k, 1), fp32), x(noise(size_t(n) * k, 2), fp32);
    const float one = 1, zero = 0;
    std::vector<float> whole;
    for (const int count : {n, 1, 2, 7, 64, 299}) {
        Matrix out(std::vector<float>(size_t(m) * count), fp32);
        OK(cublasGemmEx(handle(), 1, 0, m, count, k, &one, weights.pointer(), fp32, k, x.pointer(), fp32, k, &zero,
                        out.pointer(), fp32, m, compute32F, -1));
        const auto got = out.content();
        if (whole.empty()) {
            whole = got;
        }
        EXPECT(std::equal(got.begin(), got.end(), whole.begin()));
    }
    // nor on the number of weight rows multiplied at once
    Matrix out(std::vector<float>(size_t(13) * n), fp32);
    OK(cublasGemmEx(handle(), 1, 0, 13, n, k, &one, weights.pointer(), fp32, k, x.pointer(), fp32, k, &zero,
                    out.pointer(), fp32, 13, compute32F, -1));
    const auto part = out.content();
    for (int j = 0; j < n; j++) {
        EXPECT(std::equal(&part[size_t(j) * 13], &part[size_t(j) * 13] + 13, &whole[size_t(j) * m]));
    }
}

TEST(batched_gemm_equals_single_ones) {
    const int m = 17, n = 9, k = 33, count = 5;
    Matrix a(noise(size_t(m) * k * count, 1), fp16), b(noise(size_t(n) * k * count, 2), fp16);
    Matrix strided(std::vector<float>(size_t(m) * n * count), fp32),
        pointed(std::vector<float>(size_t(m) * n * count), fp32);
    const float one = 1, zero = 0;
    OK(cublasGemmStridedBatchedEx(handle(), 1, 0, m, n, k, &one, a.pointer(), fp16, k, m * k, b.pointer(), fp16, k,
                                  n * k, &zero, strided.pointer(), fp32, m, m * n, count, compute32F, -1));
    std::vector<Address> pointers;
    for (const auto& matrix : {std::pair<Address, int>{a.device.address, m * k * 2},
                               {b.device.address, n * k * 2},
                               {pointed.device.address, m * n * 4}}) {
        for (int i = 0; i < count; i++) {
            pointers.push_back(matrix.first + static_cast<Address>(i) * static_cast<Address>(matrix.second));
        }
    }
    Buffer<Address> table(pointers);
    const auto at = [&](int i) {
        return reinterpret_cast<void**>(table.address + static_cast<Address>(i * count * 8));
    };
    OK(cublasGemmBatchedEx(handle(), 1, 0, m, n, k, &one, at(0), fp16, k, at(1), fp16, k, &zero, at(2), fp32, m, count,
                           compute32F, -1));
    EXPECT(strided.content() == pointed.content());
    Matrix single(std::vector<float>(size_t(m) * n), fp32);
    OK(cublasGemmEx(handle(), 1, 0, m, n, k, &one, reinterpret_cast<void*>(a.device.address + 2 * 3 * m * k), fp16, k,
                    reinterpret_cast<void*>(b.device.address + 2 * 3 * n * k), fp16, k, &zero, single.pointer(), fp32,
                    m, compute32F, -1));
    const auto all = strided.content(), one_ = single.content();
    EXPECT(std::equal(one_.begin(), one_.end(), all.begin() + 3 * m * n));
}

TEST(tensor_float_32_is_less_exact) {
    const int size = 64;
    Matrix a(noise(size * size, 1), fp32), b(noise(size * size, 2), fp32), c(std::vector<float>(size * size), fp32);
    const float one = 1, zero = 0;
    std::vector<float> results[2];
    for (const int fast : {0, 1}) {
        OK(cublasGemmEx(handle(), 0, 0, size, size, size, &one, a.pointer(), fp32, size, b.pointer(), fp32, size, &zero,
                        c.pointer(), fp32, size, fast ? fastTensorFloat32 : compute32F, -1));
        results[fast] = c.content();
    }
    double difference = 0;
    for (int i = 0; i < size * size; i++) {
        difference = std::max(difference, std::abs(double(results[0][i]) - results[1][i]));
    }
    EXPECT(difference > 1e-4 && difference < 2e-2);
}

TEST(gemm_refuses_what_it_cannot_do) {
    Matrix a(noise(64, 1), fp32);
    const float one = 1, zero = 0;
    EXPECT_EQUAL(15, cublasGemmEx(handle(), 0, 0, 8, 8, 8, &one, a.pointer(), fp32, 8, a.pointer(), fp32, 8, &zero,
                                  a.pointer(), fp32, 8, 70, -1));
    EXPECT_EQUAL(7, cublasGemmEx(handle(), 0, 0, 8, 8, 8, &one, a.pointer(), fp32, 7, a.pointer(), fp32, 8, &zero,
                                 a.pointer(), fp32, 8, 68, -1));
    OK(cublasGemmEx(handle(), 0, 0, 0, 8, 8, &one, a.pointer(), fp32, 8, a.pointer(), fp32, 8, &zero, a.pointer(), fp32,
                    8, 68, -1));
    EXPECT_EQUAL(7, cublasSetWorkspace_v2(handle(), reinterpret_cast<void*>(a.device.address), 1024));
    OK(cublasSetWorkspace_v2(handle(), reinterpret_cast<void*>(a.device.address), 256));
    OK(cublasSetStream_v2(handle(), nullptr));
}

TEST(speed) {
    const int m = 1536, k = 384, n = 1024;
    Matrix weights(noise(m * k, 1), fp32), x(noise(size_t(n) * k, 2), fp32),
        out(std::vector<float>(size_t(m) * n), fp32);
    const float one = 1, zero = 0;
    const auto seconds = [](const std::function<void()>& body) { // of processor time: the machine may be busy
        const auto begin = std::clock();
        body();
        return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    };
    const double gemm = seconds([&] {
        for (int i = 0; i < 10; i++) {
            OK(cublasGemmEx(handle(), 1, 0, m, n, k, &one, weights.pointer(), fp32, k, x.pointer(), fp32, k, &zero,
                            out.pointer(), fp32, m, compute32F, -1));
        }
    });
    Buffer<float> y(noise(1024 * 384));
    const double norms = seconds([&] {
        for (int i = 0; i < 10; i++) {
            OK(launch("layer_norm", {.gridX = 1024, .blockX = 128}, y.address, y.address, 384, 1e-5f));
        }
    });
    const double launches = seconds([&] {
        for (int i = 0; i < 20000; i++) {
            launch("scale_fp32", {.blockX = 32}, y.address, 1.0f, 32);
        }
    });
    Buffer<float> z(noise(1 << 20));
    const double plain =
        seconds([&] { OK(launch("scale_fp32", {.gridX = 4096, .blockX = 256}, z.address, 1.0f, 1 << 20)); });
    printf(
        "  per core: thread without barrier %.1f ns; GEMM %.1f GFLOP/s; layer norm [1024, 384] %.2f ms; launch of one "
        "warp %.2f us\n",
        plain * 1e9 / (1 << 20), 10 * 2.0 * m * n * k / gemm * 1e-9, norms * 100, launches / 20000 * 1e6);
}
