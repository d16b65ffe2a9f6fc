// SPDX-License-Identifier: Apache-2.0
//
// Stream capture and graphs. A captured operation is a node that depends on the last nodes of its stream; a graph runs
// in the order of capture or, with a scheduler seed, in a random order that its dependencies allow.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "driver.h"

namespace emulated {

namespace {

std::unordered_map<void*, std::shared_ptr<Graph>> graphs, executables; // guarded by handleLock
std::atomic<int> strictCaptures{0};                                    // in progress, not relaxed
constexpr int relaxedMode = 2, threadLocalMode = 1;

uint64_t threadId() {
    return static_cast<uint64_t>(syscall(SYS_gettid));
}

std::shared_ptr<Graph> find(const std::unordered_map<void*, std::shared_ptr<Graph>>& where, void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    auto found = where.find(handle);
    return found == where.end() ? nullptr : found->second;
}

/** Ends the capture of all its streams. The caller holds handleLock. */
void endCapture(const std::shared_ptr<Capture>& capture) {
    for (Stream* member : capture->members) {
        if (member->capture == capture) {
            member->capture = nullptr;
            member->tail.clear();
        }
    }
    strictCaptures -= capture->mode != relaxedMode;
}

/** Whether all work of the capture leads to the origin's last nodes. The caller holds handleLock. */
bool joined(const Capture& capture) {
    const auto& nodes = capture.graph->nodes;
    std::vector<bool> reached(nodes.size());
    for (const int node : capture.origin->tail) {
        reached[static_cast<size_t>(node)] = true;
    }
    for (size_t i = nodes.size(); i-- > 0;) {
        if (reached[i]) {
            for (const int dependency : nodes[i].dependencies) {
                reached[static_cast<size_t>(dependency)] = true;
            }
        }
    }
    return std::all_of(capture.members.begin(), capture.members.end(), [&](const Stream* member) {
        return std::all_of(member->tail.begin(), member->tail.end(),
                           [&](int node) { return reached[static_cast<size_t>(node)]; });
    });
}

} // namespace

int forbiddenDuringCapture(Context* context) {
    if (strictCaptures == 0) {
        return SUCCESS;
    }
    std::lock_guard<std::mutex> guard(handleLock);
    for (const auto& stream : context->streams) {
        const auto& capture = stream->capture;
        if (capture != nullptr && capture->mode != relaxedMode &&
            (capture->mode != threadLocalMode || capture->thread == threadId())) {
            capture->invalidated = true;
            report(FaultKind::invalidCapture, "a call that may not happen while a stream captures");
            return CAPTURE_UNSUPPORTED;
        }
    }
    return SUCCESS;
}

int legacyForbiddenDuringCapture(Context* context) {
    std::lock_guard<std::mutex> guard(handleLock);
    for (const auto& stream : context->streams) {
        if (stream->capture != nullptr && stream->blocking()) {
            stream->capture->invalidated = true;
            report(FaultKind::invalidCapture, "work on the default stream would wait for a stream that captures");
            return CAPTURE_IMPLICIT;
        }
    }
    return SUCCESS;
}

int runGraph(const Graph& graph) {
    if (settings.seed == 0) {
        for (const GraphNode& node : graph.nodes) {
            if (const int result = node.body()) {
                return result;
            }
        }
        return SUCCESS;
    }
    std::vector<size_t> waitsFor(graph.nodes.size());
    std::vector<std::vector<size_t>> followers(graph.nodes.size());
    std::vector<size_t> ready;
    for (size_t i = 0; i < graph.nodes.size(); i++) {
        waitsFor[i] = graph.nodes[i].dependencies.size();
        for (const int dependency : graph.nodes[i].dependencies) {
            followers[static_cast<size_t>(dependency)].push_back(i);
        }
        if (waitsFor[i] == 0) {
            ready.push_back(i);
        }
    }
    uint64_t random = settings.seed * 0x9e3779b97f4a7c15ull | 1u;
    while (!ready.empty()) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        const size_t chosen = (random >> 33) % ready.size();
        const size_t node = ready[chosen];
        ready.erase(ready.begin() + static_cast<ptrdiff_t>(chosen));
        if (const int result = graph.nodes[node].body()) {
            return result;
        }
        for (const size_t follower : followers[node]) {
            if (--waitsFor[follower] == 0) {
                ready.push_back(follower);
            }
        }
    }
    return SUCCESS;
}

} // namespace emulated

using namespace emulated;

EMULATED_API cuStreamBeginCapture_v2(void* handle, int mode) {
    EMULATED_ENTER(context)
    const auto stream = streamOf(context, handle);
    if (stream == nullptr) {
        return INVALID_HANDLE;
    }
    if (stream == context->legacy) {
        return CAPTURE_UNSUPPORTED;
    }
    if (mode < 0 || mode > relaxedMode) {
        return INVALID_VALUE;
    }
    std::lock_guard<std::mutex> guard(handleLock);
    if (stream->capture != nullptr) {
        return INVALID_VALUE;
    }
    auto capture = std::make_shared<Capture>();
    capture->graph = std::make_shared<Graph>();
    capture->mode = mode;
    capture->thread = threadId();
    capture->origin = stream.get();
    capture->members = {stream.get()};
    stream->capture = capture;
    stream->tail.clear();
    strictCaptures += mode != relaxedMode;
    return SUCCESS;
}

EMULATED_API cuStreamEndCapture(void* handle, void** graph) {
    EMULATED_ENTER(context)
    const auto stream = streamOf(context, handle);
    if (stream == nullptr) {
        return INVALID_HANDLE;
    }
    *graph = nullptr;
    std::lock_guard<std::mutex> guard(handleLock);
    const auto capture = stream->capture;
    if (capture == nullptr) {
        return INVALID_VALUE;
    }
    if (capture->origin != stream.get()) {
        return CAPTURE_UNMATCHED;
    }
    if (capture->mode != relaxedMode && capture->thread != threadId()) {
        return CAPTURE_WRONG_THREAD;
    }
    const bool complete = joined(*capture);
    endCapture(capture);
    if (capture->invalidated) {
        return CAPTURE_INVALIDATED;
    }
    if (!complete) {
        report(FaultKind::invalidCapture, "a stream was forked from the capture and not joined again");
        return CAPTURE_UNJOINED;
    }
    graphs[capture->graph.get()] = capture->graph;
    *graph = capture->graph.get();
    return SUCCESS;
}

EMULATED_API cuStreamIsCapturing(void* handle, int* status) {
    EMULATED_ENTER(context)
    const auto stream = streamOf(context, handle);
    if (stream == nullptr) {
        return INVALID_HANDLE;
    }
    std::lock_guard<std::mutex> guard(handleLock);
    *status = stream->capture == nullptr ? 0 : stream->capture->invalidated ? 2 : 1;
    return SUCCESS;
}

EMULATED_API cuThreadExchangeStreamCaptureMode(int* mode) {
    thread_local int current = 0;
    std::swap(*mode, current);
    return SUCCESS;
}

EMULATED_API cuGraphCreate(void** handle, unsigned) {
    EMULATED_ENTER(context)
    auto graph = std::make_shared<Graph>();
    std::lock_guard<std::mutex> guard(handleLock);
    graphs[graph.get()] = graph;
    *handle = graph.get();
    return SUCCESS;
}

EMULATED_API cuGraphClone(void** clone, void* original) {
    EMULATED_ENTER(context)
    const auto graph = find(graphs, original);
    if (graph == nullptr) {
        return INVALID_VALUE;
    }
    auto copy = std::make_shared<Graph>(*graph);
    std::lock_guard<std::mutex> guard(handleLock);
    graphs[copy.get()] = copy;
    *clone = copy.get();
    return SUCCESS;
}

EMULATED_API cuGraphGetNodes(void* handle, void** nodes, size_t* count) {
    EMULATED_ENTER(context)
    const auto graph = find(graphs, handle);
    if (graph == nullptr) {
        return INVALID_VALUE;
    }
    for (size_t i = 0; nodes != nullptr && i < *count; i++) {
        nodes[i] = i < graph->nodes.size() ? &graph->nodes[i] : nullptr;
    }
    *count = graph->nodes.size();
    return SUCCESS;
}

EMULATED_API cuGraphNodeGetType(void* node, int* type) {
    *type = static_cast<GraphNode*>(node)->type;
    return SUCCESS;
}

EMULATED_API cuGraphInstantiateWithFlags(void** handle, void* graphHandle, unsigned long long) {
    EMULATED_ENTER(context)
    const auto graph = find(graphs, graphHandle);
    if (graph == nullptr) {
        return INVALID_VALUE;
    }
    if (const int failure = injectedFailure(CallKind::graph)) {
        return failure;
    }
    auto executable = std::make_shared<Graph>(*graph);
    std::lock_guard<std::mutex> guard(handleLock);
    executables[executable.get()] = executable;
    *handle = executable.get();
    return SUCCESS;
}

EMULATED_API cuGraphUpload(void* handle, void* streamHandle) {
    EMULATED_ENTER(context)
    return find(executables, handle) == nullptr || streamOf(context, streamHandle) == nullptr ? INVALID_HANDLE
                                                                                              : SUCCESS;
}

EMULATED_API cuGraphLaunch(void* handle, void* streamHandle) {
    EMULATED_ENTER(context)
    const auto executable = find(executables, handle);
    const auto stream = streamOf(context, streamHandle);
    if (executable == nullptr || stream == nullptr) {
        return INVALID_HANDLE;
    }
    if (const int failure = injectedFailure(CallKind::graph)) {
        return failure;
    }
    return submit(context, stream, kernelNode, [executable] { return runGraph(*executable); });
}

EMULATED_API cuGraphDestroy(void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    return graphs.erase(handle) == 1 ? SUCCESS : INVALID_VALUE;
}

EMULATED_API cuGraphExecDestroy(void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    return executables.erase(handle) == 1 ? SUCCESS : INVALID_VALUE;
}
