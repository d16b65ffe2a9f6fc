// SPDX-License-Identifier: Apache-2.0
//
// The state of the emulated driver and the words its parts share.
//
// Work on a stream runs inside the call that submits it (or, when execution is deferred, inside the next call that
// synchronises). Locks, from outer to inner: flushLock (deferred execution only), Stream::order, activity, and the
// private locks of memory, kernel images and workers. `activity` is shared by running work and taken alone by what
// waits for the device to be quiet, such as freeing memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "emulated/kernel_library.h"

#define EMULATED_API extern "C" __attribute__((visibility("default"))) int

using CUdeviceptr = unsigned long long;

namespace emulated {

/** CUresult. */
enum Result : int {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201,
    ALREADY_MAPPED = 208,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    FILE_NOT_FOUND = 301,
    NOT_READY = 600,
    ILLEGAL_ADDRESS = 700,
    LAUNCH_OUT_OF_RESOURCES = 701,
    HOST_MEMORY_ALREADY_REGISTERED = 712,
    HOST_MEMORY_NOT_REGISTERED = 713,
    MISALIGNED_ADDRESS = 716,
    LAUNCH_FAILED = 719,
    NOT_PERMITTED = 800,
    NOT_SUPPORTED = 801,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_MERGE = 902,
    CAPTURE_UNMATCHED = 903,
    CAPTURE_UNJOINED = 904,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906,
    CAPTURED_EVENT = 907,
    CAPTURE_WRONG_THREAD = 908,
};

// ---- settings and faults (settings.cpp, faults.cpp) ---------------------------------------------------------------

struct Settings {
    bool deferred, checks;
    uint64_t seed;
    int computeCapability; // 80 = 8.0
    int driverVersion;
    int deviceCount;
    unsigned threads;
    std::string kernels; // path of the kernel library that stands for real images
};
extern Settings settings;
void readSettings();
size_t defaultMemoryBytes();

/** Names a fault on stderr, remembers its kind, and returns the CUresult it amounts to (see resultOf). */
int report(FaultKind kind, const char* format, ...) __attribute__((format(printf, 2, 3)));
int resultOf(FaultKind kind);
bool isSticky(int result);

enum class CallKind { allocation, launch, copy, graph };
/** Counts a call that can fail; returns the error to fail with when a test has asked for one. */
int injectedFailure(CallKind kind);
void countMemoryCall();
void countLaunch();
void countCopyIn(size_t bytes);
void countCopyOut(size_t bytes);

// ---- memory (memory.cpp) ----------------------------------------------------------------------------------------

namespace memory {
int allocate(int device, size_t bytes, CUdeviceptr* address);
int release(CUdeviceptr address);
void releaseAll(int device);
size_t usedBytes(int device);
size_t peakBytes(int device);
size_t liveAllocations(int device);
size_t capacity(int device);
void setCapacity(int device, size_t bytes);
/** Finds the allocation that holds the address. */
bool find(CUdeviceptr address, CUdeviceptr* base, size_t* bytes, int* device);
/** Whether [address, address + bytes) lies within one allocation (or pinned memory). Otherwise reports the fault. */
int require(const char* what, CUdeviceptr address, size_t bytes, FaultKind kind = FaultKind::copyOutOfBounds);
/** Says in words what lies at an address, and whether it was freed. */
std::string describe(uintptr_t address, bool* freed);
/** Looks for overwritten bytes around all allocations of a device. */
int checkGuards(int device);
std::shared_ptr<const std::vector<MemoryRange>> ranges();
MemoryRange arena();
/** Copies and GEMMs, and kernels under the checks, may not touch this part of an allocation. */
int addRedZone(uintptr_t address, size_t bytes);

int allocatePinned(void** address, size_t bytes);
int releasePinned(void* address);
int registerPinned(void* address, size_t bytes);
int unregisterPinned(void* address);
bool isPinned(const void* address);
} // namespace memory

// ---- running (workers.cpp, kernel_images.cpp) ---------------------------------------------------------------------

/** Runs `body` on the calling thread and, where idle, on up to `helpers` others; returns when all have returned. */
void runTogether(unsigned helpers, const std::function<void()>& body);

class KernelImage;
struct Function {
    KernelImage* image;
    int index;
    const KernelDescription* description;
    struct Module* module;
    int maxDynamicShared = 48 * 1024;
};
struct Module {
    KernelImage* image;
    std::vector<std::unique_ptr<Function>> functions;
};
KernelImage* openKernelImage(const std::string& path);
KernelImage* openKernelImage(const void* bytes, size_t length);
int findFunction(KernelImage* image, const char* name, const KernelDescription** description);

struct LaunchGeometry {
    Index3 grid, block;
    unsigned dynamicSharedBytes;
};
/** Runs a kernel to its end; a fault is reported and returned. */
int runKernel(const Function& function, const LaunchGeometry& geometry, void** parameters);
void installSignalHandlers();

// ---- contexts, streams, events, graphs (contexts.cpp, streams.cpp, graphs.cpp) --------------------------------------

struct Stream;
struct Graph;

struct Context {
    int device;
    bool primary;
    uint64_t id;
    std::shared_ptr<Stream> legacy;
    std::vector<std::shared_ptr<Stream>> streams; // guarded by handleLock
};

struct Device {
    int ordinal;
    std::shared_ptr<Context> primary;
    int primaryRetained = 0;
    int primaryFlags = 0;
    int stickyError = SUCCESS;
};
constexpr int maxDevices = 16;
extern Device devices[maxDevices];
extern bool initialized;
extern std::shared_mutex activity;
extern std::recursive_mutex flushLock;
extern std::mutex handleLock;

/** The context current on this thread, or null. */
Context* currentContext();
/** What nearly every call begins with: SUCCESS, or why the call cannot be carried out. */
int enter(Context** context);
void makeSticky(Context* context, int result);

#define EMULATED_ENTER(context)                                    \
    Context* context = nullptr;                                    \
    if (const int problem = enter(&context); problem != SUCCESS) { \
        return problem;                                            \
    }

/** A unit of work. `waits` marks one that runs other streams' work and so must not hold `activity`. */
struct Operation {
    std::function<int()> body;
    bool waits = false;
};

struct Capture {
    std::shared_ptr<Graph> graph;
    int mode;
    uint64_t thread;
    Stream* origin;
    bool invalidated = false;
    std::vector<Stream*> members;
};

struct Stream {
    Context* context;
    unsigned flags;
    int priority;
    uint64_t id;
    std::recursive_mutex order;
    std::deque<Operation> queue;
    std::shared_ptr<Capture> capture; // guarded by handleLock
    std::vector<int> tail;            // nodes that the next captured operation depends on
    bool blocking() const { return (flags & 1u) == 0; }
};

struct Event {
    unsigned flags;
    uint64_t recorded = 0, reached = 0; // tickets; reached follows recorded
    double milliseconds = 0;
    std::shared_ptr<Stream> stream;
    std::shared_ptr<Capture> capture;
    std::vector<int> nodes;
};

struct GraphNode {
    int type; // CUgraphNodeType
    std::function<int()> body;
    std::vector<int> dependencies;
};
struct Graph {
    std::vector<GraphNode> nodes;
};

/** The stream behind a handle (null and the special handles are the legacy stream); null when there is none. */
std::shared_ptr<Stream> streamOf(Context* context, void* handle);
std::shared_ptr<Stream> createStream(Context* context, unsigned flags, int priority);
/** Runs, queues or captures an operation. */
int submit(Context* context, const std::shared_ptr<Stream>& stream, int nodeType, std::function<int()> body);
int flush(Stream& stream);
int flushBlocking(Context* context);
int flushAll(Context* context);
int flushUntil(Stream& stream, const std::function<bool()>& reached);
/** For calls that a capture in progress forbids: invalidates it and says why. */
int forbiddenDuringCapture(Context* context);
int legacyForbiddenDuringCapture(Context* context);
int runGraph(const Graph& graph);
extern thread_local bool inHostFunction;

constexpr int kernelNode = 0, copyNode = 1, memsetNode = 2, hostNode = 3, eventNode = 7;

} // namespace emulated
