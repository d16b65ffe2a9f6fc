// SPDX-License-Identifier: Apache-2.0
//
// The project's own kernels in the order of an encoder with MiniLM's shape: no faults under the checks, the same bits
// in every order of threads and for a text alone or among others, and fast enough for a test run.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <memory>

#include "device_api.h"

namespace {

constexpr int hidden = 384, inner = 1536, heads = 12, headSize = 32, vocabulary = 500, positions = 512;

void* projectKernel(const std::string& name) {
    static void* module = nullptr;
    static std::map<std::string, void*> known;
    if (module == nullptr) {
        OK(cuModuleLoad(&module, "build/libembed4j_kernels.so"));
    }
    void*& function = known[name];
    if (function == nullptr) {
        EXPECT_EQUAL(0, cuModuleGetFunction(&function, module, name.c_str()));
    }
    return function;
}

template <typename... Values>
void start(const std::string& name, const Shape& s, Values... values) {
    void* parameters[] = {&values..., nullptr};
    OK(cuLaunchKernel(projectKernel(name), s.gridX, s.gridY, s.gridZ, s.blockX, s.blockY, s.blockZ, s.shared, s.stream,
                      parameters, nullptr));
}

enum class Attention { onlineSoftmax, tensorCores };

/** An encoder of random weights whose tokens, layers and storage type are given. */
class Encoder {
public:
    Encoder(int layers, bool half) : layers(layers), half(half), suffix(half ? "_fp16" : "_fp32") {
        tokenTable = weights(vocabulary * hidden, 1.0f);
        positionTable = weights(positions * hidden, 1.0f);
        qkvWeight = weights(3 * hidden * hidden, 0.08f);
        outWeight = weights(hidden * hidden, 0.08f);
        upWeight = weights(inner * hidden, 0.08f);
        downWeight = weights(hidden * inner, 0.04f);
        bias = std::make_unique<Buffer<float>>(noise(3 * inner, 77));
        gain = std::make_unique<Buffer<float>>(std::vector<float>(hidden, 1.0f));
        OK(cublasCreate_v2(&handle));
    }
    ~Encoder() { OK(cublasDestroy_v2(handle)); }

    /** Texts of the given lengths; vectors [texts, hidden]. Token ids depend on the number of the text only. */
    std::vector<float> encode(const std::vector<int>& texts, const std::vector<int>& lengths, Attention attention) {
        std::vector<int> ids, places, starts{0}, work, shape(4);
        const int queries = attention == Attention::onlineSoftmax ? 32 : 64;
        for (size_t row = 0; row < lengths.size(); row++) {
            for (int i = 0; i < lengths[row]; i++) {
                ids.push_back((texts[row] * 131 + i * 17) % vocabulary);
                places.push_back(i);
            }
            for (int first = 0; first < lengths[row]; first += queries) {
                work.push_back(static_cast<int>(row));
                work.push_back(first);
            }
            starts.push_back(static_cast<int>(ids.size()));
        }
        const int tokens = static_cast<int>(ids.size()), rows = static_cast<int>(lengths.size());
        const int items = static_cast<int>(work.size() / 2);
        const int bound = tokens + 5; // grids are sized for a bucket
        shape = {tokens, rows, items, *std::max_element(lengths.begin(), lengths.end())};
        Buffer<int> deviceIds(ids), devicePlaces(places), deviceStarts(starts), deviceWork(work), deviceShape(shape);
        Buffer<int> poolStarts(std::vector<int>(rows, 0));
        const size_t bytes = half ? 2 : 4;
        Buffer<char> x(bytes * tokens * hidden), y(bytes * tokens * hidden), qkv(bytes * tokens * 3 * hidden);
        Buffer<char> attended(bytes * tokens * hidden), wide(bytes * tokens * inner);
        Buffer<float> out(static_cast<size_t>(rows) * hidden);
        const Address none = 0, count = deviceShape.address;
        const Shape rowShape{.gridX = static_cast<unsigned>((bound + 3) / 4), .blockX = 128};
        const float epsilon = 1e-12f, scale = 1.0f / std::sqrt(float(headSize));
        start("embedding_gather_norm" + suffix, rowShape, x.address, count, deviceIds.address, none,
              devicePlaces.address, tokenTable->address, positionTable->address, none, 1.0f, gain->address, none,
              epsilon, 0, hidden, hidden);
        for (int layer = 0; layer < layers; layer++) {
            multiply(*qkvWeight, x, qkv, tokens, 3 * hidden, hidden);
            const std::string kernel = attention == Attention::onlineSoftmax
                                           ? "attention_packed_online_softmax" + suffix
                                           : "attention_packed_mma" + suffix + "_d32";
            const unsigned shared = attention == Attention::onlineSoftmax ? 128 * headSize + 12800 : 16 * 1024;
            start(kernel, {.gridX = static_cast<unsigned>(items + 2), .blockX = 128, .gridY = heads, .shared = shared},
                  attended.address, qkv.address, bias->address, deviceShape.address, deviceStarts.address,
                  deviceWork.address, none, 0, none, scale, 0.0f, 0, -1, heads, heads, headSize);
            multiply(*outWeight, attended, y, tokens, hidden, hidden);
            start("residual_norm" + suffix, rowShape, x.address, y.address, count, y.address, bias->address, x.address,
                  gain->address, bias->address, epsilon, 0, hidden, hidden);
            multiply(*upWeight, y, wide, tokens, inner, hidden);
            start("feed_forward_activation" + suffix,
                  {.gridX = static_cast<unsigned>((bound * inner / 8 + 255) / 256), .blockX = 256}, wide.address, count,
                  bias->address, 1, 0, inner, inner);
            multiply(*downWeight, wide, x, tokens, hidden, inner);
            start("residual_norm" + suffix, rowShape, none, x.address, count, x.address, bias->address, y.address,
                  gain->address, bias->address, epsilon, 0, hidden, hidden);
        }
        start("pool_rows" + suffix, {.gridX = static_cast<unsigned>(rows + 1), .blockX = 128}, out.address,
              deviceShape.address, x.address, deviceStarts.address, poolStarts.address, 1, hidden, hidden, hidden, 0,
              hidden, 1);
        OK(cuCtxSynchronize());
        return out.content();
    }

private:
    std::unique_ptr<Buffer<char>> weights(size_t count, float scale) {
        auto values = noise(count, static_cast<uint32_t>(count));
        std::vector<char> bytes(count * (half ? 2 : 4));
        for (size_t i = 0; i < count; i++) {
            values[i] *= scale;
            const uint16_t narrow = toHalf(values[i]);
            memcpy(&bytes[i * (half ? 2 : 4)], half ? static_cast<const void*>(&narrow) : &values[i], half ? 2 : 4);
        }
        return std::make_unique<Buffer<char>>(bytes);
    }

    /** out [tokens, outputs] = x [tokens, inputs] weight [outputs, inputs]^T, row-major */
    void multiply(const Buffer<char>& weight, const Buffer<char>& x, const Buffer<char>& out, int tokens, int outputs,
                  int inputs) {
        const float one = 1, zero = 0;
        const int type = half ? 2 : 0;
        OK(cublasGemmEx(handle, 1, 0, outputs, tokens, inputs, &one, reinterpret_cast<void*>(weight.address), type,
                        inputs, reinterpret_cast<void*>(x.address), type, inputs, &zero,
                        reinterpret_cast<void*>(out.address), type, outputs, 68, -1));
    }

    const int layers;
    const bool half;
    const std::string suffix;
    std::unique_ptr<Buffer<char>> tokenTable, positionTable, qkvWeight, outWeight, upWeight, downWeight;
    std::unique_ptr<Buffer<float>> bias, gain;
    void* handle = nullptr;
};

double difference(const std::vector<float>& a, const std::vector<float>& b) {
    double highest = a.size() == b.size() ? 0 : 1e9;
    for (size_t i = 0; i < std::min(a.size(), b.size()); i++) {
        const double d = std::abs(double(a[i]) - b[i]);
        highest = d <= highest ? highest : d;
    }
    return highest;
}

} // namespace

TEST(project_kernels_are_clean_and_do_not_depend_on_order_or_neighbours) {
    const std::vector<int> texts{0, 1, 2, 3}, lengths{1, 33, 70, 5};
    for (const bool half : {false, true}) {
        Encoder encoder(2, half);
        for (const Attention attention : {Attention::onlineSoftmax, Attention::tensorCores}) {
            if (attention == Attention::tensorCores && !half) {
                continue;
            }
            const auto together = encoder.encode(texts, lengths, attention);
            for (const size_t order : {1, 2, 3}) {
                setLimit(seed, order);
                EXPECT(encoder.encode(texts, lengths, attention) == together);
            }
            setLimit(seed, 0);
            for (size_t i = 0; i < texts.size(); i++) {
                const auto alone = encoder.encode({texts[i]}, {lengths[i]}, attention);
                EXPECT(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<long>(i) * hidden));
            }
            setLimit(checks, 1);
            for (const size_t order : {0, 1}) { // compiled with other options: not bit for bit
                setLimit(seed, order);
                EXPECT(difference(encoder.encode(texts, lengths, attention), together) < (half ? 2e-3 : 1e-6));
            }
            setLimit(checks, 0);
            setLimit(seed, 0);
        }
        if (half) {
            EXPECT(difference(encoder.encode(texts, lengths, Attention::onlineSoftmax),
                              encoder.encode(texts, lengths, Attention::tensorCores)) < 2e-3);
        }
    }
}

TEST(speed_of_an_encoder_with_six_layers_and_32_texts) {
    std::vector<int> texts, lengths;
    for (int i = 0; i < 32; i++) {
        texts.push_back(i);
        lengths.push_back(8 + i * 7 % 50);
    }
    for (const bool half : {false, true}) {
        Encoder encoder(6, half);
        const auto begin = std::clock();
        const auto wall = std::chrono::steady_clock::now();
        encoder.encode(texts, lengths, half ? Attention::tensorCores : Attention::onlineSoftmax);
        const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
        const double processor = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        printf("  %s: %.2f s, %.2f s of processor time\n", half ? "fp16, tensor cores" : "fp32", elapsed, processor);
        EXPECT(processor < 15); // not of the clock: the machine may be busy
    }
}
