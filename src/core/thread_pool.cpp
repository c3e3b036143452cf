#include "core/thread_pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice {

namespace {

// Long enough to bridge the gaps inside a token (a norm on one core, the sampler), short enough that a chat
// that waits for its user does not heat the room.
constexpr auto spin_time = std::chrono::microseconds(100);

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(uint32_t n_threads) {
    for (uint32_t i = 1; i < n_threads; ++i) workers_.emplace_back([this, i] { worker_main(i); });
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(sleep_mutex_);
        stop_ = true;
        generation_.fetch_add(1);
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
}

void ThreadPool::take_tasks(uint32_t worker) {
    try {
        for (;;) {
            const uint32_t task = next_task_.fetch_add(1, std::memory_order_relaxed);
            if (task >= n_tasks_) return;
            call_(fn_, task, worker);
        }
    } catch (...) {
        std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
        next_task_.store(n_tasks_, std::memory_order_relaxed);  // nobody starts another task
    }
}

void ThreadPool::dispatch(uint32_t n_tasks, Call call, const void* fn) {
    if (n_tasks == 0) return;
    if (workers_.empty() || n_tasks == 1) {
        for (uint32_t task = 0; task < n_tasks; ++task) call(fn, task, 0);
        return;
    }
    n_tasks_ = n_tasks;
    call_ = call;
    fn_ = fn;
    error_ = nullptr;
    next_task_.store(0, std::memory_order_relaxed);
    running_.store(uint32_t(workers_.size()), std::memory_order_relaxed);
    {
        std::lock_guard lock(
            sleep_mutex_);  // so that a worker cannot fall asleep between its check and our notice
        generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take_tasks(0);
    for (uint32_t spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
        if (spins < 4096)
            relax();
        else
            std::this_thread::yield();  // more threads than cores: let them run
    }
    if (error_) std::rethrow_exception(error_);
}

void ThreadPool::worker_main(uint32_t worker) {
    uint64_t seen = 0;
    for (;;) {
        const auto until = std::chrono::steady_clock::now() + spin_time;
        while (generation_.load(std::memory_order_acquire) == seen) {
            for (int i = 0; i < 64 && generation_.load(std::memory_order_relaxed) == seen; ++i) relax();
            if (std::chrono::steady_clock::now() < until) continue;
            std::unique_lock lock(sleep_mutex_);
            wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
        }
        seen = generation_.load(std::memory_order_acquire);
        if (stop_) return;
        take_tasks(worker);
        running_.fetch_sub(1, std::memory_order_release);
    }
}

}  // namespace sluice
