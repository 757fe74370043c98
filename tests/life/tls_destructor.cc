// SPDX-License-Identifier: MIT
//
// C++ thread_local objects whose destructors allocate and free, in threads and in main, with blocks
// that go from one thread's destructor to another's.

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "life.h"
}

namespace {

std::atomic<void *> passed_on{nullptr};
std::atomic<unsigned> ended{0};

class keeper {
  public:
    void keep(unsigned seed) {
        for (unsigned i = 0; i < 50; i++)
            texts.emplace_back(i * 40 + seed % 40, static_cast<char>('a' + i % 26));
    }

    // Allocates while the thread is on its way out, and leaves one block to the next thread.
    ~keeper() {
        std::vector<std::string> copy(texts);
        for (std::size_t i = 0; i < copy.size(); i++)
            if (copy[i].find_first_not_of(static_cast<char>('a' + i % 26)) != std::string::npos)
                life_fail("a string changed");
        auto large = std::make_unique<char[]>(200000);
        std::memset(large.get(), 1, 200000);
        life_give(passed_on.exchange(life_take(3000, static_cast<uint32_t>(copy.size()))));
        ended++;
    }

  private:
    std::vector<std::string> texts;
};

thread_local keeper first;
thread_local keeper second; // destroyed before `first`

} // namespace

int main() {
    life_start(120);
    first.keep(0); // main's own are destroyed in exit
    unsigned threads = 0;
    for (unsigned round = 0; round < 100; round++) {
        std::vector<std::thread> running;
        for (unsigned i = 0; i < 8; i++, threads++)
            running.emplace_back([threads] {
                first.keep(threads);
                second.keep(threads + 1);
            });
        for (auto &thread : running) thread.join();
    }
    life_say("%u threads, %u objects destroyed", threads, ended.load());
    return ended != 2 * threads;
}
