// SPDX-License-Identifier: Apache-2.0
//
// Kernel libraries and running kernels in them.
//
// A library is loaded as often as blocks shall run at once; each copy is one streaming multiprocessor. A second library
// beside it, NAME_checked.so, is used while checks are on. A real image (fatbin, cubin, PTX) stands for the library
// built from the same sources.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "driver.h"

namespace emulated {

namespace {

/** One loaded copy of a library. */
struct Copy {
    const KernelLibrary* library;
    std::vector<const KernelDescription*> kernels; // in the order of registration, the same in every copy
};

/** Copies of one library file, lent to one thread at a time. */
class CopyPool {
public:
    explicit CopyPool(std::vector<char> file) : file(std::move(file)) {}

    Copy* borrow() {
        std::unique_lock<std::mutex> guard(lock);
        for (;;) {
            if (!idle.empty()) {
                Copy* copy = idle.back();
                idle.pop_back();
                return copy;
            }
            if (made < settings.threads + 2) {
                made++;
                guard.unlock();
                return load();
            }
            returned.wait(guard);
        }
    }

    void giveBack(Copy* copy) {
        {
            std::lock_guard<std::mutex> guard(lock);
            idle.push_back(copy);
        }
        returned.notify_one();
    }

private:
    /**
     * Loads the file under a name of its own, or the loader would give us a copy it has. The descriptor stays open for
     * ever, so that its number, which is the name, is never used again.
     */
    Copy* load() {
        const int descriptor = memfd_create("embed4j-kernels", MFD_CLOEXEC);
        const bool written =
            descriptor >= 0 && write(descriptor, file.data(), file.size()) == static_cast<ssize_t>(file.size());
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
        void* handle = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
        if (handle == nullptr) {
            fprintf(stderr, "[embed4j emulator] kernel library: %s\n", written ? dlerror() : strerror(errno));
        }
        auto function = handle == nullptr
                            ? nullptr
                            : reinterpret_cast<KernelLibraryFunction>(dlsym(handle, "embed4j_kernel_library"));
        if (function == nullptr) {
            return nullptr;
        }
        auto* copy = new Copy{function(), {}};
        for (const KernelDescription* kernel = copy->library->kernels; kernel != nullptr; kernel = kernel->next) {
            copy->kernels.push_back(kernel);
        }
        return copy;
    }

    std::vector<char> file;
    std::mutex lock;
    std::condition_variable returned;
    std::vector<Copy*> idle;
    unsigned made = 0;
};

std::vector<char> readFile(const std::string& path) {
    std::vector<char> content;
    FILE* file = fopen(path.c_str(), "rb");
    if (file == nullptr) {
        return content;
    }
    struct stat status;
    if (fstat(fileno(file), &status) == 0) {
        content.resize(static_cast<size_t>(status.st_size));
        if (fread(content.data(), 1, content.size(), file) != content.size()) {
            content.clear();
        }
    }
    fclose(file);
    return content;
}

thread_local const KernelLibrary* running; // whose block this thread runs
struct sigaction previousHandlers[NSIG];

void onSignal(int signal, siginfo_t* info, void* context) {
    if (running != nullptr && running->interceptSignal(signal, info, context)) {
        return;
    }
    const struct sigaction& previous = previousHandlers[signal];
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        ::signal(signal, SIG_DFL); // the instruction is repeated, and now ends the process
    } else {
        previous.sa_handler(signal);
    }
}

/** While it lives, signals of this thread have a stack of their own: a fiber's may be what overflowed. */
class SignalStack {
public:
    SignalStack() {
        thread_local std::unique_ptr<char[]> memory(new char[size]);
        stack_t mine{};
        mine.ss_sp = memory.get();
        mine.ss_size = size;
        sigaltstack(&mine, &before);
    }
    ~SignalStack() { sigaltstack(&before, nullptr); }

private:
    static constexpr size_t size = 128 * 1024;
    stack_t before{};
};

} // namespace

class KernelImage {
public:
    explicit KernelImage(std::vector<char> plain, std::vector<char> checked)
        : plain(std::move(plain)), hasChecked(!checked.empty()), checked(std::move(checked)) {}

    CopyPool& pool() { return settings.checks && hasChecked ? checked : plain; }

private:
    CopyPool plain;
    bool hasChecked;
    CopyPool checked;
};

namespace {

std::mutex imagesLock;
std::map<std::string, KernelImage*> images; // by path; kept for ever, as the loaded copies are

/** A library holds at least one kernel, or it is none. */
KernelImage* verified(std::vector<char> plain, std::vector<char> checked) {
    if (plain.empty()) {
        return nullptr;
    }
    auto image = std::make_unique<KernelImage>(std::move(plain), std::move(checked));
    Copy* first = image->pool().borrow();
    if (first == nullptr || first->kernels.empty()) {
        return nullptr;
    }
    image->pool().giveBack(first);
    return image.release();
}

} // namespace

KernelImage* openKernelImage(const std::string& path) {
    std::lock_guard<std::mutex> guard(imagesLock);
    auto known = images.find(path);
    if (known != images.end()) {
        return known->second;
    }
    const size_t dot = path.rfind(".so");
    std::vector<char> checked;
    if (dot != std::string::npos) {
        checked = readFile(path.substr(0, dot) + "_checked.so");
    }
    KernelImage* image = verified(readFile(path), std::move(checked));
    if (image != nullptr) {
        images[path] = image;
    }
    return image;
}

KernelImage* openKernelImage(const void* bytes, size_t length) {
    const char* begin = static_cast<const char*>(bytes);
    return verified(std::vector<char>(begin, begin + length), {});
}

int findFunction(KernelImage* image, const char* name, const KernelDescription** description) {
    Copy* copy = image->pool().borrow();
    int found = -1;
    for (size_t i = 0; copy != nullptr && i < copy->kernels.size(); i++) {
        if (strcmp(copy->kernels[i]->name, name) == 0) {
            found = static_cast<int>(i);
            *description = copy->kernels[i];
        }
    }
    if (copy != nullptr) {
        image->pool().giveBack(copy);
    }
    return found;
}

int runKernel(const Function& function, const LaunchGeometry& geometry, void** parameters) {
    const uint64_t blocks = uint64_t{geometry.grid.x} * geometry.grid.y * geometry.grid.z;
    const uint64_t threads = uint64_t{geometry.block.x} * geometry.block.y * geometry.block.z;
    CopyPool& pool = function.image->pool();
    const auto ranges = settings.checks ? memory::ranges() : nullptr;
    Launch launch{};
    launch.parameters = parameters;
    launch.grid = geometry.grid;
    launch.block = geometry.block;
    launch.dynamicSharedBytes = geometry.dynamicSharedBytes;
    launch.schedulerSeed = settings.seed;
    if (ranges != nullptr) {
        launch.ranges = ranges->data();
        launch.rangeCount = ranges->size();
        launch.deviceArena = memory::arena();
    }
    countLaunch();

    std::atomic<uint64_t> nextBlock{0};
    std::atomic<bool> failed{false};
    Fault fault;
    Index3 faultyBlock{};
    const auto body = [&] {
        if (nextBlock.load() >= blocks) {
            return; // came too late: do not load a copy for nothing
        }
        Copy* copy = pool.borrow();
        if (copy == nullptr) {
            failed = true;
            return;
        }
        Launch mine = launch;
        mine.kernel = copy->kernels[static_cast<size_t>(function.index)];
        Fault found;
        SignalStack signalStack;
        running = copy->library;
        for (uint64_t i; !failed.load(std::memory_order_relaxed) && (i = nextBlock++) < blocks;) {
            const uint64_t number = launch.schedulerSeed == 0 ? i : blocks - 1 - i;
            const Index3 block{static_cast<unsigned>(number % geometry.grid.x),
                               static_cast<unsigned>(number / geometry.grid.x % geometry.grid.y),
                               static_cast<unsigned>(number / geometry.grid.x / geometry.grid.y)};
            if (!copy->library->runBlock(mine, block, found) && !failed.exchange(true)) {
                fault = found;
                faultyBlock = block;
            }
        }
        running = nullptr;
        pool.giveBack(copy);
    };
    // Waking a helper costs more than running a few warps.
    const unsigned helpers = blocks < 2 || blocks * threads < 2048
                                 ? 0
                                 : static_cast<unsigned>(std::min<uint64_t>(blocks - 1, settings.threads - 1));
    runTogether(helpers, body);
    if (!failed) {
        return SUCCESS;
    }
    std::string where;
    if (fault.kind == FaultKind::illegalAddress && fault.address != 0) {
        bool freed;
        where = "; " + memory::describe(fault.address, &freed);
        if (freed) {
            fault.kind = FaultKind::useAfterFree;
        }
    }
    const int result = report(fault.kind, "kernel %s, block %u,%u,%u: %s%s", function.description->name, faultyBlock.x,
                              faultyBlock.y, faultyBlock.z, fault.message, where.c_str());
    return result == SUCCESS ? LAUNCH_FAILED : result;
}

void installSignalHandlers() {
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
        struct sigaction action{};
        action.sa_sigaction = onSignal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER;
        sigemptyset(&action.sa_mask);
        sigaction(signal, &action, &previousHandlers[signal]);
    }
}

} // namespace emulated
