// SPDX-License-Identifier: Apache-2.0
//
// Helper threads that share one piece of work at a time with the thread that brings it.
//
// Whoever finds the helpers busy works alone: with many host threads the cores are busy anyway.

#include <condition_variable>
#include <csignal>
#include <thread>

#include "driver.h"

namespace emulated {

namespace {

class Helpers {
public:
    explicit Helpers(unsigned count) {
        for (unsigned i = 0; i < count; i++) {
            threads.emplace_back([this] { serve(); });
            threads.back().detach(); // they live as long as the process
        }
    }

    void run(unsigned wanted, const std::function<void()>& body) {
        std::unique_lock<std::mutex> mine(busy, std::try_to_lock);
        if (!mine.owns_lock() || threads.empty()) {
            body();
            return;
        }
        {
            std::lock_guard<std::mutex> guard(lock);
            work = &body;
            places = std::min<unsigned>(wanted, threads.size());
        }
        called.notify_all();
        body();
        std::unique_lock<std::mutex> guard(lock);
        places = 0; // who has not come by now need not come
        finished.wait(guard, [this] { return working == 0; });
        work = nullptr;
    }

private:
    void serve() {
        sigset_t all;
        sigfillset(&all); // signals for the process are for its other threads
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGBUS);
        sigdelset(&all, SIGFPE);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
        std::unique_lock<std::mutex> guard(lock);
        for (;;) {
            called.wait(guard, [this] { return places > 0; });
            places--;
            working++;
            const std::function<void()>* mine = work;
            guard.unlock();
            (*mine)();
            guard.lock();
            if (--working == 0) {
                finished.notify_one();
            }
        }
    }

    std::mutex busy, lock;
    std::condition_variable called, finished;
    std::vector<std::thread> threads;
    const std::function<void()>* work = nullptr;
    unsigned places = 0, working = 0;
};

} // namespace

void runTogether(unsigned helpers, const std::function<void()>& body) {
    if (helpers == 0 || settings.threads < 2) {
        body();
        return;
    }
    static Helpers* all = new Helpers(settings.threads - 1); // never destroyed: threads may outlive main
    all->run(helpers, body);
}

} // namespace emulated
