// The one way to a forward pass. Whoever has tokens to feed hands them in and waits; what comes in while a
// pass runs is computed together in the next one, so that the sequences of several threads share each reading
// of the weights. There is no thread of its own: one of those who wait computes for all.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

#include "sluice/engine.h"

#include "model/batch.h"

namespace sluice {

/// Tokens to add to a sequence, and what is wanted of them.
struct Feed {
    Segment segment{};
    std::vector<float>* logits = nullptr;  // those wanted are appended
};

class Passes {
  public:
    explicit Passes(Engine::Impl& engine) : engine_(engine) {}
    Passes(const Passes&) = delete;
    Passes& operator=(const Passes&) = delete;

    /// Computes all feeds in one pass; returns what that pass cost (the tokens are those of these feeds, the
    /// reads and the time are shared with whoever came along). Throws what the pass throws; the caches then
    /// hold what they held before. `cancel` stops the pass if nobody came along, else it has no effect on it.
    StepStats run(std::span<const Feed> feeds, const std::atomic<bool>* cancel = nullptr);

  private:
    struct Group {
        std::span<const Feed> feeds;
        const std::atomic<bool>* cancel;
        uint32_t tokens;
        bool done = false;
        StepStats stats{};
        std::exception_ptr error{};
    };
    void check(const Feed& feed) const;
    std::vector<Group*> take_groups();
    void compute(std::span<Group* const> groups);
    StepStats forward(std::span<Group* const> groups);

    Engine::Impl& engine_;
    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::deque<Group*> waiting_;
    bool computing_ = false;
};

}  // namespace sluice
