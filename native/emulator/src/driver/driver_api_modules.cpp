// SPDX-License-Identifier: Apache-2.0
//
// The driver's calls for modules, functions, occupancy and launches.

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "driver.h"

using namespace emulated;

namespace {

std::unordered_map<void*, std::shared_ptr<Module>> modules;                         // guarded by handleLock
std::unordered_map<void*, std::pair<Function*, std::shared_ptr<Module>>> functions; // guarded by handleLock

std::pair<Function*, std::shared_ptr<Module>> functionOf(void* handle) {
    std::lock_guard<std::mutex> guard(handleLock);
    auto found = functions.find(handle);
    return found == functions.end() ? std::pair<Function*, std::shared_ptr<Module>>{} : found->second;
}

/** What an ELF file for this machine measures, read from its section table (which linkers write last); otherwise 0. */
size_t hostLibraryBytes(const unsigned char* image) {
    constexpr unsigned char elf[] = {0x7f, 'E', 'L', 'F'};
    constexpr uint16_t x86 = 62;
    uint16_t machine, entryBytes, entries;
    uint64_t offset;
    if (memcmp(image, elf, sizeof elf) != 0) {
        return 0;
    }
    memcpy(&machine, image + 18, sizeof machine);
    memcpy(&offset, image + 40, sizeof offset);
    memcpy(&entryBytes, image + 58, sizeof entryBytes);
    memcpy(&entries, image + 60, sizeof entries);
    return machine == x86 ? offset + size_t{entryBytes} * entries : 0;
}

bool isDeviceImage(const unsigned char* image) {
    constexpr unsigned char fatbin[] = {0x50, 0xed, 0x55, 0xba}, elf[] = {0x7f, 'E', 'L', 'F'};
    if (memcmp(image, fatbin, sizeof fatbin) == 0) {
        return true;
    }
    if (memcmp(image, elf, sizeof elf) == 0) {
        constexpr uint16_t cuda = 190;
        uint16_t machine;
        memcpy(&machine, image + 18, sizeof machine);
        return machine == cuda;
    }
    return strstr(reinterpret_cast<const char*>(image), ".version") != nullptr; // PTX is text
}

int addModule(KernelImage* image, void** handle) {
    if (image == nullptr) {
        return INVALID_IMAGE;
    }
    auto module = std::make_shared<Module>();
    module->image = image;
    std::lock_guard<std::mutex> guard(handleLock);
    modules[module.get()] = module;
    *handle = module.get();
    return SUCCESS;
}

constexpr int maxDynamicSharedAttribute = 8;

int optInShared() {
    return (settings.computeCapability >= 80 ? 163 : 64) * 1024;
}

} // namespace

// ---- modules --------------------------------------------------------------------------------------------------------

EMULATED_API cuModuleLoadData(void** module, const void* image) {
    EMULATED_ENTER(context)
    if (image == nullptr) {
        return INVALID_VALUE;
    }
    const auto* bytes = static_cast<const unsigned char*>(image);
    if (const size_t length = hostLibraryBytes(bytes)) {
        return addModule(openKernelImage(image, length), module);
    }
    return isDeviceImage(bytes) ? addModule(openKernelImage(settings.kernels), module) : INVALID_IMAGE;
}
EMULATED_API cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
    return cuModuleLoadData(module, image);
}
EMULATED_API cuModuleLoadFatBinary(void** module, const void* image) {
    return cuModuleLoadData(module, image);
}

EMULATED_API cuModuleLoad(void** module, const char* path) {
    EMULATED_ENTER(context)
    FILE* file = fopen(path, "rb");
    if (file == nullptr) {
        return FILE_NOT_FOUND;
    }
    unsigned char head[64] = {};
    const size_t length = fread(head, 1, sizeof head - 1, file);
    fclose(file);
    if (length == sizeof head - 1 && hostLibraryBytes(head) != 0) {
        return addModule(openKernelImage(std::string(path)), module);
    }
    return addModule(openKernelImage(settings.kernels), module);
}

EMULATED_API cuModuleUnload(void* handle) {
    EMULATED_ENTER(context)
    flushAll(context);
    std::lock_guard<std::mutex> guard(handleLock);
    auto found = modules.find(handle);
    if (found == modules.end()) {
        return INVALID_HANDLE;
    }
    for (const auto& function : found->second->functions) {
        functions.erase(function.get());
    }
    modules.erase(found);
    return SUCCESS;
}

EMULATED_API cuModuleGetFunction(void** handle, void* moduleHandle, const char* name) {
    EMULATED_ENTER(context)
    std::lock_guard<std::mutex> guard(handleLock);
    auto found = modules.find(moduleHandle);
    if (found == modules.end()) {
        return INVALID_HANDLE;
    }
    Module& module = *found->second;
    for (const auto& known : module.functions) {
        if (strcmp(known->description->name, name) == 0) {
            *handle = known.get();
            return SUCCESS;
        }
    }
    auto function = std::make_unique<Function>();
    function->image = module.image;
    function->module = &module;
    function->index = findFunction(module.image, name, &function->description);
    if (function->index < 0) {
        return NOT_FOUND;
    }
    *handle = function.get();
    functions[function.get()] = {function.get(), found->second};
    module.functions.push_back(std::move(function));
    return SUCCESS;
}

EMULATED_API cuModuleGetLoadingMode(int* mode) {
    *mode = 1; // eager
    return SUCCESS;
}

// ---- functions ------------------------------------------------------------------------------------------------------

EMULATED_API cuFuncGetModule(void** module, void* handle) {
    const auto function = functionOf(handle);
    *module = function.second.get();
    return function.first == nullptr ? INVALID_HANDLE : SUCCESS;
}

EMULATED_API cuFuncGetAttribute(int* value, int attribute, void* handle) {
    EMULATED_ENTER(context)
    const auto function = functionOf(handle).first;
    if (function == nullptr) {
        return INVALID_HANDLE;
    }
    switch (attribute) {
        case 0: // threads per block
            *value = 1024;
            return SUCCESS;
        case 4: // registers
            *value = 32;
            return SUCCESS;
        case 5: // PTX version
        case 6: // binary version
            *value = settings.computeCapability;
            return SUCCESS;
        case maxDynamicSharedAttribute:
            *value = function->maxDynamicShared;
            return SUCCESS;
        default:
            *value =
                attribute == 9 ? -1 : 0; // no preferred carve-out; no static shared, constant or local memory known
            return attribute >= 0 && attribute < 16 ? SUCCESS : INVALID_VALUE;
    }
}

EMULATED_API cuFuncSetAttribute(void* handle, int attribute, int value) {
    EMULATED_ENTER(context)
    const auto function = functionOf(handle).first;
    if (function == nullptr) {
        return INVALID_HANDLE;
    }
    if (attribute == maxDynamicSharedAttribute) {
        if (value < 0 || value > optInShared()) {
            return INVALID_VALUE;
        }
        function->maxDynamicShared = std::max(value, 48 * 1024);
        return SUCCESS;
    }
    return attribute == 9 ? SUCCESS : INVALID_VALUE;
}

EMULATED_API cuFuncSetCacheConfig(void*, int) {
    return SUCCESS;
}
EMULATED_API cuFuncSetSharedMemConfig(void*, int) {
    return SUCCESS;
}

EMULATED_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads, size_t dynamicShared) {
    EMULATED_ENTER(context)
    if (functionOf(handle).first == nullptr) {
        return INVALID_HANDLE;
    }
    if (threads <= 0) {
        return INVALID_VALUE;
    }
    const int byThreads = threads > 1024 ? 0 : std::min(32, 2048 / ((threads + 31) / 32 * 32));
    const int byShared = static_cast<int>((optInShared() + 1024) / (dynamicShared + 1024));
    *blocks = std::min(byThreads, byShared);
    return SUCCESS;
}
EMULATED_API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, void* function, int threads,
                                                                  size_t shared, unsigned) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, shared);
}

EMULATED_API cuOccupancyMaxPotentialBlockSize(int* minGrid, int* block, void* handle, size_t (*)(int), size_t,
                                              int limit) {
    EMULATED_ENTER(context)
    if (functionOf(handle).first == nullptr) {
        return INVALID_HANDLE;
    }
    *block = limit > 0 ? std::min(limit, 1024) : 1024;
    *minGrid = 4 * 2;
    return SUCCESS;
}

// ---- launches -------------------------------------------------------------------------------------------------------

namespace {

/** A copy of a launch's parameters: they are read when the call is made, the kernel may run later. */
class Arguments {
public:
    Arguments(const KernelDescription& kernel, void** values, void** extra) {
        size_t total = 0;
        for (int i = 0; i < kernel.parameterCount; i++) {
            total += slot(kernel.parameterBytes[i]);
        }
        storage.resize(total / sizeof(uint64_t) + 1);
        pointers.reserve(static_cast<size_t>(kernel.parameterCount));
        const char* packed = values == nullptr ? packedArguments(extra) : nullptr;
        auto* place = reinterpret_cast<char*>(storage.data());
        size_t offset = 0;
        for (int i = 0; i < kernel.parameterCount; i++) {
            const size_t bytes = kernel.parameterBytes[i];
            const void* source;
            if (values != nullptr) {
                source = values[i];
            } else if (packed != nullptr) {
                offset = (offset + bytes - 1) / bytes * bytes; // a scalar is aligned to its size
                source = packed + offset;
                offset += bytes;
            } else {
                source = nullptr;
            }
            if (source == nullptr) {
                complete = false;
                return;
            }
            memcpy(place, source, bytes);
            pointers.push_back(place);
            place += slot(bytes);
        }
    }

    bool complete = true;
    std::vector<void*> pointers;

private:
    static size_t slot(size_t bytes) { return (bytes + 15) / 16 * 16; }

    /** The buffer in a list of (CU_LAUNCH_PARAM_BUFFER_POINTER = 1, value) pairs that 0 ends. */
    static const char* packedArguments(void** extra) {
        for (; extra != nullptr && *extra != nullptr; extra += 2) {
            if (*extra == reinterpret_cast<void*>(1)) {
                return static_cast<const char*>(extra[1]);
            }
        }
        return nullptr;
    }

    std::vector<uint64_t> storage;
};

bool fits(const LaunchGeometry& g, const Function& function) {
    const auto positive = [](const Index3& i) { return i.x > 0 && i.y > 0 && i.z > 0; };
    return positive(g.grid) && positive(g.block) && g.grid.x <= 0x7fffffffu && g.grid.y <= 65535 && g.grid.z <= 65535 &&
           g.block.x <= 1024 && g.block.y <= 1024 && g.block.z <= 64 &&
           uint64_t{g.block.x} * g.block.y * g.block.z <= 1024 &&
           g.dynamicSharedBytes <= static_cast<unsigned>(function.maxDynamicShared);
}

} // namespace

EMULATED_API cuLaunchKernel(void* handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                            unsigned blockY, unsigned blockZ, unsigned dynamicShared, void* streamHandle,
                            void** parameters, void** extra) {
    EMULATED_ENTER(context)
    const auto owner = functionOf(handle);
    const auto stream = streamOf(context, streamHandle);
    if (owner.first == nullptr || stream == nullptr) {
        return INVALID_HANDLE;
    }
    const LaunchGeometry geometry{{gridX, gridY, gridZ}, {blockX, blockY, blockZ}, dynamicShared};
    if (!fits(geometry, *owner.first)) {
        return report(FaultKind::invalidLaunch,
                      "kernel %s: grid %u,%u,%u, block %u,%u,%u, %u bytes of dynamic shared memory (up to %d allowed)",
                      owner.first->description->name, gridX, gridY, gridZ, blockX, blockY, blockZ, dynamicShared,
                      owner.first->maxDynamicShared);
    }
    if (const int failure = injectedFailure(CallKind::launch)) {
        return failure;
    }
    auto arguments = std::make_shared<Arguments>(*owner.first->description, parameters, extra);
    if (!arguments->complete) {
        return INVALID_VALUE;
    }
    return submit(context, stream, kernelNode,
                  [=] { return runKernel(*owner.first, geometry, arguments->pointers.data()); });
}

EMULATED_API cuLaunchCooperativeKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                                       void*, void**) {
    return NOT_SUPPORTED; // blocks run one after the other, so a grid cannot wait for itself
}
