// Continuous batching: requests of many askers share the forward passes of one engine. They join and leave at
// every step; a step computes one token of every answer in progress and a part of the prompts that wait to be
// read, so that a long prompt delays the others' next tokens by a bounded time. Each request has its own
// sampler and KV cache: its answer is bit for bit the one it gets alone.
//
// Beginnings of prompts that were computed before (by any request) are taken from a PrefixCache. The KV
// memory of both together stays within `parallel` contexts.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "sluice/engine.h"

#include "engine/generation.h"
#include "engine/kv_disk.h"
#include "engine/passes.h"
#include "engine/prefix_cache.h"

namespace sluice {

struct SchedulerOptions {
    uint32_t parallel = 4;         // requests computed at once
    uint32_t queue = 64;           // that may wait
    uint32_t prefill_chunk = 128;  // prompt tokens in a step that others' answers wait for
    uint32_t context = 0;          // tokens a request may have; 0: the engine's
    KvType kv_type = KvType::f16;
    std::string kv_disk{};       // a folder where KV pages outlive the process; empty: none
    uint64_t kv_disk_bytes = 0;  // that it may take
    std::chrono::milliseconds kv_disk_retry = std::chrono::seconds(5);  // after it could not be written
};

/// What a request did and cost; the last event of its life unless it failed.
struct RequestDone {
    StopReason reason = StopReason::end_token;
    std::string text{};       // the last of it
    std::string stop_text{};  // that ended it
    uint64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
    double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
    std::vector<float> embedding{};  // if it was asked for
};
struct RequestProgress {
    uint64_t processed = 0, total = 0;  // prompt tokens
};
struct RequestWaiting {
    uint64_t before = 0;  // requests that came earlier and wait too
};
struct RequestFailed {
    ErrorCode code;
    std::string sentence;
};
using RequestEvent =
    std::variant<RequestWaiting, RequestProgress, Generation::Step, RequestDone, RequestFailed>;

struct Request {
    std::vector<TokenId> prompt{};
    GenerateOptions options{};
    bool embed = false;    // no answer: the mean of the last hidden states, of length 1
    std::string id{};      // for status()
    std::string key{};     // who asks: askers take turns
    int32_t priority = 0;  // higher ones go first, whoever asks
    /// Called by the scheduler's thread, never by two at once; it must not block. An exception cancels the
    /// request.
    std::function<void(const RequestEvent&)> on_event{};
};

/// A request that runs or waits.
struct RequestStatus {
    enum class State { queued, prefill, decode };
    std::string id{};
    State state = State::queued;
    uint64_t prompt_tokens = 0, processed = 0, generated = 0;
    double decode_seconds = 0;
};

struct SchedulerStats {
    uint64_t waiting = 0, reading = 0, answering = 0;  // now
    uint64_t finished = 0, cancelled = 0, failed = 0, refused = 0;
    uint64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
    uint64_t steps = 0;
    double step_seconds = 0;
    // Steps in which answers were computed: their number, time in forward passes, of it waiting for the
    // drive, and from one such step to the next.
    uint64_t decode_steps = 0;
    double decode_step_seconds = 0, decode_wait_seconds = 0, decode_busy_seconds = 0;
    uint64_t kv_bytes_used = 0, kv_bytes_cached = 0,
             kv_bytes_limit = 0;  // by requests; for later ones; at most
    StreamStats stream{};
    KvDiskStats kv_disk{};
};

class Scheduler {
  public:
    class Job;
    /// Refers to a request that was submitted. cancel() makes it end with StopReason::cancelled, within a
    /// step.
    class Ticket {
      public:
        Ticket() = default;
        void cancel() const noexcept {
            if (cancelled_) *cancelled_ = true;
        }

      private:
        friend class Scheduler;
        explicit Ticket(std::shared_ptr<std::atomic<bool>> cancelled) : cancelled_(std::move(cancelled)) {}
        std::shared_ptr<std::atomic<bool>> cancelled_{};
    };

    Scheduler(const Engine& engine, const SchedulerOptions& options);
    /// Cancels what is left.
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    /// From any thread. Throws busy if the queue is full, out_of_budget or invalid_argument for a request
    /// that cannot be answered; else events follow, a RequestDone or RequestFailed as the last.
    Ticket submit(Request request);
    /// The same for several that belong together (all or none): the answers of one prompt.
    std::vector<Ticket> submit(std::vector<Request> requests);
    SchedulerStats stats() const;
    /// What runs, then what waits, in the order of arrival.
    std::vector<RequestStatus> status() const;
    /// What happened since the last call that a user should know: KV pages cannot be written, or can again.
    std::vector<std::string> take_notices();
    /// Nothing runs and nothing waits.
    bool idle() const;
    uint32_t context() const { return context_; }
    const SchedulerOptions& options() const { return options_; }

  private:
    void main();
    void cancel_waiting();
    void tell_waiting();
    void count_step(const StepStats& cost, bool decoding);
    void admit();
    bool next_waiting(size_t& index) const;
    bool will_share_more(const Job& job) const;
    void start(std::unique_ptr<Job> job);
    void restore();
    void restore(Job& job, uint64_t& room);
    void keep(Job& job, uint32_t full_pages);
    void step();
    std::vector<Feed> plan(std::vector<Job*>& jobs);
    void add_prefill(std::vector<Feed>& feeds, std::vector<Job*>& jobs);
    bool add_feed(Job& job, std::span<const TokenId> tokens, std::vector<Feed>& feeds,
                  std::vector<Job*>& jobs);
    void make_room(uint64_t pages);
    void after_step(Job& job, uint32_t tokens);
    void answer(Job& job);
    void finish(Job& job, StopReason reason, std::string text);
    void fail(Job& job, ErrorCode code, const std::string& sentence);
    void release(Job& job);
    void tell(Job& job, const RequestEvent& event);
    void check(const Request& request) const;
    void drop_ended();
    void publish();

    Engine engine_;
    SchedulerOptions options_;
    uint32_t context_;
    uint64_t page_limit_;

    // The scheduler's thread alone:
    std::vector<std::unique_ptr<Job>> active_;
    PrefixCache prefixes_;
    std::unique_ptr<KvDisk> disk_;               // may be none
    std::map<std::string, uint64_t> last_turn_;  // of each asker
    uint64_t turns_ = 0;
    std::chrono::steady_clock::time_point last_decode_{};  // of steps in a row
    size_t first_to_read_ = 0;                             // whose prompt is next

    mutable std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::vector<std::unique_ptr<Job>> waiting_;  // in order of arrival
    SchedulerStats stats_;
    std::vector<RequestStatus> running_;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace sluice
