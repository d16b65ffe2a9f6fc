// SPDX-License-Identifier: Apache-2.0
//
// Atomic operations on device and shared memory. Blocks run on several OS threads, so they are atomic indeed.
#pragma once

#include "warp.h"

namespace emulated {

// The checked build must not take an atomic operation for a plain access that needs a barrier.
/** Replaces *address by update(*address); returns what was there. */
template <typename T, typename Update>
EMULATED_UNSANITIZED inline T atomically(T* address, Update update) {
    checkAtomicAccess(address, sizeof(T));
    T old, wanted;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    do {
        wanted = update(old);
    } while (!__atomic_compare_exchange(address, &old, &wanted, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return old;
}

/** Keeps template deduction to the first argument, so that atomicAdd(unsigned*, 1) works. */
template <typename T>
struct Same {
    using type = T;
};

} // namespace emulated

#define EMULATED_ATOMIC(name, expression)                                                 \
    template <typename T>                                                                 \
    static inline T name(T* address, typename emulated::Same<T>::type value) {            \
        return emulated::atomically(address, [value](T old) -> T { return expression; }); \
    }
EMULATED_ATOMIC(atomicAdd, old + value)
EMULATED_ATOMIC(atomicSub, old - value)
EMULATED_ATOMIC(atomicMin, (value < old ? value : old))
EMULATED_ATOMIC(atomicMax, (old < value ? value : old))
EMULATED_ATOMIC(atomicAnd, (old & value))
EMULATED_ATOMIC(atomicOr, (old | value))
EMULATED_ATOMIC(atomicXor, (old ^ value))
EMULATED_ATOMIC(atomicExch, (void(old), value))
EMULATED_ATOMIC(atomicInc, (old >= value ? 0 : old + 1))
EMULATED_ATOMIC(atomicDec, (old == 0 || old > value ? value : old - 1))
#undef EMULATED_ATOMIC

template <typename T>
EMULATED_UNSANITIZED static inline T atomicCAS(T* address, typename emulated::Same<T>::type expected,
                                               typename emulated::Same<T>::type value) {
    emulated::checkAtomicAccess(address, sizeof(T));
    T old = expected;
    __atomic_compare_exchange(address, &old, &value, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return old;
}
