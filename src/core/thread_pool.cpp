#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <sched.h>

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

// A share: 16 bits of job number, 24 of its first task, 24 of its end.
constexpr uint32_t most_tasks = (1u << 24) - 1;
constexpr uint64_t pack(uint64_t job, uint32_t begin, uint32_t end) {
    return job << 48 | uint64_t(begin) << 24 | end;
}
constexpr uint64_t job_of(uint64_t share) {
    return share >> 48;
}
constexpr uint32_t begin_of(uint64_t share) {
    return uint32_t(share >> 24) & most_tasks;
}
constexpr uint32_t end_of(uint64_t share) {
    return uint32_t(share) & most_tasks;
}

}  // namespace

ThreadPool::ThreadPool(uint32_t n_threads, std::vector<uint32_t> cores)
    : shares_(std::make_unique<Share[]>(std::max(n_threads, 1u))), cores_(std::move(cores)) {
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

void ThreadPool::keep_on_core(uint32_t worker) {
    if (worker >= cores_.size()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cores_[worker], &set);
    sched_setaffinity(0, sizeof set, &set);  // a core that is gone costs speed, nothing else
}

void ThreadPool::keep_caller_on_core() {
    if (cores_.empty()) return;
    thread_local const ThreadPool* kept_by = nullptr;
    if (std::exchange(kept_by, this) != this) keep_on_core(0);
}

/// The next task of the worker's own share; or no task, and which job's share it is that is done.
bool ThreadPool::next_task(uint32_t worker, uint32_t& task, uint64_t& job) {
    std::atomic<uint64_t>& own = shares_[worker].tasks;
    uint64_t share = own.load(std::memory_order_acquire);
    while (begin_of(share) < end_of(share))
        if (own.compare_exchange_weak(share, pack(job_of(share), begin_of(share) + 1, end_of(share)),
                                      std::memory_order_acquire)) {
            task = begin_of(share);
            return true;
        }
    job = job_of(share);
    return false;
}

/// Half of what another has left, its later tasks: the first of them, the others become the worker's share.
/// Only of the job whose share the worker has done: of the next one it may have a share by now, which it must
/// not write over.
bool ThreadPool::steal(uint32_t worker, uint32_t& task, uint64_t job) {
    for (uint32_t i = 1; i < size(); ++i) {
        std::atomic<uint64_t>& other = shares_[(worker + i) % size()].tasks;
        uint64_t share = other.load(std::memory_order_acquire);
        while (begin_of(share) < end_of(share) && job_of(share) == job) {
            const uint32_t half = begin_of(share) + (end_of(share) - begin_of(share)) / 2;
            if (!other.compare_exchange_weak(share, pack(job_of(share), begin_of(share), half),
                                             std::memory_order_acquire))
                continue;
            task = half;
            shares_[worker].tasks.store(pack(job_of(share), half + 1, end_of(share)),
                                        std::memory_order_release);
            return true;
        }
    }
    return false;
}

void ThreadPool::take_tasks(uint32_t worker) {
    uint32_t task;
    uint64_t job = 0;
    while (next_task(worker, task, job) || steal(worker, task, job)) {
        try {
            if (!failed_.load(std::memory_order_relaxed)) call_(fn_, task, worker);
        } catch (...) {
            std::lock_guard lock(error_mutex_);
            if (!error_) error_ = std::current_exception();
            failed_ = true;  // the tasks that are left are not started
        }
        done_.fetch_add(1, std::memory_order_release);
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
    ++job_;
    for (uint32_t i = 0; i < size(); ++i)
        shares_[i].tasks.store(pack(job_, uint32_t(uint64_t(n_tasks) * i / size()),
                                    uint32_t(uint64_t(n_tasks) * (i + 1) / size())),
                               std::memory_order_release);
    {
        std::lock_guard lock(
            sleep_mutex_);  // so that a worker cannot fall asleep between its check and our notice
        generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    keep_caller_on_core();
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
    keep_on_core(worker);
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
