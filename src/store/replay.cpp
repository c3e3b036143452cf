#include "store/replay.h"

#include <algorithm>
#include <deque>
#include <set>

namespace sluice {

namespace {

/// Keys as the expert cache numbers them: layer by layer.
std::vector<ExpertKey> first_keys(const RouteTrace& trace) {
    std::vector<ExpertKey> first = {0};
    for (const TraceLayer& l : trace.layers) first.push_back(first.back() + l.experts);
    return first;
}

/// What both simulations share: who is here, and the counts.
class Simulation {
  public:
    Simulation(const RouteTrace& trace, uint32_t slots, size_t warm_up)
        : trace_(trace), first_(first_keys(trace)), here_(first_.back(), false), warm_up_(warm_up) {
        result_.slots = slots;
    }
    ExpertKey key(uint32_t layer, uint32_t expert) const { return first_[layer] + expert; }
    uint32_t n_keys() const { return first_.back(); }
    bool here(ExpertKey k) const { return here_[k]; }
    bool full() const { return n_here_ == result_.slots; }
    void enter(ExpertKey k) { here_[k] = true, ++n_here_; }
    void leave(ExpertKey k) { here_[k] = false, --n_here_; }
    void count(size_t access, bool hit) {
        if (access < warm_up_) return;
        ++(hit ? result_.hits : result_.misses);
        if (!hit) result_.bytes_read += trace_.layers[trace_.accesses[access].layer].bytes;
    }
    const ReplayResult& result() const { return result_; }

  private:
    const RouteTrace& trace_;
    std::vector<ExpertKey> first_;
    std::vector<bool> here_;
    size_t warm_up_;
    uint32_t n_here_ = 0;
    ReplayResult result_;
};

}  // namespace

uint32_t slots_of(const RouteTrace& trace, uint64_t bytes) {
    uint64_t n = 0;
    for (const TraceLayer& l : trace.layers) n += l.experts;
    const double share = std::min(1.0, double(bytes) / double(trace.all_bytes()));
    return uint32_t(std::max(1.0, share * double(n)));
}

ReplayResult replay(const RouteTrace& trace, CachePolicy kind, uint32_t slots, size_t warm_up) {
    Simulation s(trace, slots, warm_up);
    const auto policy = make_policy(kind, s.n_keys(), slots);
    std::deque<ExpertKey> pinned;
    for (size_t a = 0; a < trace.accesses.size(); ++a) {
        const auto experts = trace.experts_of(a);
        std::vector<ExpertKey> missing;
        for (const uint32_t e : experts) policy->demand(s.key(trace.accesses[a].layer, e));
        for (const uint32_t e : experts) {
            const ExpertKey k = s.key(trace.accesses[a].layer, e);
            s.count(a, s.here(k));
            if (s.here(k))
                policy->remove(k), pinned.push_back(k);
            else
                missing.push_back(k);
        }
        for (const ExpertKey k : missing) {
            if (s.full()) {
                auto victim = policy->victim();
                if (!victim) {  // all in use: the first that was computed makes way
                    policy->add(pinned.front(), true);
                    pinned.pop_front();
                    victim = policy->victim();
                }
                policy->remove(*victim);
                policy->evicted(*victim);
                s.leave(*victim);
            }
            s.enter(k);
            pinned.push_back(k);
        }
        for (const ExpertKey k : pinned) policy->add(k, true);
        pinned.clear();
    }
    return s.result();
}

ReplayResult replay_optimum(const RouteTrace& trace, uint32_t slots, size_t warm_up) {
    Simulation s(trace, slots, warm_up);
    // next[i]: the access at which the expert of entry i is asked for again.
    std::vector<uint64_t> next(trace.experts.size()), last(s.n_keys(), UINT64_MAX);
    for (size_t a = trace.accesses.size(); a-- > 0;) {
        const auto experts = trace.experts_of(a);
        for (size_t i = 0; i < experts.size(); ++i) {
            const ExpertKey k = s.key(trace.accesses[a].layer, experts[i]);
            next[trace.accesses[a].first + i] = last[k];
            last[k] = a;
        }
    }
    std::set<std::pair<uint64_t, ExpertKey>> by_next_use;  // of those that are here
    std::vector<uint64_t> next_of(s.n_keys(), UINT64_MAX);
    for (size_t a = 0; a < trace.accesses.size(); ++a) {
        const auto experts = trace.experts_of(a);
        std::vector<ExpertKey> pinned, missing;
        for (size_t i = 0; i < experts.size(); ++i) {
            const ExpertKey k = s.key(trace.accesses[a].layer, experts[i]);
            s.count(a, s.here(k));
            if (s.here(k)) by_next_use.erase({next_of[k], k});
            (s.here(k) ? pinned : missing).push_back(k);
            next_of[k] = next[trace.accesses[a].first + i];
        }
        size_t released = 0;
        for (const ExpertKey k : missing) {
            if (s.full()) {
                if (by_next_use.empty()) {
                    by_next_use.insert({next_of[pinned[released]], pinned[released]});
                    ++released;
                }
                const auto farthest = std::prev(by_next_use.end());
                s.leave(farthest->second);
                by_next_use.erase(farthest);
            }
            s.enter(k);
            pinned.push_back(k);
        }
        for (size_t i = released; i < pinned.size(); ++i) by_next_use.insert({next_of[pinned[i]], pinned[i]});
    }
    return s.result();
}

}  // namespace sluice
