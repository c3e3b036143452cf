#include "core/thread_pool.h"

#include <chrono>

#include "sluice/error.h"

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

// A ticket: 16 bits of job number, 24 of tasks, 24 of the next task.
constexpr uint32_t most_tasks = (1u << 24) - 1;
constexpr uint32_t next_of(uint64_t ticket) {
    return uint32_t(ticket) & most_tasks;
}
constexpr uint32_t tasks_of(uint64_t ticket) {
    return uint32_t(ticket >> 24) & most_tasks;
}
constexpr uint64_t next_ticket(uint64_t last, uint32_t n_tasks) {
    return ((last >> 48) + 1) << 48 | uint64_t(n_tasks) << 24;
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
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    while (next_of(ticket) < tasks_of(ticket)) {
        if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acquire)) continue;
        try {
            if (!failed_.load(std::memory_order_relaxed)) call_(fn_, next_of(ticket), worker);
        } catch (...) {
            std::lock_guard lock(error_mutex_);
            if (!error_) error_ = std::current_exception();
            failed_ = true;  // the tasks that are left are not started
        }
        done_.fetch_add(1, std::memory_order_release);
        ticket = ticket_.load(std::memory_order_acquire);
    }
}

void ThreadPool::dispatch(uint32_t n_tasks, Call call, const void* fn) {
    if (n_tasks == 0) return;
    if (workers_.empty() || n_tasks == 1) {
        for (uint32_t task = 0; task < n_tasks; ++task) call(fn, task, 0);
        return;
    }
    if (n_tasks > most_tasks) throw Error(ErrorCode::internal, "a job of the thread pool has too many tasks");
    call_ = call;
    fn_ = fn;
    error_ = nullptr;
    failed_ = false;
    done_.store(0, std::memory_order_relaxed);
    ticket_.store(next_ticket(ticket_.load(std::memory_order_relaxed), n_tasks), std::memory_order_release);
    {
        std::lock_guard lock(
            sleep_mutex_);  // so that a worker cannot fall asleep between its check and our notice
        generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take_tasks(0);
    for (uint32_t spins = 0; done_.load(std::memory_order_acquire) != n_tasks; ++spins) {
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
    }
}

}  // namespace sluice
