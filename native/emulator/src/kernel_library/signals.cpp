// SPDX-License-Identifier: Apache-2.0
//
// A kernel that touches memory it must not, or divides by zero, ends with a fault and not with the process.
//
// The driver's signal handler asks the library whose block runs on this thread. If the fault happened on a fiber's
// stack, the signal returns into a function that raises the fault, on the (now worthless) stack of that fiber.

#include <ucontext.h>

#include <csignal>

#include "engine.h"

namespace emulated {

namespace {

struct {
    FaultKind kind;
    uintptr_t address;
} intercepted;

[[noreturn]] void raiseIntercepted() {
    switch (intercepted.kind) {
        case FaultKind::divisionByZero:
            raise(intercepted.kind, 0, "integer division by zero");
        case FaultKind::stackOverflow:
            raise(intercepted.kind, intercepted.address, "a thread's local memory is larger than the emulated stack");
        case FaultKind::misalignedAddress:
            raise(intercepted.kind, 0, "misaligned (or not canonical) address");
        default:
            raise(intercepted.kind, intercepted.address, "illegal address %#lx",
                  static_cast<unsigned long>(intercepted.address));
    }
}

} // namespace

bool interceptSignal(int signal, void* info, void* context) {
    if (!engine.running || currentFiber == nullptr) {
        return false;
    }
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto* details = static_cast<const siginfo_t*>(info);
    const StackRange stack = stackOf(*currentFiber);
    const auto stackPointer = static_cast<uintptr_t>(registers[REG_RSP]);
    if (stackPointer < stack.guard || stackPointer >= stack.high) {
        return false; // not a fiber: somebody else's fault
    }
    intercepted.address = reinterpret_cast<uintptr_t>(details->si_addr);
    if (signal == SIGFPE) {
        intercepted.kind = FaultKind::divisionByZero;
    } else if (intercepted.address >= stack.guard && intercepted.address < stack.low) {
        intercepted.kind = FaultKind::stackOverflow;
    } else if (details->si_code == SI_KERNEL) {
        intercepted.kind = FaultKind::misalignedAddress; // a general protection fault carries no address
    } else {
        intercepted.kind = FaultKind::illegalAddress;
    }
    registers[REG_RSP] = static_cast<greg_t>(((stack.high - 1024) & ~uintptr_t{15}) - 8);
    registers[REG_RIP] = reinterpret_cast<greg_t>(raiseIntercepted);
    return true;
}

} // namespace emulated
