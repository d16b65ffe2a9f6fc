// SPDX-License-Identifier: Apache-2.0
//
// Fibers: CUDA threads that share one OS thread and change over only where they wait for each other.
//
// A switch saves the six callee-saved registers on the stack left and takes them from the stack entered. It jumps to
// the return address instead of returning, which the processor would predict to lead back to where we came from.
// A thread that never waits runs to its end and hands its stack to the next one, so kernels without barriers cost a
// loop. Stacks are kept for the next block; below each lies a guard page.

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>

#include "engine.h"

extern "C" void emulated_switch_stack(void** saveStackPointer, void* stackPointer);

asm(R"(
    .text
    .globl emulated_switch_stack
    .hidden emulated_switch_stack
    .type emulated_switch_stack, @function
emulated_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
    .size emulated_switch_stack, .-emulated_switch_stack
)");

namespace emulated {

Fiber* currentFiber;
Engine engine;

namespace {

constexpr size_t stackBytes = 64 * 1024, guardBytes = 4096, stackPitch = stackBytes + guardBytes;

unsigned char* stacks; // maxThreads of them, mapped at first use
int stacksMade;
std::vector<int> freeStacks;

unsigned char* stackBase(int number) {
    return stacks + number * stackPitch;
}

int takeStack() {
    if (!freeStacks.empty()) {
        const int number = freeStacks.back();
        freeStacks.pop_back();
        return number;
    }
    if (stacks == nullptr) {
        void* memory = mmap(nullptr, maxThreads * stackPitch, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            raise(FaultKind::trap, 0, "no memory for the stacks of the emulated threads");
        }
        stacks = static_cast<unsigned char*>(memory);
    }
    mprotect(stackBase(stacksMade), guardBytes, PROT_NONE);
    return stacksMade++;
}

uint64_t nextRandom() {
    engine.random ^= engine.random << 13;
    engine.random ^= engine.random >> 7;
    engine.random ^= engine.random << 17;
    return engine.random;
}

unsigned randomBit(uint32_t bits) {
    for (unsigned skip = nextRandom() % __builtin_popcount(bits); skip > 0; skip--) {
        bits &= bits - 1;
    }
    return __builtin_ctz(bits);
}

/** The next bit of `bits` above `position`, or the lowest one. */
unsigned nextBit(uint32_t bits, unsigned position) {
    const uint32_t above = bits & ~((2u << position) - 1u);
    return __builtin_ctz(above != 0 ? above : bits);
}

/**
 * Chooses who runs next: in order, the lanes of a warp first (their stacks are in the cache, and warp operations
 * complete soonest); with a seed, anybody. nullptr when nobody can.
 */
Fiber* choose() {
    if (engine.runnableWarps == 0) {
        return nullptr;
    }
    const bool inOrder = engine.launch->schedulerSeed == 0;
    Warp* warp = currentFiber->warp;
    if (!inOrder) {
        warp = &engine.warps[randomBit(engine.runnableWarps)];
        return &warp->lanes[randomBit(warp->runnable)];
    }
    if (warp->runnable == 0) {
        warp = &engine.warps[nextBit(engine.runnableWarps, warp - engine.warps)];
        return &warp->lanes[__builtin_ctz(warp->runnable)];
    }
    return &warp->lanes[nextBit(warp->runnable, currentFiber->lane)];
}

[[noreturn]] void fiberMain();

/** A stack that begins in fiberMain. Tops are staggered, or all stacks would fall into the same sets of the cache. */
void* freshStackPointer(int number) {
    unsigned char* top = stackBase(number) + stackPitch - 64 - (number % 13) * 320;
    void** stackPointer = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
    *--stackPointer = nullptr; // fiberMain has no caller, but expects the alignment of a call
    *--stackPointer = reinterpret_cast<void*>(fiberMain);
    for (int registers = 0; registers < 6; registers++) {
        *--stackPointer = nullptr;
    }
    return stackPointer;
}

void switchTo(Fiber& next, void** saveStackPointer) {
    if (next.stack < 0) {
        next.stack = takeStack();
        next.stackPointer = freshStackPointer(next.stack);
    }
    currentFiber = &next;
    emulated_switch_stack(saveStackPointer, next.stackPointer);
}

void fiberMain() {
    for (;;) {
        engine.launch->kernel->call(engine.launch->parameters);
        Fiber& done = *currentFiber;
        exited(done);
        Fiber* next = choose();
        if (next == nullptr) {
            if (engine.live > 0) {
                describeDeadlock();
            }
            freeStacks.push_back(done.stack);
            void* unused;
            emulated_switch_stack(&unused, engine.mainStackPointer);
        }
        if (next->stack < 0) { // has not begun: it may have this stack
            next->stack = done.stack;
            currentFiber = next;
            continue;
        }
        freeStacks.push_back(done.stack);
        void* unused;
        switchTo(*next, &unused);
    }
}

} // namespace

void suspend() {
    Fiber& self = *currentFiber;
    Fiber* next = choose();
    if (next == nullptr) {
        describeDeadlock();
    }
    if (next != &self) {
        switchTo(*next, &self.stackPointer);
    }
}

void runFibers() {
    currentFiber = &engine.fibers[0]; // choose() starts from here
    if (engine.launch->schedulerSeed != 0) {
        currentFiber = choose();
    }
    engine.running = true;
    switchTo(*currentFiber, &engine.mainStackPointer);
    engine.running = false;
    if (engine.faulted) { // whoever was under way is forgotten, with its stack
        freeStacks.clear();
        for (int number = 0; number < stacksMade; number++) {
            freeStacks.push_back(number);
        }
    }
}

void abandonBlock() {
    engine.faulted = true;
    void* unused;
    emulated_switch_stack(&unused, engine.mainStackPointer);
    __builtin_unreachable();
}

void raise(FaultKind kind, uintptr_t address, const char* format, ...) {
    Fault& fault = *engine.fault;
    fault.kind = kind;
    fault.address = address;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(fault.message, sizeof fault.message, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < static_cast<int>(sizeof fault.message)) {
        const Index3 thread = currentFiber->threadIndex;
        snprintf(fault.message + length, sizeof fault.message - length, " (thread %u,%u,%u)", thread.x, thread.y,
                 thread.z);
    }
    abandonBlock();
}

StackRange stackOf(const Fiber& fiber) {
    if (fiber.stack < 0) {
        return {0, 0, 0};
    }
    const uintptr_t base = reinterpret_cast<uintptr_t>(stackBase(fiber.stack));
    return {base, base + guardBytes, base + stackPitch};
}

StackRange allStacks() {
    const uintptr_t base = reinterpret_cast<uintptr_t>(stacks);
    return {base, base, base + maxThreads * stackPitch};
}

} // namespace emulated
