// SPDX-License-Identifier: Apache-2.0
//
// A process opens and closes the driver, twice, and then makes a mistake of its own: that is still its own handler's.
// A program by itself, because the other tests are linked to the driver, which is then never closed.

#include <dlfcn.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

static void ours(int) {
    _exit(0);
}

static bool openAndClose(const char* driver) {
    void* library = dlopen(driver, RTLD_NOW | RTLD_LOCAL);
    auto init = library == nullptr ? nullptr : reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
    return init != nullptr && init(0) == 0 && dlclose(library) == 0;
}

int main(int count, char** arguments) {
    signal(SIGSEGV, ours);
    alarm(20); // a handler that calls itself would never end
    for (int i = 0; i < 2; i++) {
        if (count < 2 || !openAndClose(arguments[1])) {
            printf("FAILED: the driver cannot be opened, initialized and closed\n");
            return 1;
        }
    }
    raise(SIGSEGV);
    printf("FAILED: the fault reached nobody\n");
    return 1;
}
