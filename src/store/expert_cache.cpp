#include "store/expert_cache.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

namespace {

/// A tag names a slot and a slice.
uint64_t tag_of(uint32_t slot, uint32_t slice) {
    return uint64_t(slot) * 3 + slice;
}

uint64_t align_down(uint64_t x, uint64_t to) {
    return x / to * to;
}
uint64_t align_up(uint64_t x, uint64_t to) {
    return (x + to - 1) / to * to;
}

/// Layers whose slots differ by less than this share them: what is wasted is less than what a split would
/// cost in hits.
constexpr double same_class = 1.06;

}  // namespace

ExpertCache::ExpertCache(std::vector<LayerSource> layers, std::vector<std::string> files, uint64_t budget,
                         uint64_t alignment, CachePolicy policy, uint32_t least_slots, uint32_t guess_room)
    : layers_(std::move(layers)), files_(std::move(files)), alignment_(alignment) {
    for (const auto& l : layers_) {
        first_key_.push_back(n_keys_);
        n_keys_ += l.n_experts;
    }
    first_key_.push_back(n_keys_);
    slot_of_.assign(n_keys_, none);
    demands_.assign(n_keys_, 0);
    all_demands_.assign(n_keys_, 0);
    make_slots(budget, policy, least_slots, guess_room);
}

std::vector<ExpertCache::SlotClass> ExpertCache::plan_classes(const std::vector<LayerSource>& layers,
                                                              uint64_t alignment,
                                                              std::vector<uint32_t>& class_of_layer) {
    // A slice begins anywhere in an aligned block and so may reach into one more block than its length says.
    const auto region_of = [&](const SliceSource& s) { return align_up(s.bytes, alignment) + alignment; };
    const auto close = [](uint64_t a, uint64_t b) {
        return double(std::max(a, b)) < same_class * double(std::min(a, b));
    };
    std::vector<SlotClass> classes;
    class_of_layer.assign(layers.size(), none);
    for (size_t i = 0; i < layers.size(); ++i) {
        if (!layers[i].n_experts) continue;
        std::array<uint64_t, 3> region{};
        for (size_t s = 0; s < 3; ++s) region[s] = region_of(layers[i].slices[s]);
        const auto fits = [&](const SlotClass& c) {
            return close(region[0], c.region[0]) && close(region[1], c.region[1]) &&
                   close(region[2], c.region[2]);
        };
        auto c = std::find_if(classes.begin(), classes.end(), fits);
        if (c == classes.end()) c = classes.insert(c, SlotClass());
        for (size_t s = 0; s < 3; ++s) c->region[s] = std::max(c->region[s], region[s]);
        c->n_keys += layers[i].n_experts;
        class_of_layer[i] = uint32_t(c - classes.begin());
    }
    for (auto& c : classes) c.slot_bytes = c.region[0] + c.region[1] + c.region[2];
    return classes;
}

ExpertCache::Need ExpertCache::planned_bytes(const std::vector<LayerSource>& layers, uint64_t alignment,
                                             uint32_t n_used) {
    std::vector<uint32_t> class_of_layer;
    Need need;
    const auto classes = plan_classes(layers, alignment, class_of_layer);
    for (const auto& c : classes) need.everything += c.slot_bytes * c.n_keys;
    // The budget is shared in proportion to the classes' sizes: the smallest class must get its n_used slots.
    for (const auto& c : classes) {
        const double share = double(std::min(n_used, c.n_keys)) / double(c.n_keys);
        need.least = std::max(need.least, uint64_t(share * double(need.everything)) + c.slot_bytes);
    }
    need.least = std::min(need.least, need.everything);
    return need;
}

void ExpertCache::make_slots(uint64_t budget, CachePolicy policy, uint32_t least_slots, uint32_t guess_room) {
    classes_ = plan_classes(layers_, alignment_, class_of_layer_);
    uint64_t everything = 0;
    for (const auto& c : classes_) everything += c.slot_bytes * c.n_keys;
    uint64_t arena = 0, least = 0;
    for (auto& c : classes_) {
        const double share = everything <= budget ? 1.0 : double(budget) / double(everything);
        c.n_slots = std::min<uint32_t>(c.n_keys, uint32_t(share * c.n_keys));
        least += std::min(least_slots, c.n_keys) * c.slot_bytes;
        arena += c.n_slots * c.slot_bytes;
    }
    for (const auto& c : classes_)
        if (c.n_slots < std::min(least_slots, c.n_keys))
            fail(ErrorCode::out_of_budget,
                 "{} is left for the expert cache, and at least {} is needed to hold the experts of one "
                 "layer; raise --ram",
                 human_bytes(budget), human_bytes(least));
    arena_ = Memory(arena);
    arena_.spread_over_sockets();
    uint64_t at = 0;
    for (auto& c : classes_) {
        c.policy = make_policy(policy, n_keys_, c.n_slots);
        if (c.n_slots < c.n_keys) c.guess_room = std::min(guess_room, c.n_slots / 8);
        for (uint32_t i = 0; i < c.n_slots; ++i, at += c.slot_bytes) {
            c.free.push_back(uint32_t(slots_.size()));
            Slot slot;
            slot.offset = at;
            slot.region = {0, c.region[0], c.region[0] + c.region[1]};
            slots_.push_back(slot);
        }
        std::reverse(c.free.begin(), c.free.end());  // the first slot is taken first
    }
}

uint32_t ExpertCache::layer_of(ExpertKey key) const {
    return uint32_t(std::upper_bound(first_key_.begin(), first_key_.end(), key) - first_key_.begin()) - 1;
}

/// Whose slot is taken when it is not a free one's turn.
std::optional<ExpertKey> ExpertCache::choose_victim(const SlotClass& c, bool for_guess) const {
    if (for_guess) return c.policy->guessed_victim();
    // Guesses that nobody came for leave first, but for those that are kept room for.
    const bool spare = c.free.size() + c.n_guessed > c.guess_room;
    const auto first = spare ? c.policy->guessed_victim() : c.policy->victim();
    return first ? first : spare ? c.policy->victim() : c.policy->guessed_victim();
}

std::optional<uint32_t> ExpertCache::take_slot(ExpertKey key, bool for_guess) {
    SlotClass& c = class_of(key);
    const bool may_take_free = for_guess || c.free.size() + c.n_guessed > c.guess_room;
    if (c.free.empty() || !may_take_free) {
        if (const auto victim = choose_victim(c, for_guess))
            free_slot(slot_of_[*victim]);
        else if (c.free.empty())
            return {};
    }
    const uint32_t slot = c.free.back();
    c.free.pop_back();
    Slot& s = slots_[slot];
    assert(s.key == none && s.pins == 0 && s.outstanding == 0);
    s.key = key;
    s.landed = 0;
    s.error = 0;
    s.inherited = false;
    s.guessed = for_guess;
    s.counted = !for_guess;
    s.warmed = false;
    s.demanded = true;
    c.n_guessed += for_guess;
    slot_of_[key] = slot;
    return slot;
}

/// A guess came true. One of the demanded makes room for the next guess, as it would have for this expert.
void ExpertCache::promote(uint32_t slot) {
    Slot& s = slots_[slot];
    SlotClass& c = class_of(s.key);
    s.guessed = false;
    --c.n_guessed;
    if (s.counted) ++stats_.useful_guesses;  // else when its reads arrive, if they are not dropped
    if (c.free.size() + c.n_guessed < c.guess_room)
        if (const auto victim = c.policy->victim()) free_slot(slot_of_[*victim]);
}

void ExpertCache::free_slot(uint32_t slot) {
    Slot& s = slots_[slot];
    assert(s.pins == 0 && s.outstanding == 0);
    SlotClass& c = class_of(s.key);
    c.policy->remove(s.key);
    c.policy->evicted(s.key);
    c.n_guessed -= s.guessed;
    s.guessed = false;
    slot_of_[s.key] = none;
    s.key = none;
    c.free.push_back(slot);
}

void ExpertCache::queue_reads(uint32_t slot, ReadClass kind, std::vector<ReadRequest>& out) {
    Slot& s = slots_[slot];
    const uint32_t layer = layer_of(s.key);
    s.error = 0;
    for (uint32_t i = 0; i < 3; ++i) {
        if (s.landed & (1u << i)) continue;
        const SliceSource& source = layers_[layer].slices[i];
        const uint64_t begin = source.offset + uint64_t(s.key - first_key_[layer]) * source.bytes;
        const uint64_t from = align_down(begin, alignment_), to = align_up(begin + source.bytes, alignment_);
        out.push_back(
            {source.file, kind, from, arena().subspan(s.offset + s.region[i], to - from), tag_of(slot, i)});
        ++s.outstanding;
        if (kind == ReadClass::demanded) stats_.demanded_bytes += to - from;
    }
}

void ExpertCache::completed(const ReadOutcome& outcome) {
    const uint32_t slot = uint32_t(outcome.tag / 3), slice = uint32_t(outcome.tag % 3);
    std::unique_lock lock(mutex_);
    Slot& s = slots_[slot];
    assert(s.outstanding > 0 && s.key != none);
    --s.outstanding;
    if (outcome.error || outcome.dropped) {
        s.error = outcome.dropped ? ECANCELED : outcome.error;
        s.failed_slice = slice;
    } else {
        // A read may end with the file; what the slice needs must be there.
        const uint32_t layer = layer_of(s.key);
        const SliceSource& source = layers_[layer].slices[slice];
        const uint64_t begin = source.offset + uint64_t(s.key - first_key_[layer]) * source.bytes;
        if (outcome.bytes < begin % alignment_ + source.bytes)
            s.error = ENODATA, s.failed_slice = slice;
        else
            s.landed |= uint8_t(1u << slice);
        if (outcome.kind == ReadClass::idle) {
            (s.warmed ? stats_.warmed_bytes : stats_.guessed_bytes) += outcome.bytes;
            stats_.guesses += !s.counted;
            stats_.useful_guesses += !s.counted && !s.guessed;
            s.counted = true;
        }
    }
    if (s.outstanding == 0 && s.warmed && !s.demanded) finish_warm_read(slot);
    if (s.outstanding == 0 && s.pins == 0) {  // a guess, or a lease that is gone
        if (s.error)
            free_slot(slot);
        else
            class_of(s.key).policy->add(s.key, !s.guessed);
    }
    landed_.notify_all();
    std::vector<ReadRequest> reads;
    start_warm_reads(reads);
    lock.unlock();
    if (!reads.empty()) reader_->submit(reads);
}

void ExpertCache::unpin(uint32_t slot) {
    Slot& s = slots_[slot];
    assert(s.pins > 0);
    if (--s.pins > 0 || s.outstanding > 0) return;  // completed() finishes it
    if (s.error)
        free_slot(slot);
    else
        class_of(s.key).policy->add(s.key, true);
}

ExpertView ExpertCache::view(uint32_t slot) const {
    const Slot& s = slots_[slot];
    const uint32_t layer = layer_of(s.key);
    std::array<MatrixView, 3> m;
    for (uint32_t i = 0; i < 3; ++i) {
        const SliceSource& source = layers_[layer].slices[i];
        const uint64_t begin = source.offset + uint64_t(s.key - first_key_[layer]) * source.bytes;
        m[i] = source.shape;
        m[i].data = arena_.data() + s.offset + s.region[i] + begin % alignment_;
    }
    return {m[0], m[1], m[2]};
}

void ExpertCache::throw_read_error(const Slot& s) const {
    const uint32_t layer = layer_of(s.key);
    const SliceSource& source = layers_[layer].slices[s.failed_slice];
    const uint64_t begin = source.offset + uint64_t(s.key - first_key_[layer]) * source.bytes;
    fail(ErrorCode::io,
         "reading expert {} of layer {} ({} bytes of {} at offset {}) failed: {}; check the drive",
         s.key - first_key_[layer], layer, source.bytes, files_[source.file], begin,
         s.error == ENODATA ? "the file ended, it was cut while in use" : std::strerror(s.error));
}

bool ExpertCache::wants_guesses() {
    if (holds_everything()) return false;
    std::lock_guard lock(mutex_);
    constexpr uint64_t judged_at_once = 256, least_useful = 4,
                       layers_off = 4096;  // a quarter; some hundred tokens
    if (guesses_off_ > 0 && --guesses_off_ > 0) return false;
    const uint64_t guesses = stats_.guesses - judged_.guesses,
                   useful = stats_.useful_guesses - judged_.useful_guesses;
    if (guesses >= judged_at_once) {
        judged_ = stats_;
        if (useful * least_useful < guesses) guesses_off_ = layers_off;
    }
    return guesses_off_ == 0;
}

void ExpertCache::guess(uint32_t layer, std::span<const uint32_t> experts, bool drop_stale) {
    if (drop_stale) reader_->drop_idle();
    std::vector<ReadRequest> reads;
    {
        std::lock_guard lock(mutex_);
        for (const uint32_t e : experts) {
            const ExpertKey key = key_of(layer, e);
            if (slot_of_[key] != none) continue;
            const auto slot = take_slot(key, true);
            if (!slot) break;
            queue_reads(*slot, ReadClass::idle, reads);
        }
    }
    if (!reads.empty()) reader_->submit(reads);
}

CacheStats ExpertCache::stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
}

void ExpertCache::look(std::vector<uint32_t>& demands, std::vector<uint8_t>& in_memory) const {
    std::lock_guard lock(mutex_);
    demands = all_demands_;
    in_memory.resize(n_keys_);
    for (ExpertKey key = 0; key < n_keys_; ++key)
        in_memory[key] = slot_of_[key] != none && slots_[slot_of_[key]].landed == all_landed;
}

void ExpertCache::forget_stats() {
    std::lock_guard lock(mutex_);
    stats_ = judged_ = CacheStats();
    demands_.assign(n_keys_, 0);
}

ExpertLease::ExpertLease(ExpertCache& cache, uint32_t layer, std::vector<uint32_t> experts) : cache_(cache) {
    std::vector<ReadRequest> reads;
    {
        std::lock_guard lock(cache_.mutex_);
        cache_.pause_warming();
        for (const uint32_t e : experts) {
            const ExpertKey key = cache_.key_of(layer, e);
            entries_.push_back({key});
            cache_.class_of(key).policy->demand(key);
            ++cache_.demands_[key];
            ++cache_.all_demands_[key];
        }
        std::vector<uint32_t> promoted;
        // Everything that is there is pinned before anything is evicted for the rest.
        for (uint32_t i = 0; i < entries_.size(); ++i) {
            Entry& entry = entries_[i];
            const uint32_t slot = cache_.slot_of_[entry.key];
            if (slot == ExpertCache::none) {
                pending_.push_back(i);
                continue;
            }
            ExpertCache::Slot& s = cache_.slots_[slot];
            cache_.class_of(entry.key).policy->remove(entry.key);
            ++s.pins;
            s.inherited = s.outstanding > 0;
            entry.slot = slot;
            entry.stage = Stage::lent;
            const bool whole = s.landed == ExpertCache::all_landed;
            ++(whole ? cache_.stats_.hits : cache_.stats_.misses);
            if (s.guessed) promoted.push_back(slot);
            cache_.demand_warmed(s);
        }
        cache_.stats_.misses += pending_.size();
        for (const uint32_t slot : promoted) cache_.promote(slot);
        start_pending(reads);
    }
    // What is still only a guess makes way; guesses among `experts` come back as demands (see collect).
    cache_.reader_->drop_idle();
    if (!reads.empty()) cache_.reader_->submit(reads);
}

ExpertLease::~ExpertLease() {
    std::lock_guard lock(cache_.mutex_);
    for (Entry& e : entries_)
        if (e.stage != Stage::pending && e.stage != Stage::released) cache_.unpin(e.slot);
}

/// Gives slots to entries that have none, as far as there are victims. Called with the mutex held.
void ExpertLease::start_pending(std::vector<ReadRequest>& reads) {
    while (!pending_.empty()) {
        Entry& entry = entries_[pending_.front()];
        const auto slot = cache_.take_slot(entry.key, false);
        if (!slot) return;
        ++cache_.slots_[*slot].pins;
        entry.slot = *slot;
        entry.stage = Stage::lent;
        cache_.queue_reads(*slot, ReadClass::demanded, reads);
        pending_.pop_front();
    }
}

/// Called with the mutex held. Guesses that were dropped before they started, and reads that an earlier lease
/// or a guess began and that failed, are asked for properly. Returns a slot whose read failed, if any.
const ExpertCache::Slot* ExpertLease::collect(Ready& ready, std::vector<ReadRequest>& reads) {
    const ExpertCache::Slot* failed = nullptr;
    for (uint32_t i = 0; i < entries_.size(); ++i) {
        Entry& e = entries_[i];
        if (e.stage != Stage::lent && e.stage != Stage::gate_up_taken) continue;
        ExpertCache::Slot& s = cache_.slots_[e.slot];
        if (s.error == ECANCELED || (s.error && s.inherited)) {
            if (s.outstanding > 0) continue;
            s.inherited = false;
            cache_.queue_reads(e.slot, ReadClass::demanded, reads);
        } else if (s.error) {
            failed = &s;
        }
        if (e.stage == Stage::lent && (s.landed & 3) == 3) {
            ready.gate_up.push_back(i);
            e.stage = Stage::gate_up_taken;
        }
        if (e.stage == Stage::gate_up_taken && (s.landed & 4)) {
            ready.down.push_back(i);
            e.stage = Stage::all_taken;
            ++taken_;
        }
    }
    return failed;
}

ExpertLease::Ready ExpertLease::take_ready() {
    Ready ready;
    if (taken_ == entries_.size()) return ready;
    std::unique_lock lock(cache_.mutex_);
    const auto begin = std::chrono::steady_clock::now();
    bool waited = false;
    for (;;) {
        std::vector<ReadRequest> reads;
        start_pending(reads);
        const auto* failed = collect(ready, reads);
        if (!reads.empty()) {  // in any case: their slots wait for them
            lock.unlock();
            cache_.reader_->submit(reads);
            lock.lock();
        }
        if (failed) cache_.throw_read_error(*failed);
        if (!reads.empty()) continue;
        if (!ready.empty()) break;
        waited = true;
        cache_.landed_.wait(lock);
    }
    if (waited)
        cache_.stats_.wait_seconds +=
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return ready;
}

ExpertView ExpertLease::operator[](uint32_t index) const {
    return cache_.view(entries_[index].slot);
}

void ExpertLease::release(uint32_t index) {
    std::lock_guard lock(cache_.mutex_);
    Entry& e = entries_[index];
    assert(e.stage == Stage::all_taken);
    e.stage = Stage::released;
    cache_.unpin(e.slot);
}

}  // namespace sluice
