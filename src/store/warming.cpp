// Warming: what the user's earlier work asked for most is read before it is asked for, while the user types.
// It costs a forward pass nothing: its first lease pauses it, and the reads that have not begun are dropped
// and wait in the list again.
#include <algorithm>
#include <cassert>
#include <cerrno>

#include "store/expert_cache.h"

namespace sluice {

namespace {

/// Enough to keep the few idle reads in flight that the reader allows; few, so that little is dropped when
/// the router asks.
constexpr uint32_t most_warm_in_flight = 4;

}  // namespace

void ExpertCache::warm(const std::vector<uint32_t>& demands) {
    std::vector<ExpertKey> keys;
    for (ExpertKey key = 0; key < n_keys_; ++key)
        if (demands[key] > 0) keys.push_back(key);
    // Of equally used ones each layer gets its turn: a pass is as slow as its coldest layer.
    const auto in_layer = [&](ExpertKey key) { return key - first_key_[layer_of(key)]; };
    std::stable_sort(keys.begin(), keys.end(), [&](ExpertKey a, ExpertKey b) {
        return demands[a] != demands[b] ? demands[a] > demands[b] : in_layer(a) < in_layer(b);
    });
    {
        std::lock_guard lock(mutex_);
        for (const ExpertKey key : keys) class_of(key).policy->remember(key, demands[key]);
        to_warm_.assign(keys.begin(), keys.end());
    }
    resume_warming();
}

void ExpertCache::resume_warming() {
    std::vector<ReadRequest> reads;
    {
        std::lock_guard lock(mutex_);
        warming_ = !to_warm_.empty();
        start_warm_reads(reads);
    }
    if (!reads.empty()) reader_->submit(reads);
}

void ExpertCache::stop_warming() {
    std::lock_guard lock(mutex_);
    warming_ = false;
    to_warm_.clear();
}

std::vector<uint32_t> ExpertCache::take_demands() {
    std::vector<uint32_t> demands(n_keys_, 0);
    std::lock_guard lock(mutex_);
    demands.swap(demands_);
    return demands;
}

/// Called with the mutex held. What finds its slots full is not wanted any more: demands choose from then on.
void ExpertCache::start_warm_reads(std::vector<ReadRequest>& out) {
    while (warming_ && warm_in_flight_ < most_warm_in_flight && !to_warm_.empty()) {
        const ExpertKey key = to_warm_.front();
        to_warm_.pop_front();
        const SlotClass& c = class_of(key);
        if (slot_of_[key] != none || c.free.empty() || c.free.size() + c.n_guessed <= c.guess_room) continue;
        const uint32_t slot = *take_slot(key, false);
        slots_[slot].warmed = true;
        slots_[slot].demanded = false;
        ++warm_in_flight_;
        warm_order_.push_back(key);
        queue_reads(slot, ReadClass::idle, out);
    }
}

/// Its reads are done, or some were dropped. Called with the mutex held, before the slot is freed or listed.
void ExpertCache::finish_warm_read(uint32_t slot) {
    const Slot& s = slots_[slot];
    assert(warm_in_flight_ > 0);
    --warm_in_flight_;
    if (!s.error)
        ++stats_.warmed;
    else if (s.error == ECANCELED)
        to_warm_.push_front(s.key);
}

/// A lease asks for what warming brought in, or is bringing in: then the lease sees to its reads.
void ExpertCache::demand_warmed(Slot& s) {
    if (s.demanded) return;
    s.demanded = true;
    if (s.outstanding > 0)
        --warm_in_flight_;
    else
        ++stats_.warmed_useful;
}

/// Called with the mutex held. The most used were read first and so would leave first: they become the
/// newest.
void ExpertCache::pause_warming() {
    warming_ = false;
    for (auto key = warm_order_.rbegin(); key != warm_order_.rend(); ++key) {
        const uint32_t slot = slot_of_[*key];
        if (slot == none) continue;
        const Slot& s = slots_[slot];
        if (s.demanded || s.outstanding > 0 || s.pins > 0) continue;
        EvictionPolicy& policy = *class_of(*key).policy;
        policy.remove(*key);
        policy.add(*key, true);
    }
    warm_order_.clear();
}

}  // namespace sluice
