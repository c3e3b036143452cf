#include "core/thread_pool.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>

#include "core/machine.h"

namespace sluice {
namespace {

TEST(ThreadPool, RunsEachTaskOnceForAnyNumberOfThreads) {
    for (const uint32_t threads : {1u, 2u, 5u}) {
        ThreadPool pool(threads);
        EXPECT_EQ(pool.size(), threads);
        for (const uint32_t n : {0u, 1u, 2u, 7u, 1000u}) {
            std::vector<std::atomic<int>> count(n);
            std::atomic<bool> worker_in_range{true};
            pool.run(n, [&](uint32_t task, uint32_t worker) {
                ++count[task];
                if (worker >= threads) worker_in_range = false;
            });
            for (const auto& c : count) EXPECT_EQ(c, 1);
            EXPECT_TRUE(worker_in_range);
        }
    }
}

TEST(ThreadPool, ManyShortJobsNeverLoseATask) {
    ThreadPool pool(3);
    uint64_t expected = 0;
    std::atomic<uint64_t> sum{0};
    for (uint32_t job = 0; job < 5000; ++job) {
        pool.run(4, [&](uint32_t task, uint32_t) { sum += task + job; });
        expected += 6 + 4 * job;
    }
    EXPECT_EQ(sum, expected);
}

TEST(ThreadPool, WhoIsDoneTakesFromWhoIsNot) {
    ThreadPool pool(3);
    std::atomic<uint32_t> done{0};
    std::atomic<bool> others_did_the_rest{true};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    pool.run(300, [&](uint32_t task, uint32_t) {
        while (task == 0 && done < 299) {  // its share has 99 more
            if (std::chrono::steady_clock::now() > deadline) {
                others_did_the_rest = false;
                break;
            }
            std::this_thread::yield();
        }
        ++done;
    });
    EXPECT_TRUE(others_did_the_rest);
}

TEST(ThreadPool, UnevenJobsOfManyThreadsLoseNoTask) {
    ThreadPool pool(7);  // more than cores, so that some come late
    std::atomic<uint32_t> spent{0};
    for (uint32_t job = 0; job < 1000; ++job) {
        const uint32_t n = 2 + job % 40;
        std::vector<std::atomic<int>> count(n);
        pool.run(n, [&](uint32_t task, uint32_t) {
            for (uint32_t i = 0; i < task % 7 * 20; ++i) spent.fetch_add(1, std::memory_order_relaxed);
            ++count[task];
        });
        for (uint32_t i = 0; i < n; ++i) ASSERT_EQ(count[i], 1) << "job " << job << ", task " << i;
    }
}

TEST(ThreadPool, KeepsItsThreadsOnTheirCores) {
    const std::vector<uint32_t> cores = available_cores();
    std::thread([&] {  // its affinity ends with it
        ThreadPool pool(uint32_t(cores.size()), cores);
        std::vector<std::atomic<uint32_t>> on(cores.size());
        std::atomic<uint32_t> arrived{0};
        pool.run(pool.size(), [&](uint32_t, uint32_t worker) {
            on[worker] = uint32_t(sched_getcpu());
            for (++arrived; arrived < cores.size();) std::this_thread::yield();
        });
        for (size_t i = 0; i < cores.size(); ++i) EXPECT_EQ(on[i], cores[i]);
    })
        .join();
}

TEST(ThreadPool, AnExceptionReachesTheCallerAndThePoolGoesOn) {
    ThreadPool pool(2);
    EXPECT_THROW(pool.run(100,
                          [](uint32_t task, uint32_t) {
                              if (task == 50) throw std::runtime_error("task 50");
                          }),
                 std::runtime_error);
    std::atomic<int> n{0};
    pool.run(10, [&](uint32_t, uint32_t) { ++n; });
    EXPECT_EQ(n, 10);
}

TEST(ThreadPool, IdleThreadsUseNoProcessorTime) {
    ThreadPool pool(2);
    pool.run(2, [](uint32_t, uint32_t) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::clock_t before = std::clock();  // processor time of all threads
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_LT(double(std::clock() - before) / CLOCKS_PER_SEC, 0.05);
}

}  // namespace
}  // namespace sluice
