// SPDX-License-Identifier: Apache-2.0
//
// Runs the emulator's tests: all, or those whose name contains the argument.

#include <map>

#include "device_api.h"

int failures;

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

void* kernel(const char* name) {
    static std::vector<void*> modules;
    static std::map<std::string, void*> known;
    if (modules.empty()) {
        for (const char* path : {"build/tests/good.so", "build/tests/bad.so"}) {
            void* module = nullptr;
            OK(cuModuleLoad(&module, path));
            modules.push_back(module);
        }
    }
    void*& function = known[name];
    for (size_t i = 0; function == nullptr && i < modules.size(); i++) {
        cuModuleGetFunction(&function, modules[i], name);
    }
    if (function == nullptr) {
        printf("  no kernel %s\n", name);
        failures++;
    }
    return function;
}

int main(int count, char** arguments) {
    void* context = nullptr;
    OK(cuInit(0));
    OK(cuDevicePrimaryCtxRetain(&context, 0));
    OK(cuCtxSetCurrent(context));
    int run = 0;
    for (const Test& test : tests()) {
        if (count > 1 && strstr(test.name, arguments[1]) == nullptr) {
            continue;
        }
        const int before = failures;
        const size_t live = limit(liveAllocations);
        test.body();
        for (const int which : {sticky, deferred, seed, checks, failCall, failAllocation}) {
            cuCtxSetLimit(which, 0);
        }
        EXPECT_EQUAL(live, limit(liveAllocations));
        printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
        run++;
    }
    printf("%d tests, %d failed expectations\n", run, failures);
    return failures == 0 && run > 0 ? 0 : 1;
}
