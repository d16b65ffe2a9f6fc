// SPDX-License-Identifier: Apache-2.0
//
// Streams, events, capture and graphs, run at once and deferred.

#include "device_api.h"

namespace {

struct Streams {
    void* a = nullptr;
    void* b = nullptr;
    void* event = nullptr;
    void* second = nullptr;
    Streams() {
        OK(cuStreamCreate(&a, 1));
        OK(cuStreamCreate(&b, 1));
        OK(cuEventCreate(&event, 0));
        OK(cuEventCreate(&second, 0));
    }
    ~Streams() {
        OK(cuStreamDestroy_v2(a));
        OK(cuStreamDestroy_v2(b));
        OK(cuEventDestroy_v2(event));
        OK(cuEventDestroy_v2(second));
    }
};

int scale(void* stream, Address x, float factor, int n) {
    return launch("scale_fp32", {.blockX = 128, .stream = stream}, x, factor, n);
}

struct Pinned {
    float* data = nullptr;
    explicit Pinned(size_t count) {
        void* memory = nullptr;
        OK(cuMemHostAlloc(&memory, count * 4, 0));
        data = static_cast<float*>(memory);
    }
    ~Pinned() { OK(cuMemFreeHost(data)); }
};

} // namespace

TEST(deferred_work_runs_when_somebody_waits) {
    setLimit(deferred, 1);
    {
        Streams s;
        Buffer<float> x(std::vector<float>{1});
        Pinned out(1);
        out.data[0] = -1;
        OK(scale(s.a, x.address, 2, 1));
        OK(cuMemcpyDtoHAsync_v2(out.data, x.address, 4, s.a));
        OK(cuEventRecord(s.event, s.a));
        OK(scale(s.a, x.address, 2, 1));
        EXPECT(out.data[0] == -1);
        EXPECT_EQUAL(600, cuEventQuery(s.event)); // polling gets on by one operation
        EXPECT(out.data[0] == -1);
        OK(cuEventSynchronize(s.event));
        EXPECT(out.data[0] == 2);
        OK(cuEventQuery(s.event));
        EXPECT_EQUAL(600, cuStreamQuery(s.a));
        OK(cuStreamQuery(s.a));
        EXPECT(x.content()[0] == 4);
    }
}

TEST(a_missing_event_shows_when_deferred) {
    setLimit(deferred, 1);
    {
        Streams s;
        Buffer<float> x(std::vector<float>{1});
        Pinned in(1), out(1);
        in.data[0] = 5;
        OK(cuMemcpyHtoDAsync_v2(x.address, in.data, 4, s.a));
        OK(cuMemcpyDtoHAsync_v2(out.data, x.address, 4, s.b)); // does not wait for a
        OK(cuStreamSynchronize(s.b));
        EXPECT(out.data[0] == 1);
        in.data[0] = 7; // too early: the copy has not run
        OK(cuEventRecord(s.event, s.a));
        OK(cuStreamWaitEvent(s.b, s.event, 0));
        OK(cuMemcpyDtoHAsync_v2(out.data, x.address, 4, s.b));
        OK(cuStreamSynchronize(s.b));
        EXPECT(out.data[0] == 7);
    }
}

TEST(pageable_memory_is_taken_at_once) {
    setLimit(deferred, 1);
    {
        Streams s;
        Buffer<float> x(1);
        std::vector<float> host{3};
        OK(cuMemcpyHtoDAsync_v2(x.address, host.data(), 4, s.a));
        host[0] = 9;
        OK(cuMemcpyDtoHAsync_v2(host.data(), x.address, 4, s.a));
        EXPECT(host[0] == 3);
    }
}

TEST(host_functions_run_in_order_and_may_not_call_back) {
    Streams s;
    static int seen;
    seen = 0;
    OK(cuLaunchHostFunc(
        s.a, [](void* p) { seen = *static_cast<int*>(p) + (cuCtxSynchronize() == 800); },
        [] {
            static int value = 41;
            return &value;
        }()));
    OK(cuStreamSynchronize(s.a));
    EXPECT_EQUAL(42, seen);
}

TEST(capture_with_fork_and_join) {
    for (const size_t order : {0, 1, 2, 3, 4, 5}) {
        for (const size_t late : {0, 1}) {
            setLimit(seed, order);
            setLimit(deferred, late);
            Streams s;
            Buffer<float> x(std::vector<float>{1}), y(std::vector<float>{1});
            void* graph = nullptr;
            void* executable = nullptr;
            int status = -1;
            OK(cuStreamBeginCapture_v2(s.a, 1));
            OK(scale(s.a, x.address, 3, 1));
            OK(cuEventRecord(s.event, s.a));
            OK(cuStreamWaitEvent(s.b, s.event, 0));
            OK(cuStreamIsCapturing(s.b, &status));
            EXPECT_EQUAL(1, status);
            OK(cuMemcpyDtoDAsync_v2(y.address, x.address, 4, s.b));
            OK(cuEventRecord(s.second, s.b));
            OK(cuStreamWaitEvent(s.a, s.second, 0));
            OK(scale(s.a, y.address, 10, 1));
            OK(cuStreamEndCapture(s.a, &graph));
            size_t nodes = 0;
            OK(cuGraphGetNodes(graph, nullptr, &nodes));
            EXPECT_EQUAL(3, nodes);
            EXPECT(x.content()[0] == 1); // nothing has run
            OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
            OK(cuGraphDestroy(graph));
            OK(cuGraphLaunch(executable, s.a));
            OK(cuGraphLaunch(executable, s.a));
            OK(cuStreamSynchronize(s.a));
            EXPECT(x.content()[0] == 9);
            EXPECT(y.content()[0] == 90);
            OK(cuGraphExecDestroy(executable));
        }
    }
}

TEST(a_missing_edge_shows_in_a_random_order) {
    int stale = 0;
    for (size_t order = 1; order <= 12; order++) {
        setLimit(seed, order);
        Streams s;
        Buffer<float> x(std::vector<float>{1}), y(std::vector<float>{0});
        void* graph = nullptr;
        void* executable = nullptr;
        OK(cuStreamBeginCapture_v2(s.a, 1));
        OK(cuEventRecord(s.event, s.a));
        OK(cuStreamWaitEvent(s.b, s.event, 0));
        OK(scale(s.a, x.address, 3, 1));
        OK(cuMemcpyDtoDAsync_v2(y.address, x.address, 4, s.b)); // should wait for the kernel
        OK(cuEventRecord(s.second, s.b));
        OK(cuStreamWaitEvent(s.a, s.second, 0));
        OK(cuStreamEndCapture(s.a, &graph));
        OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
        OK(cuGraphLaunch(executable, s.a));
        OK(cuStreamSynchronize(s.a));
        stale += y.content()[0] == 1;
        OK(cuGraphDestroy(graph));
        OK(cuGraphExecDestroy(executable));
    }
    EXPECT(stale > 0 && stale < 12);
}

TEST(captures_that_cannot_be) {
    Streams s;
    Buffer<float> x(std::vector<float>{1});
    void* graph = nullptr;
    Address y = 0;
    EXPECT_EQUAL(900, cuStreamBeginCapture_v2(nullptr, 0));
    OK(cuStreamBeginCapture_v2(s.a, 0));
    EXPECT_EQUAL(900, cuMemAlloc_v2(&y, 16)); // allocating is not for a strict capture
    EXPECT_EQUAL(901, scale(s.a, x.address, 2, 1));
    EXPECT_EQUAL(901, cuStreamEndCapture(s.a, &graph));

    OK(cuStreamBeginCapture_v2(s.a, 2));
    OK(cuMemAlloc_v2(&y, 16)); // but for a relaxed one
    OK(cuMemFree_v2(y));
    EXPECT_EQUAL(900, cuStreamSynchronize(s.a));
    EXPECT_EQUAL(901, cuStreamEndCapture(s.a, &graph));

    OK(cuStreamBeginCapture_v2(s.a, 1));
    OK(cuEventRecord(s.event, s.a));
    OK(cuStreamWaitEvent(s.b, s.event, 0));
    OK(scale(s.b, x.address, 2, 1));
    EXPECT_EQUAL(907, cuEventSynchronize(s.event) == 907 ? 907 : 0);
    EXPECT_EQUAL(901, cuStreamEndCapture(s.a, &graph));

    OK(cuStreamBeginCapture_v2(s.a, 1));
    OK(cuEventRecord(s.event, s.a));
    OK(cuStreamWaitEvent(s.b, s.event, 0));
    OK(scale(s.b, x.address, 2, 1)); // never joined
    EXPECT_EQUAL(904, cuStreamEndCapture(s.a, &graph));

    void* blocking = nullptr;
    OK(cuStreamCreate(&blocking, 0));
    OK(cuStreamBeginCapture_v2(blocking, 2));
    float host = 0;
    EXPECT_EQUAL(906, cuMemcpyDtoH_v2(&host, x.address, 4)); // the default stream waits for blocking ones
    EXPECT_EQUAL(901, cuStreamEndCapture(blocking, &graph));
    OK(cuStreamDestroy_v2(blocking));
    EXPECT(x.content()[0] == 1);
}

TEST(handles_that_are_gone) {
    void* stream = nullptr;
    OK(cuStreamCreate(&stream, 1));
    OK(cuStreamDestroy_v2(stream));
    EXPECT_EQUAL(400, cuStreamSynchronize(stream));
    void* event = nullptr;
    OK(cuEventCreate(&event, 0));
    OK(cuEventDestroy_v2(event));
    EXPECT_EQUAL(400, cuEventSynchronize(event));
    void* module = nullptr;
    void* function = nullptr;
    OK(cuModuleLoad(&module, "build/tests/good.so"));
    OK(cuModuleGetFunction(&function, module, "softmax"));
    EXPECT_EQUAL(500, cuModuleGetFunction(&function, module, "no_such_kernel"));
    OK(cuModuleUnload(module));
    EXPECT_EQUAL(400, cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
    EXPECT_EQUAL(200, cuModuleLoadData(&module, "this is no image"));
}

TEST(events_measure_time) {
    Streams s;
    OK(cuEventRecord(s.event, s.a));
    OK(cuEventRecord(s.second, s.a));
    float milliseconds = -1;
    OK(cuEventElapsedTime(&milliseconds, s.event, s.second));
    EXPECT(milliseconds >= 0 && milliseconds < 1000);
}
