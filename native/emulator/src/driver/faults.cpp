// SPDX-License-Identifier: Apache-2.0
//
// Faults are named on stderr, remembered, and turned into the CUresult that a real device would give.

#include <atomic>
#include <cstdarg>
#include <cstdio>

#include "driver.h"

namespace emulated {

namespace {

std::atomic<int> last{0};
std::atomic<size_t> count{0};

const char* nameOf(FaultKind kind) {
    switch (kind) {
        case FaultKind::illegalAddress:
            return "illegal address";
        case FaultKind::divergence:
            return "divergent barrier or warp operation";
        case FaultKind::sharedOverrun:
            return "shared memory overrun";
        case FaultKind::sharedRace:
            return "race on shared memory";
        case FaultKind::useAfterFree:
            return "use after free";
        case FaultKind::invalidFree:
            return "invalid free";
        case FaultKind::outOfMemory:
            return "out of memory";
        case FaultKind::copyOutOfBounds:
            return "copy out of bounds";
        case FaultKind::gemmOutOfBounds:
            return "GEMM operand out of bounds";
        case FaultKind::misalignedAddress:
            return "misaligned address";
        case FaultKind::trap:
            return "trap";
        case FaultKind::divisionByZero:
            return "division by zero";
        case FaultKind::stackOverflow:
            return "stack overflow";
        case FaultKind::invalidLaunch:
            return "invalid launch";
        case FaultKind::overwrittenGuard:
            return "written past an allocation";
        case FaultKind::injected:
            return "injected failure";
        case FaultKind::invalidCapture:
            return "invalid capture";
        default:
            return "no fault";
    }
}

} // namespace

int lastFaultKind() {
    return last;
}
size_t faultsSoFar() {
    return count;
}
void forgetFault() {
    last = 0;
}

int resultOf(FaultKind kind) {
    switch (kind) {
        case FaultKind::none:
            return SUCCESS;
        case FaultKind::illegalAddress:
        case FaultKind::useAfterFree:
        case FaultKind::gemmOutOfBounds:
        case FaultKind::overwrittenGuard:
            return ILLEGAL_ADDRESS;
        case FaultKind::misalignedAddress:
            return MISALIGNED_ADDRESS;
        case FaultKind::outOfMemory:
            return OUT_OF_MEMORY;
        case FaultKind::copyOutOfBounds:
        case FaultKind::invalidFree:
        case FaultKind::invalidLaunch:
            return INVALID_VALUE;
        default:
            return LAUNCH_FAILED;
    }
}

bool isSticky(int result) {
    return result == ILLEGAL_ADDRESS || result == MISALIGNED_ADDRESS ||
           (result >= 702 && result <= 719 && result != 704 && result != 705 && result != 708 && result != 712 &&
            result != 713);
}

int report(FaultKind kind, const char* format, ...) {
    char message[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    last = static_cast<int>(kind);
    count++;
    fprintf(stderr, "[embed4j emulator] %s: %s\n", nameOf(kind), message);
    return resultOf(kind);
}

} // namespace emulated
