// SPDX-License-Identifier: Apache-2.0
//
// The checked build: every load and store of a kernel is looked at before it happens.
//
// The idea: g++ -fsanitize=kernel-address calls a function before each access and lays a red zone behind each global
// array, and `__shared__` arrays are global arrays here. The sanitizer's own runtime is not used; these functions are
// it:
//   - device memory: the access must lie within one allocation (or pinned host memory), and be aligned to its size;
//   - shared memory: within one array, or within the dynamic bytes of the launch;
//   - races on shared memory: each byte remembers who wrote and who read it since the last barrier. An access meets a
//     write (or a write meets a read) of another thread, with no __syncthreads() and, within a warp, no __syncwarp()
//     between: a missing barrier, whether or not this run's order happened to give the right result.
// Shuffles do not order memory, neither here nor in the PTX memory model. Costs about 10 x in speed.

#include <link.h>

#include <algorithm>
#include <cstdio>

#include "engine.h"

namespace emulated {

const bool checkedBuild = true;

namespace {

/** As g++ lays it out for __asan_register_globals. */
struct SanitizedGlobal {
    uintptr_t begin;
    size_t bytes, bytesWithRedZone;
    const char* name;
    const char* moduleName;
    size_t hasDynamicInitializer;
    const void* location;
    size_t oneDefinitionIndicator;
};

struct Array {
    uintptr_t begin, end, redZoneEnd;
    const char* name;
    size_t shadowOffset;
};

/** Filled by constructors that run before this file's own, hence not a plain global. */
std::vector<Array>& arrays() {
    static std::vector<Array> all;
    return all;
}

struct Access {
    uint32_t barrierEpoch; // 0 = never
    uint16_t thread;       // or one of the following
    uint16_t warpEpoch;
};
constexpr uint16_t severalWarps = 0xffff, severalLanes = 0x8000; // severalLanes | warp

struct ShadowByte {
    Access write, read;
};
std::vector<ShadowByte> shadow;
bool prepared;
uintptr_t imageBegin, imageEnd;

int findImage(dl_phdr_info* info, size_t, void*) {
    const auto here = reinterpret_cast<uintptr_t>(&prepared);
    uintptr_t begin = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            const uintptr_t segment = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            begin = std::min(begin, segment);
            end = std::max(end, segment + info->dlpi_phdr[i].p_memsz);
        }
    }
    if (here < begin || here >= end) {
        return 0;
    }
    imageBegin = begin;
    imageEnd = end;
    return 1;
}

void prepare() {
    prepared = true;
    dl_iterate_phdr(findImage, nullptr);
    std::sort(arrays().begin(), arrays().end(), [](const Array& a, const Array& b) { return a.begin < b.begin; });
    size_t bytes = maxDynamicShared;
    for (Array& array : arrays()) {
        array.shadowOffset = bytes;
        bytes += array.end - array.begin;
    }
    shadow.assign(bytes, ShadowByte{});
}

const char* verb(bool write) {
    return write ? "writes" : "reads";
}

/** Whether `earlier`, by another thread, is not ordered before an access of `self`. */
bool unordered(const Access& earlier, const Fiber& self) {
    if (earlier.barrierEpoch != engine.barrierEpoch || earlier.thread == self.linearIndex) {
        return false;
    }
    if (earlier.thread == severalWarps) {
        return true;
    }
    const unsigned warp = (earlier.thread & severalLanes) != 0 ? earlier.thread & 31u : earlier.thread / 32u;
    return warp != self.linearIndex / 32 || earlier.warpEpoch == static_cast<uint16_t>(self.warp->epoch);
}

[[noreturn]] void raiseRace(const char* name, size_t offset, const Access& earlier, bool earlierWrote, bool write) {
    char who[40];
    if (earlier.thread == severalWarps) {
        snprintf(who, sizeof who, "threads of several warps");
    } else if ((earlier.thread & severalLanes) != 0) {
        snprintf(who, sizeof who, "several lanes of warp %u", earlier.thread & 31u);
    } else {
        const Index3 thread = engine.fibers[earlier.thread].threadIndex;
        snprintf(who, sizeof who, "thread %u,%u,%u", thread.x, thread.y, thread.z);
    }
    raise(FaultKind::sharedRace, 0, "missing barrier: %s byte %zu of shared `%s` that %s %s since the last barrier",
          verb(write), offset, name, who, earlierWrote ? "wrote" : "read");
}

void checkRace(const char* name, size_t offset, ShadowByte* bytes, size_t count, bool write) {
    const Fiber& self = *currentFiber;
    const Access now{engine.barrierEpoch, static_cast<uint16_t>(self.linearIndex),
                     static_cast<uint16_t>(self.warp->epoch)};
    for (size_t i = 0; i < count; i++) {
        ShadowByte& byte = bytes[i];
        if (unordered(byte.write, self)) {
            raiseRace(name, offset + i, byte.write, true, write);
        }
        if (write) {
            if (unordered(byte.read, self)) {
                raiseRace(name, offset + i, byte.read, false, true);
            }
            byte.write = now;
            continue;
        }
        if (byte.read.barrierEpoch != now.barrierEpoch || byte.read.thread == now.thread) {
            byte.read = now;
        } else if (byte.read.thread != severalWarps) {
            const unsigned warp =
                (byte.read.thread & severalLanes) != 0 ? byte.read.thread & 31u : byte.read.thread / 32u;
            const unsigned own = self.linearIndex / 32;
            byte.read.thread = warp == own ? static_cast<uint16_t>(severalLanes | own) : severalWarps;
            byte.read.warpEpoch = now.warpEpoch;
        }
    }
}

void checkDevice(uintptr_t address, size_t bytes, bool write) {
    const MemoryRange* first = engine.launch->ranges;
    const MemoryRange* last = first + engine.launch->rangeCount;
    static const MemoryRange* recent;
    if (recent < first || recent >= last || address < recent->begin || address >= recent->end) {
        recent = std::upper_bound(first, last, address, [](uintptr_t a, const MemoryRange& r) { return a < r.begin; });
        if (recent == first) {
            raise(FaultKind::illegalAddress, address, "%s %zu bytes at %#lx, before every allocation", verb(write),
                  bytes, static_cast<unsigned long>(address));
        }
        --recent;
    }
    if (address + bytes > recent->end) {
        raise(FaultKind::illegalAddress, address,
              "%s %zu bytes at %#lx, %ld bytes past the end of what is allocated below (%#lx, %zu bytes)", verb(write),
              bytes, static_cast<unsigned long>(address), static_cast<long>(address - recent->end),
              static_cast<unsigned long>(recent->begin), static_cast<size_t>(recent->end - recent->begin));
    }
}

bool inPinnedMemory(uintptr_t address, size_t bytes) {
    for (size_t i = 0; i < engine.launch->rangeCount; i++) {
        const MemoryRange& range = engine.launch->ranges[i];
        if (address >= range.begin && address + bytes <= range.end) {
            return true;
        }
    }
    return false;
}

void check(uintptr_t address, size_t bytes, bool write, bool ordered) {
    const uintptr_t own = reinterpret_cast<uintptr_t>(&engine);
    if (!engine.running || (address >= own && address < own + sizeof engine)) {
        return; // threadIdx and the like
    }
    const MemoryRange& arena = engine.launch->deviceArena;
    const bool device = address >= arena.begin && address < arena.end;
    const StackRange stacks = allStacks();
    if (!device && address >= stacks.low && address < stacks.high) {
        return; // local memory
    }
    if ((bytes & (bytes - 1)) == 0 && bytes <= 16 && address % bytes != 0) {
        raise(FaultKind::misalignedAddress, address, "%s %zu bytes at %#lx, which is not a multiple of %zu",
              verb(write), bytes, static_cast<unsigned long>(address), bytes);
    }
    if (device) {
        checkDevice(address, bytes, write);
        return;
    }
    const auto dynamic = reinterpret_cast<uintptr_t>(dynamicShared);
    if (address >= dynamic && address < dynamic + maxDynamicShared + sharedGuardBytes) {
        const size_t offset = address - dynamic;
        if (offset + bytes > engine.launch->dynamicSharedBytes) {
            raise(FaultKind::sharedOverrun, 0, "%s bytes %zu to %zu of its dynamic shared memory, which has %u bytes",
                  verb(write), offset, offset + bytes - 1, engine.launch->dynamicSharedBytes);
        }
        if (ordered) {
            checkRace("dynamic shared memory", offset, &shadow[offset], bytes, write);
        }
        return;
    }
    auto array = std::upper_bound(arrays().begin(), arrays().end(), address,
                                  [](uintptr_t a, const Array& b) { return a < b.begin; });
    if (array != arrays().begin() && address < (--array)->redZoneEnd) {
        const size_t offset = address - array->begin;
        if (address + bytes > array->end) {
            raise(FaultKind::sharedOverrun, 0, "%s bytes %zu to %zu of shared `%s`, which has %zu bytes", verb(write),
                  offset, offset + bytes - 1, array->name, static_cast<size_t>(array->end - array->begin));
        }
        if (ordered) {
            checkRace(array->name, offset, &shadow[array->shadowOffset + offset], bytes, write);
        }
        return;
    }
    if ((address >= imageBegin && address < imageEnd) || inPinnedMemory(address, bytes)) {
        return;
    }
    raise(FaultKind::illegalAddress, address, "%s %zu bytes at %#lx, which is neither device, shared nor local memory",
          verb(write), bytes, static_cast<unsigned long>(address));
}

} // namespace

void beginBlockChecks() {
    if (!prepared) {
        prepare();
    }
}

void noteWarpSync(Warp& warp) {
    warp.epoch++;
}

void checkAccess(const void* address, size_t bytes, bool write) {
    check(reinterpret_cast<uintptr_t>(address), bytes, write, true);
}

void checkAtomicAccess(const void* address, size_t bytes) {
    check(reinterpret_cast<uintptr_t>(address), bytes, true, false);
}

} // namespace emulated

// ---- what g++ calls
// --------------------------------------------------------------------------------------------------

#define SANITIZER extern "C" __attribute__((visibility("hidden"), used)) void
#define SANITIZED_ACCESS(bytes)                            \
    SANITIZER __asan_load##bytes##_noabort(uintptr_t a) {  \
        emulated::check(a, bytes, false, true);            \
    }                                                      \
    SANITIZER __asan_store##bytes##_noabort(uintptr_t a) { \
        emulated::check(a, bytes, true, true);             \
    }
SANITIZED_ACCESS(1)
SANITIZED_ACCESS(2)
SANITIZED_ACCESS(4)
SANITIZED_ACCESS(8)
SANITIZED_ACCESS(16)
SANITIZER __asan_loadN_noabort(uintptr_t a, size_t bytes) {
    emulated::check(a, bytes, false, true);
}
SANITIZER __asan_storeN_noabort(uintptr_t a, size_t bytes) {
    emulated::check(a, bytes, true, true);
}
SANITIZER __asan_handle_no_return() {}
SANITIZER __asan_before_dynamic_init(const char*) {}
SANITIZER __asan_after_dynamic_init() {}

SANITIZER __asan_register_globals(const emulated::SanitizedGlobal* globals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const emulated::SanitizedGlobal& global = globals[i];
        emulated::arrays().push_back(
            {global.begin, global.begin + global.bytes, global.begin + global.bytesWithRedZone, global.name, 0});
    }
}
SANITIZER __asan_unregister_globals(const void*, size_t) {}
