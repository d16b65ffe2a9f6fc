// SPDX-License-Identifier: Apache-2.0
//
// Device memory: real pages in one reserved range of addresses, each allocation ending at an inaccessible page.
//
// Addresses are handed out in turn and come round again only after the whole range was used, so a stale pointer finds
// an inaccessible page and not somebody else's data. The bytes between an allocation and its page borders hold a
// pattern that is looked at when it is freed and when the context synchronises. Fresh memory reads as NaN.

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "driver.h"

namespace emulated {
namespace memory {

namespace {

constexpr size_t page = 4096, alignment = 256, guardBytes = 16 * page, granularity = 512;
constexpr unsigned char guardPattern = 0xa5, freshPattern = 0xff;
constexpr size_t patternedAtMost = size_t{64} << 20; // filling more than that takes longer than it is worth
constexpr size_t freedRemembered = 1 << 16;
constexpr size_t hugePage = size_t{2} << 20;

struct Allocation {
    uintptr_t address, regionBegin, regionEnd; // the region is made of whole pages
    size_t bytes;
    int device;
};

// Parts of allocations that nothing may touch: a test lays them between the slices of an arena.
std::map<uintptr_t, uintptr_t> redZones; // begin, end

struct Account {
    size_t capacity, used, peak, live;
    bool known;
};

struct Pinned {
    size_t bytes;
    size_t mapped; // 0 = registered by its owner
};

std::mutex lock;
uintptr_t arenaBegin, arenaEnd, cursor;
std::map<uintptr_t, Allocation> allocations; // by address
std::map<uintptr_t, size_t> freed;           // by address, for naming mistakes
std::deque<uintptr_t> freedInOrder;
std::map<uintptr_t, Pinned> pinned;
Account accounts[maxDevices];
std::shared_ptr<const std::vector<MemoryRange>> rangesSnapshot;

size_t roundUp(size_t value, size_t unit) {
    return (value + unit - 1) / unit * unit;
}

Account& accountOf(int device) {
    Account& account = accounts[device];
    if (!account.known) {
        account.known = true;
        account.capacity = defaultMemoryBytes();
    }
    return account;
}

bool reserveArena() {
    for (size_t bytes = size_t{1} << 40; bytes >= size_t{1} << 33; bytes /= 2) {
        void* range = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range != MAP_FAILED) {
            arenaBegin = reinterpret_cast<uintptr_t>(range);
            arenaEnd = arenaBegin + bytes;
            cursor = arenaBegin + guardBytes;
            return true;
        }
    }
    return false;
}

/** The next free place for `bytes`, going round the arena; 0 when it is full. */
uintptr_t findPlace(size_t bytes) {
    for (int round = 0; round < 2; round++) {
        while (cursor + bytes <= arenaEnd) {
            auto next = allocations.lower_bound(cursor);
            if (next != allocations.begin() && std::prev(next)->second.regionEnd + guardBytes > cursor) {
                cursor = std::prev(next)->second.regionEnd + guardBytes;
                continue;
            }
            if (next != allocations.end() && next->second.regionBegin < cursor + bytes + guardBytes) {
                cursor = next->second.regionEnd + guardBytes;
                continue;
            }
            return cursor;
        }
        cursor = arenaBegin + guardBytes;
    }
    return 0;
}

const Allocation* holding(uintptr_t address) {
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) {
        return nullptr;
    }
    const Allocation& candidate = std::prev(next)->second;
    return address < candidate.address + candidate.bytes ? &candidate : nullptr;
}

bool withinPinned(uintptr_t address, size_t bytes) {
    auto next = pinned.upper_bound(address);
    return next != pinned.begin() && address + bytes <= std::prev(next)->first + std::prev(next)->second.bytes;
}

bool touchesRedZone(uintptr_t address, size_t bytes) {
    auto next = redZones.lower_bound(address + bytes);
    return next != redZones.begin() && std::prev(next)->second > address;
}

bool intact(const unsigned char* begin, const unsigned char* end) {
    return std::all_of(begin, end, [](unsigned char byte) { return byte == guardPattern; });
}

/** SUCCESS, or the fault of having written next to the allocation. */
int checkGuard(const Allocation& allocation) {
    const auto* data = reinterpret_cast<const unsigned char*>(allocation.address);
    const bool below = intact(reinterpret_cast<const unsigned char*>(allocation.regionBegin), data);
    const bool above = intact(data + allocation.bytes, reinterpret_cast<const unsigned char*>(allocation.regionEnd));
    if (below && above) {
        return SUCCESS;
    }
    return report(FaultKind::overwrittenGuard, "bytes just %s the allocation %#lx of %zu bytes were overwritten",
                  above ? "before" : "behind", static_cast<unsigned long>(allocation.address), allocation.bytes);
}

/** The caller holds the lock. */
int releaseLocked(std::map<uintptr_t, Allocation>::iterator position) {
    const Allocation allocation = position->second;
    const int result = checkGuard(allocation);
    mmap(reinterpret_cast<void*>(allocation.regionBegin), allocation.regionEnd - allocation.regionBegin, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    allocations.erase(position);
    redZones.erase(redZones.lower_bound(allocation.address),
                   redZones.lower_bound(allocation.address + allocation.bytes));
    rangesSnapshot = nullptr;
    Account& account = accountOf(allocation.device);
    account.used -= roundUp(allocation.bytes, granularity);
    account.live--;
    freed[allocation.address] = allocation.bytes;
    freedInOrder.push_back(allocation.address);
    if (freedInOrder.size() > freedRemembered) {
        freed.erase(freedInOrder.front());
        freedInOrder.pop_front();
    }
    return result;
}

std::string describeLocked(uintptr_t address, bool* wasFreed) {
    char text[200];
    *wasFreed = false;
    auto format = [&](const char* relation, uintptr_t base, size_t bytes, long distance) {
        snprintf(text, sizeof text, "%#lx is %ld bytes %s the allocation %#lx of %zu bytes",
                 static_cast<unsigned long>(address), distance, relation, static_cast<unsigned long>(base), bytes);
        return std::string(text);
    };
    if (const Allocation* allocation = holding(address)) {
        return format("into", allocation->address, allocation->bytes, static_cast<long>(address - allocation->address));
    }
    if (address < page) {
        snprintf(text, sizeof text, "%#lx is a null pointer or next to one", static_cast<unsigned long>(address));
        return text;
    }
    if (address < arenaBegin || address >= arenaEnd) {
        snprintf(text, sizeof text, "%#lx is no device memory", static_cast<unsigned long>(address));
        return text;
    }
    auto stale = freed.upper_bound(address);
    if (stale != freed.begin() && address < std::prev(stale)->first + std::prev(stale)->second) {
        --stale;
        *wasFreed = true;
        return format("into, after it was freed,", stale->first, stale->second,
                      static_cast<long>(address - stale->first));
    }
    auto next = allocations.upper_bound(address);
    if (next != allocations.begin()) {
        const Allocation& below = std::prev(next)->second;
        const long past = static_cast<long>(address - below.address - below.bytes);
        if (next == allocations.end() || past < static_cast<long>(next->first - address)) {
            return format("past the end of", below.address, below.bytes, past);
        }
    }
    if (next != allocations.end()) {
        return format("before", next->first, next->second.bytes, static_cast<long>(next->first - address));
    }
    snprintf(text, sizeof text, "%#lx: nothing is allocated", static_cast<unsigned long>(address));
    return text;
}

} // namespace

int allocate(int device, size_t bytes, CUdeviceptr* address) {
    countMemoryCall();
    if (bytes == 0) {
        return INVALID_VALUE;
    }
    if (const int failure = injectedFailure(CallKind::allocation)) {
        return failure;
    }
    std::lock_guard<std::mutex> guard(lock);
    Account& account = accountOf(device);
    const size_t charged = roundUp(bytes, granularity);
    if (charged < bytes || account.used + charged > account.capacity) {
        return report(FaultKind::outOfMemory, "%zu bytes do not fit: %zu of %zu bytes are in use on device %d", bytes,
                      account.used, account.capacity, device);
    }
    if (arenaBegin == 0 && !reserveArena()) {
        return report(FaultKind::outOfMemory, "this machine gives no range of addresses for device memory");
    }
    const size_t region = roundUp(roundUp(bytes, alignment), page);
    const uintptr_t place = findPlace(region);
    if (place == 0 || mprotect(reinterpret_cast<void*>(place), region, PROT_READ | PROT_WRITE) != 0) {
        return report(FaultKind::outOfMemory, "this machine has no %zu bytes for device memory", region);
    }
    cursor = place + region + guardBytes;
    if (region >= 2 * hugePage) { // to fill 64 MiB, page faults and all, takes 11 ms instead of 50
        madvise(reinterpret_cast<void*>(place), region, MADV_HUGEPAGE);
    }
    Allocation allocation{place + region - roundUp(bytes, alignment), place, place + region, bytes, device};
    auto* data = reinterpret_cast<unsigned char*>(allocation.address);
    memset(reinterpret_cast<void*>(place), guardPattern, allocation.address - place);
    memset(data, freshPattern, std::min(bytes, patternedAtMost));
    memset(data + bytes, guardPattern, allocation.regionEnd - allocation.address - bytes);
    allocations[allocation.address] = allocation;
    rangesSnapshot = nullptr;
    account.used += charged;
    account.live++;
    account.peak = std::max(account.peak, account.used);
    *address = allocation.address;
    return SUCCESS;
}

int release(CUdeviceptr address) {
    countMemoryCall();
    if (address == 0) {
        return SUCCESS;
    }
    std::lock_guard<std::mutex> guard(lock);
    auto position = allocations.find(address);
    if (position == allocations.end()) {
        if (freed.count(address) != 0) {
            return report(FaultKind::invalidFree, "double free of %#llx", address);
        }
        bool wasFreed;
        return report(FaultKind::invalidFree, "free of an address that begins no allocation: %s",
                      describeLocked(address, &wasFreed).c_str());
    }
    return releaseLocked(position);
}

void releaseAll(int device) {
    std::lock_guard<std::mutex> guard(lock);
    for (auto next = allocations.begin(); next != allocations.end();) {
        auto current = next++;
        if (current->second.device == device) {
            releaseLocked(current);
        }
    }
}

size_t usedBytes(int device) {
    std::lock_guard<std::mutex> guard(lock);
    return accountOf(device).used;
}
size_t peakBytes(int device) {
    std::lock_guard<std::mutex> guard(lock);
    return accountOf(device).peak;
}
size_t liveAllocations(int device) {
    std::lock_guard<std::mutex> guard(lock);
    return accountOf(device).live;
}
size_t capacity(int device) {
    std::lock_guard<std::mutex> guard(lock);
    return accountOf(device).capacity;
}
void setCapacity(int device, size_t bytes) {
    std::lock_guard<std::mutex> guard(lock);
    accountOf(device).capacity = bytes;
}

bool find(CUdeviceptr address, CUdeviceptr* base, size_t* bytes, int* device) {
    std::lock_guard<std::mutex> guard(lock);
    const Allocation* allocation = holding(address);
    if (allocation == nullptr) {
        return false;
    }
    *base = allocation->address;
    *bytes = allocation->bytes;
    *device = allocation->device;
    return true;
}

int require(const char* what, CUdeviceptr address, size_t bytes, FaultKind kind) {
    std::lock_guard<std::mutex> guard(lock);
    const Allocation* allocation = holding(address);
    if (bytes > 0 && touchesRedZone(address, bytes)) {
        return report(kind, "%s of %zu bytes at %#llx touches a red zone", what, bytes, address);
    }
    if (allocation != nullptr && bytes <= allocation->bytes - (address - allocation->address)) {
        return SUCCESS;
    }
    if (bytes == 0 || withinPinned(address, bytes)) {
        return SUCCESS;
    }
    bool wasFreed;
    const std::string where = describeLocked(address, &wasFreed);
    report(wasFreed ? FaultKind::useAfterFree : kind, "%s of %zu bytes: %s", what, bytes, where.c_str());
    return resultOf(kind);
}

std::string describe(uintptr_t address, bool* wasFreed) {
    std::lock_guard<std::mutex> guard(lock);
    return describeLocked(address, wasFreed);
}

int checkGuards(int device) {
    std::lock_guard<std::mutex> guard(lock);
    int result = SUCCESS;
    for (const auto& entry : allocations) {
        if (entry.second.device == device) {
            const int one = checkGuard(entry.second);
            result = result == SUCCESS ? one : result;
        }
    }
    return result;
}

std::shared_ptr<const std::vector<MemoryRange>> ranges() {
    std::lock_guard<std::mutex> guard(lock);
    if (rangesSnapshot == nullptr) {
        auto fresh = std::make_shared<std::vector<MemoryRange>>();
        for (const auto& entry : allocations) {
            uintptr_t begin = entry.first;
            const uintptr_t end = begin + entry.second.bytes;
            for (auto zone = redZones.lower_bound(begin); zone != redZones.end() && zone->first < end; ++zone) {
                fresh->push_back({begin, zone->first});
                begin = std::min(zone->second, end);
            }
            fresh->push_back({begin, end});
        }
        for (const auto& entry : pinned) {
            fresh->push_back({entry.first, entry.first + entry.second.bytes});
        }
        std::sort(fresh->begin(), fresh->end(),
                  [](const MemoryRange& a, const MemoryRange& b) { return a.begin < b.begin; });
        rangesSnapshot = fresh;
    }
    return rangesSnapshot;
}

int addRedZone(uintptr_t address, size_t bytes) {
    std::lock_guard<std::mutex> guard(lock);
    if (bytes == 0 || holding(address) == nullptr || touchesRedZone(address, bytes)) {
        return INVALID_VALUE;
    }
    redZones[address] = address + bytes;
    rangesSnapshot = nullptr;
    return SUCCESS;
}

MemoryRange arena() {
    std::lock_guard<std::mutex> guard(lock);
    return {arenaBegin, arenaEnd};
}

// ---- pinned host memory -------------------------------------------------------------------------------------------

int allocatePinned(void** address, size_t bytes) {
    countMemoryCall();
    if (bytes == 0) {
        return INVALID_VALUE;
    }
    if (const int failure = injectedFailure(CallKind::allocation)) {
        return failure;
    }
    const size_t region = roundUp(bytes, page);
    void* memory = mmap(nullptr, region + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return OUT_OF_MEMORY;
    }
    auto* data = static_cast<unsigned char*>(memory);
    mprotect(data + region, page, PROT_NONE);
    memset(data + bytes, guardPattern, region - bytes);
    std::lock_guard<std::mutex> guard(lock);
    pinned[reinterpret_cast<uintptr_t>(memory)] = {bytes, region + page};
    rangesSnapshot = nullptr;
    *address = memory;
    return SUCCESS;
}

int releasePinned(void* address) {
    countMemoryCall();
    if (address == nullptr) {
        return INVALID_VALUE;
    }
    std::lock_guard<std::mutex> guard(lock);
    auto position = pinned.find(reinterpret_cast<uintptr_t>(address));
    if (position == pinned.end() || position->second.mapped == 0) {
        return report(FaultKind::invalidFree, "%p begins no pinned allocation, or was freed before", address);
    }
    const Pinned block = position->second;
    const auto* data = static_cast<const unsigned char*>(address);
    const bool whole = intact(data + block.bytes, data + block.mapped - page);
    pinned.erase(position);
    rangesSnapshot = nullptr;
    munmap(address, block.mapped);
    return whole ? SUCCESS
                 : report(FaultKind::overwrittenGuard,
                          "bytes just behind the pinned allocation %p of %zu bytes were overwritten", address,
                          block.bytes);
}

int registerPinned(void* address, size_t bytes) {
    if (address == nullptr || bytes == 0) {
        return INVALID_VALUE;
    }
    std::lock_guard<std::mutex> guard(lock);
    if (withinPinned(reinterpret_cast<uintptr_t>(address), 1)) {
        return HOST_MEMORY_ALREADY_REGISTERED;
    }
    pinned[reinterpret_cast<uintptr_t>(address)] = {bytes, 0};
    rangesSnapshot = nullptr;
    return SUCCESS;
}

int unregisterPinned(void* address) {
    std::lock_guard<std::mutex> guard(lock);
    auto position = pinned.find(reinterpret_cast<uintptr_t>(address));
    if (position == pinned.end() || position->second.mapped != 0) {
        return HOST_MEMORY_NOT_REGISTERED;
    }
    pinned.erase(position);
    rangesSnapshot = nullptr;
    return SUCCESS;
}

bool isPinned(const void* address) {
    std::lock_guard<std::mutex> guard(lock);
    return withinPinned(reinterpret_cast<uintptr_t>(address), 1);
}

} // namespace memory
} // namespace emulated
