// SPDX-License-Identifier: Apache-2.0
//
// Static objects of the emulator's libraries are never destroyed: when a JVM exits, its threads may still be in here.
//
// Constructors of static objects ask this function to have the destructor called at exit. It agrees and does nothing.

extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void*), void*, void*) {
    return 0;
}
