// SPDX-License-Identifier: Apache-2.0
//
// Streams and events, and what submitting work to a stream means: run it, queue it, or record it into a graph.
//
// Deferred execution is the adversary of missing synchronisation: each stream runs as late as it may, and only as far
// as somebody waits for. A kernel that needs data copied on another stream without waiting for its event gets stale
// data.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <unordered_map>

#include "driver.h"

namespace emulated {

std::recursive_mutex flushLock;
thread_local bool inHostFunction;

namespace {

std::atomic<uint64_t> nextStreamId{1};
std::unordered_map<void*, std::shared_ptr<Event>> events; // guarded by handleLock

std::shared_ptr<Event> eventOf(void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    auto found = events.find(handle);
    return found == events.end() ? nullptr : found->second;
}

double now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

int run(Context* context, const Operation& operation) {
    int result;
    if (operation.waits) {
        result = operation.body();
    } else {
        std::shared_lock<std::shared_mutex> active(activity);
        result = operation.body();
    }
    makeSticky(context, result);
    return result;
}

/** Runs the first operation of the queue, or drops it when the device has failed. The caller holds flushLock. */
int runFirst(Stream& stream) {
    Operation operation;
    {
        std::lock_guard<std::recursive_mutex> order(stream.order);
        if (stream.queue.empty()) {
            return SUCCESS;
        }
        operation = std::move(stream.queue.front());
        stream.queue.pop_front();
    }
    const int sticky = devices[stream.context->device].stickyError;
    return sticky != SUCCESS && !operation.waits ? sticky : run(stream.context, operation);
}

bool queued(Stream& stream) {
    std::lock_guard<std::recursive_mutex> order(stream.order);
    return !stream.queue.empty();
}

int enqueue(Context* context, Stream& stream, Operation operation) {
    if (settings.deferred) {
        if (&stream == context->legacy.get()) { // it waits for all blocking streams, and they for it
            const int result = flushBlocking(context);
            return result != SUCCESS ? result : run(context, operation);
        }
        std::lock_guard<std::recursive_mutex> order(stream.order);
        stream.queue.push_back(std::move(operation));
        return SUCCESS;
    }
    std::lock_guard<std::recursive_mutex> order(stream.order);
    return run(context, operation);
}

std::vector<std::shared_ptr<Stream>> streamsOf(Context* context) {
    std::lock_guard<std::mutex> guard(handleLock);
    auto all = context->streams;
    all.push_back(context->legacy);
    return all;
}

} // namespace

std::shared_ptr<Stream> streamOf(Context* context, void* handle) {
    if (reinterpret_cast<uintptr_t>(handle) <= 2) {
        return context->legacy;
    }
    std::lock_guard<std::mutex> guard(handleLock);
    for (const auto& stream : context->streams) {
        if (stream.get() == handle) {
            return stream;
        }
    }
    return nullptr;
}

std::shared_ptr<Stream> createStream(Context* context, unsigned flags, int priority) {
    auto stream = std::make_shared<Stream>();
    stream->context = context;
    stream->flags = flags;
    stream->priority = priority;
    stream->id = nextStreamId++;
    std::lock_guard<std::mutex> guard(handleLock);
    context->streams.push_back(stream);
    return stream;
}

int submit(Context* context, const std::shared_ptr<Stream>& stream, int nodeType, std::function<int()> body) {
    {
        std::lock_guard<std::mutex> guard(handleLock);
        if (stream->capture != nullptr) {
            if (stream->capture->invalidated) {
                return CAPTURE_INVALIDATED;
            }
            auto& nodes = stream->capture->graph->nodes;
            nodes.push_back({nodeType, std::move(body), stream->tail});
            stream->tail = {static_cast<int>(nodes.size()) - 1};
            return SUCCESS;
        }
    }
    if (stream == context->legacy) {
        if (const int forbidden = legacyForbiddenDuringCapture(context)) {
            return forbidden;
        }
    }
    return enqueue(context, *stream, {std::move(body), false});
}

int flush(Stream& stream) {
    return flushUntil(stream, [] { return false; });
}

int flushUntil(Stream& stream, const std::function<bool()>& reached) {
    if (!queued(stream)) { // immediate execution: wait for the thread that is inside
        std::lock_guard<std::recursive_mutex> order(stream.order);
        return devices[stream.context->device].stickyError;
    }
    std::lock_guard<std::recursive_mutex> guard(flushLock);
    int result = SUCCESS;
    while (!reached() && queued(stream)) {
        const int one = runFirst(stream);
        result = result == SUCCESS ? one : result;
    }
    return result;
}

int flushBlocking(Context* context) {
    int result = SUCCESS;
    for (const auto& stream : streamsOf(context)) {
        if (stream->blocking()) {
            const int one = flush(*stream);
            result = result == SUCCESS ? one : result;
        }
    }
    return result;
}

int flushAll(Context* context) {
    int result = SUCCESS;
    for (const auto& stream : streamsOf(context)) {
        const int one = flush(*stream);
        result = result == SUCCESS ? one : result;
    }
    return result;
}

} // namespace emulated

using namespace emulated;

#define REQUIRE_STREAM(stream, handle)                                \
    const std::shared_ptr<Stream> stream = streamOf(context, handle); \
    if (stream == nullptr) {                                          \
        return INVALID_HANDLE;                                        \
    }
#define REQUIRE_EVENT(event, handle)                      \
    const std::shared_ptr<Event> event = eventOf(handle); \
    if (event == nullptr) {                               \
        return INVALID_HANDLE;                            \
    }

// ---- streams ------------------------------------------------------------------------------------------------------

EMULATED_API cuStreamCreateWithPriority(void** stream, unsigned flags, int priority) {
    EMULATED_ENTER(context)
    if (flags > 1) {
        return INVALID_VALUE;
    }
    *stream = createStream(context, flags, priority).get();
    return SUCCESS;
}
EMULATED_API cuStreamCreate(void** stream, unsigned flags) {
    return cuStreamCreateWithPriority(stream, flags, 0);
}

EMULATED_API cuStreamDestroy_v2(void* handle) {
    Context* context = currentContext();
    if (context == nullptr) {
        return INVALID_CONTEXT;
    }
    REQUIRE_STREAM(stream, handle)
    if (stream == context->legacy) {
        return INVALID_HANDLE;
    }
    flush(*stream);
    std::lock_guard<std::mutex> guard(handleLock);
    if (stream->capture != nullptr) {
        stream->capture->invalidated = true;
    }
    context->streams.erase(std::find(context->streams.begin(), context->streams.end(), stream));
    return SUCCESS;
}

EMULATED_API cuStreamSynchronize(void* handle) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle) {
        std::lock_guard<std::mutex> guard(handleLock);
        if (stream->capture != nullptr) {
            stream->capture->invalidated = true;
            return CAPTURE_UNSUPPORTED;
        }
    }
    return stream == context->legacy ? flushBlocking(context) : flush(*stream);
}

EMULATED_API cuStreamQuery(void* handle) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle) {
        std::lock_guard<std::mutex> guard(handleLock);
        if (stream->capture != nullptr) {
            stream->capture->invalidated = true;
            return CAPTURE_UNSUPPORTED;
        }
    }
    std::lock_guard<std::recursive_mutex> guard(flushLock);
    if (queued(*stream)) { // somebody who polls gets on by one operation a call
        const int result = runFirst(*stream);
        return result != SUCCESS ? result : NOT_READY;
    }
    return SUCCESS;
}

EMULATED_API cuStreamGetFlags(void* handle, unsigned* flags) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    *flags = stream->flags;
    return SUCCESS;
}
EMULATED_API cuStreamGetPriority(void* handle, int* priority) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    *priority = stream->priority;
    return SUCCESS;
}
EMULATED_API cuStreamGetId(void* handle, unsigned long long* id) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    *id = stream->id;
    return SUCCESS;
}
EMULATED_API cuStreamGetCtx(void* handle, void** result) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    *result = stream->context;
    return SUCCESS;
}

EMULATED_API cuLaunchHostFunc(void* handle, void (*function)(void*), void* data) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    return submit(context, stream, hostNode, [=] {
        inHostFunction = true; // it may not call the driver
        function(data);
        inHostFunction = false;
        return SUCCESS;
    });
}

EMULATED_API cuStreamAddCallback(void* handle, void (*callback)(void*, int, void*), void* data, unsigned) {
    EMULATED_ENTER(context)
    REQUIRE_STREAM(stream, handle)
    return submit(context, stream, hostNode, [=] {
        inHostFunction = true;
        callback(handle, devices[context->device].stickyError, data);
        inHostFunction = false;
        return SUCCESS;
    });
}

// ---- events -------------------------------------------------------------------------------------------------------

EMULATED_API cuEventCreate(void** handle, unsigned flags) {
    EMULATED_ENTER(context)
    auto event = std::make_shared<Event>();
    event->flags = flags;
    std::lock_guard<std::mutex> guard(handleLock);
    events[event.get()] = event;
    *handle = event.get();
    return SUCCESS;
}

EMULATED_API cuEventDestroy_v2(void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    return events.erase(handle) == 1 ? SUCCESS : INVALID_HANDLE;
}

EMULATED_API cuEventRecord(void* handle, void* streamHandle) {
    EMULATED_ENTER(context)
    REQUIRE_EVENT(event, handle)
    REQUIRE_STREAM(stream, streamHandle)
    uint64_t ticket;
    {
        std::lock_guard<std::mutex> guard(handleLock);
        if (stream->capture != nullptr) {
            event->capture = stream->capture;
            event->nodes = stream->tail;
            return stream->capture->invalidated ? CAPTURE_INVALIDATED : SUCCESS;
        }
        event->capture = nullptr;
        event->stream = stream;
        ticket = ++event->recorded;
    }
    return enqueue(context, *stream,
                   {[event, ticket]() -> int {
                        std::lock_guard<std::mutex> guard(handleLock);
                        event->reached = std::max(event->reached, ticket);
                        event->milliseconds = now();
                        return SUCCESS;
                    },
                    false});
}
EMULATED_API cuEventRecordWithFlags(void* event, void* stream, unsigned) {
    return cuEventRecord(event, stream);
}

namespace {

/** Runs the event's stream up to the record with the given ticket. */
int waitFor(const std::shared_ptr<Event>& event, uint64_t ticket) {
    const auto reached = [&] {
        std::lock_guard<std::mutex> guard(handleLock);
        return event->reached >= ticket;
    };
    std::shared_ptr<Stream> stream;
    {
        std::lock_guard<std::mutex> guard(handleLock);
        stream = event->stream;
    }
    return stream == nullptr || reached() ? SUCCESS : flushUntil(*stream, reached);
}

} // namespace

EMULATED_API cuEventSynchronize(void* handle) {
    EMULATED_ENTER(context)
    REQUIRE_EVENT(event, handle)
    uint64_t ticket;
    {
        std::lock_guard<std::mutex> guard(handleLock);
        if (event->capture != nullptr) {
            event->capture->invalidated = true;
            return CAPTURED_EVENT;
        }
        ticket = event->recorded;
    }
    return waitFor(event, ticket);
}

EMULATED_API cuEventQuery(void* handle) {
    EMULATED_ENTER(context)
    REQUIRE_EVENT(event, handle)
    std::shared_ptr<Stream> stream;
    {
        std::lock_guard<std::mutex> guard(handleLock);
        if (event->capture != nullptr) {
            event->capture->invalidated = true;
            return CAPTURED_EVENT;
        }
        if (event->reached >= event->recorded) {
            return SUCCESS;
        }
        stream = event->stream;
    }
    std::lock_guard<std::recursive_mutex> guard(flushLock);
    const int result = runFirst(*stream);
    return result != SUCCESS ? result : NOT_READY;
}

EMULATED_API cuEventElapsedTime(float* milliseconds, void* from, void* to) {
    EMULATED_ENTER(context)
    REQUIRE_EVENT(begin, from)
    REQUIRE_EVENT(end, to)
    std::lock_guard<std::mutex> guard(handleLock);
    if (((begin->flags | end->flags) & 2u) != 0 || begin->recorded == 0 || end->recorded == 0) {
        return INVALID_HANDLE; // created without timing, or never recorded
    }
    if (begin->reached < begin->recorded || end->reached < end->recorded) {
        return NOT_READY;
    }
    *milliseconds = static_cast<float>(end->milliseconds - begin->milliseconds);
    return SUCCESS;
}

EMULATED_API cuStreamWaitEvent(void* streamHandle, void* handle, unsigned) {
    EMULATED_ENTER(context)
    REQUIRE_EVENT(event, handle)
    REQUIRE_STREAM(stream, streamHandle)
    uint64_t ticket;
    {
        std::lock_guard<std::mutex> guard(handleLock);
        if (event->capture != nullptr) { // fork: the stream joins the capture; join: it depends on more
            if (stream->capture != nullptr && stream->capture != event->capture) {
                event->capture->invalidated = stream->capture->invalidated = true;
                return CAPTURE_MERGE;
            }
            if (stream->capture == nullptr) {
                stream->capture = event->capture;
                stream->capture->members.push_back(stream.get());
                stream->tail.clear();
            }
            stream->tail.insert(stream->tail.end(), event->nodes.begin(), event->nodes.end());
            std::sort(stream->tail.begin(), stream->tail.end());
            stream->tail.erase(std::unique(stream->tail.begin(), stream->tail.end()), stream->tail.end());
            return SUCCESS;
        }
        if (stream->capture != nullptr) {
            stream->capture->invalidated = true;
            return CAPTURE_ISOLATION; // the capture would depend on work outside it
        }
        ticket = event->recorded;
    }
    if (!settings.deferred) {
        return SUCCESS; // what was recorded has run
    }
    return enqueue(context, *stream, {[event, ticket] { return waitFor(event, ticket); }, true});
}
