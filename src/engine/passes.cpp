#include "engine/passes.h"

#include <chrono>

#include "core/fail.h"
#include "engine/impl.h"

namespace sluice {

/// A feed that cannot be computed must not spoil the pass of its neighbours.
void Passes::check(const Feed& feed) const {
    const Segment& s = feed.segment;
    for (const TokenId token : s.tokens)
        if (token < 0 || uint32_t(token) >= engine_.params.n_vocab)
            fail(ErrorCode::invalid_argument, "expected token ids from 0 to {}, found {}",
                 engine_.params.n_vocab - 1, token);
    s.cache->reserve(uint32_t(s.cache->size() + s.tokens.size()));
}

StepStats Passes::run(std::span<const Feed> feeds, const std::atomic<bool>* cancel) {
    Group mine{feeds, cancel, 0};
    for (const Feed& feed : feeds) {
        check(feed);
        mine.tokens += uint32_t(feed.segment.tokens.size());
    }
    if (mine.tokens == 0) return {};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&mine);
    while (!mine.done) {
        if (computing_) {
            changed_.wait(lock);
            continue;
        }
        computing_ = true;
        const std::vector<Group*> groups = take_groups();
        lock.unlock();
        compute(groups);
        lock.lock();
        for (Group* group : groups) group->done = true;
        computing_ = false;
        changed_.notify_all();
    }
    lock.unlock();
    if (mine.error) std::rethrow_exception(mine.error);
    return mine.stats;
}

/// In the order they came, as many as a batch holds.
std::vector<Passes::Group*> Passes::take_groups() {
    std::vector<Group*> groups;
    uint32_t tokens = 0;
    while (!waiting_.empty() && (groups.empty() || tokens + waiting_.front()->tokens <= engine_.info.batch)) {
        tokens += waiting_.front()->tokens;
        groups.push_back(waiting_.front());
        waiting_.pop_front();
    }
    return groups;
}

void Passes::compute(std::span<Group* const> groups) {
    try {
        const StepStats stats = forward(groups);
        for (Group* group : groups) {
            group->stats = stats;
            group->stats.tokens = group->tokens;
        }
    } catch (...) {
        for (Group* group : groups) group->error = std::current_exception();
    }
}

StepStats Passes::forward(std::span<Group* const> groups) {
    std::vector<Segment> segments;
    for (const Group* group : groups)
        for (const Feed& feed : group->feeds) segments.push_back(feed.segment);
    StepStats step;
    const StreamStats before = engine_.stream_stats();
    const auto begin = std::chrono::steady_clock::now();
    auto logits =
        engine_.transformer->forward(segments, groups.size() == 1 ? groups.front()->cancel : nullptr);
    for (const Group* group : groups)
        for (const Feed& feed : group->feeds) {
            const uint64_t rows = feed.segment.logits == WantLogits::all    ? feed.segment.tokens.size()
                                  : feed.segment.logits == WantLogits::last ? 1
                                                                            : 0;
            const auto own = logits.first(rows * engine_.params.n_vocab);
            if (feed.logits) feed.logits->insert(feed.logits->end(), own.begin(), own.end());
            logits = logits.subspan(own.size());
        }
    step.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    step.stream = engine_.stream_stats() - before;
    engine_.store->saw_rate(step.stream.bytes_read, step.stream.read_seconds);
    engine_.scratch_bytes = engine_.transformer->scratch_bytes();
    return step;
}

}  // namespace sluice
