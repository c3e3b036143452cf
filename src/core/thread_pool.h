// Fork-join over a fixed set of threads: run(n, fn) calls fn(task, worker) once for each task in [0, n) and
// returns when all are done. Which worker runs a task must never matter to the result (promise 1: thread
// count never decides tokens).
//
// Each worker begins with a share of tasks that follow each other, and so, mostly, of memory that does. Who
// has done its share takes half of what another has left: a slow core, or one that the system gave to
// somebody else, delays the job by one task at most.
//
// Workers spin for some microseconds after a job, because a forward pass is a row of short jobs, then sleep:
// an idle engine costs no CPU. A job ends when its tasks are done, not when every worker has looked at it: on
// a busy machine a worker that gets no core delays nothing. run() is for one caller at a time; exceptions
// from fn are rethrown in it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sluice {

class ThreadPool {
  public:
    /// n_threads counts the caller: a pool of 1 starts none. cores: the CPU that worker i is kept on, the
    /// caller of run() included; empty: wherever the system likes.
    explicit ThreadPool(uint32_t n_threads, std::vector<uint32_t> cores = {});
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    uint32_t size() const { return uint32_t(workers_.size()) + 1; }

    /// worker is in [0, size()); the caller is worker 0. Not reentrant.
    template <typename Fn>
    void run(uint32_t n_tasks, const Fn& fn) {
        dispatch(
            n_tasks,
            [](const void* f, uint32_t task, uint32_t worker) { (*static_cast<const Fn*>(f))(task, worker); },
            &fn);
    }

  private:
    using Call = void (*)(const void* fn, uint32_t task, uint32_t worker);
    void dispatch(uint32_t n_tasks, Call call, const void* fn);
    void take_tasks(uint32_t worker);
    bool next_task(uint32_t worker, uint32_t& task, uint64_t& job);
    bool steal(uint32_t worker, uint32_t& task, uint64_t job);
    void worker_main(uint32_t worker);
    void keep_on_core(uint32_t worker);
    void keep_caller_on_core();

    // One job at a time. A share packs (job number, tasks [begin, end) that nobody has taken): whoever
    // changes it has a task of the present job, whose fields below stay as they are until that task is done.
    struct alignas(64) Share {
        std::atomic<uint64_t> tasks{0};
    };
    std::unique_ptr<Share[]> shares_;
    uint16_t job_ = 0;
    alignas(64) std::atomic<uint32_t> done_{0};
    Call call_ = nullptr;
    const void* fn_ = nullptr;
    std::atomic<bool> failed_{false};
    std::exception_ptr error_;
    std::mutex error_mutex_;

    std::atomic<uint64_t> generation_{0};  // changes with each job: what idle workers watch
    std::atomic<bool> stop_{false};
    std::mutex sleep_mutex_;
    std::condition_variable wake_;
    const std::vector<uint32_t> cores_;
    std::vector<std::thread> workers_;
};

}  // namespace sluice
