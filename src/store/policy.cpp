#include "store/policy.h"

#include <algorithm>

#include "core/fail.h"

namespace sluice {

namespace {

struct PolicyName {
    CachePolicy policy;
    std::string_view name;
};
constexpr PolicyName names[] = {
    {CachePolicy::lru, "lru"}, {CachePolicy::slru, "slru"}, {CachePolicy::lfru, "lfru"}};

constexpr uint32_t none = UINT32_MAX;

/// Doubly linked lists over keys: a key is in at most one of them. Links live in one array, so nothing is
/// allocated.
class KeyLists {
  public:
    KeyLists(uint32_t n_keys, uint32_t n_lists) : links_(n_keys), ends_(n_lists) {}

    void push_newest(uint32_t list, ExpertKey key) {
        Link& l = links_[key];
        l = {list, ends_[list].newest, none};
        (l.older == none ? ends_[list].oldest : links_[l.older].newer) = key;
        ends_[list].newest = key;
        ++ends_[list].size;
    }
    void remove(ExpertKey key) {
        Link& l = links_[key];
        if (l.list == none) return;
        Ends& e = ends_[l.list];
        (l.older == none ? e.oldest : links_[l.older].newer) = l.newer;
        (l.newer == none ? e.newest : links_[l.newer].older) = l.older;
        --e.size;
        l = Link();
    }
    std::optional<ExpertKey> oldest(uint32_t list) const {
        return ends_[list].oldest == none ? std::nullopt : std::optional(ends_[list].oldest);
    }
    uint32_t size(uint32_t list) const { return ends_[list].size; }
    uint32_t list_of(ExpertKey key) const { return links_[key].list; }

  private:
    struct Link {
        uint32_t list = none, older = none, newer = none;
    };
    struct Ends {
        uint32_t oldest = none, newest = none, size = 0;
    };
    std::vector<Link> links_;
    std::vector<Ends> ends_;
};

/// What was used longest ago leaves first.
class Lru : public EvictionPolicy {
  public:
    explicit Lru(uint32_t n_keys) : lists_(n_keys, 2) {}
    void demand(ExpertKey) override {}
    void add(ExpertKey key, bool demanded) override { lists_.push_newest(demanded ? used : guessed, key); }
    void remove(ExpertKey key) override { lists_.remove(key); }
    std::optional<ExpertKey> victim() const override { return lists_.oldest(used); }
    std::optional<ExpertKey> guessed_victim() const override { return lists_.oldest(guessed); }

  private:
    static constexpr uint32_t guessed = 0, used = 1;
    KeyLists lists_;
};

/// Segmented LRU (Karedla et al. 1994): what is used a second time while it is here moves to a protected
/// segment, which a scan (a long prompt) cannot empty. The protected segment holds at most four fifths of the
/// entries.
class Slru : public EvictionPolicy {
  public:
    Slru(uint32_t n_keys, uint32_t capacity)
        : lists_(n_keys, 3),
          most_protected_(capacity * 4 / 5),
          promoted_(n_keys, false),
          here_(n_keys, false) {}

    void demand(ExpertKey key) override { promoted_[key] = here_[key]; }
    void add(ExpertKey key, bool demanded) override {
        here_[key] = demanded;
        lists_.push_newest(!demanded ? guessed : promoted_[key] ? kept : probation, key);
        while (lists_.size(kept) > most_protected_) {
            const ExpertKey oldest = *lists_.oldest(kept);
            lists_.remove(oldest);
            promoted_[oldest] = false;
            lists_.push_newest(probation, oldest);
        }
    }
    void remove(ExpertKey key) override { lists_.remove(key); }
    void evicted(ExpertKey key) override { here_[key] = promoted_[key] = false; }
    std::optional<ExpertKey> victim() const override {
        for (const uint32_t list : {probation, kept})
            if (const auto key = lists_.oldest(list)) return key;
        return {};
    }
    std::optional<ExpertKey> guessed_victim() const override { return lists_.oldest(guessed); }

  private:
    static constexpr uint32_t guessed = 0, probation = 1, kept = 2;
    KeyLists lists_;
    uint32_t most_protected_;
    std::vector<bool> promoted_, here_;
};

/// Frequency with ageing, recency within: eight classes by the (halved now and then) count of demands, each
/// an LRU list; the lowest class leaves first. Counts are remembered for experts that are not here, so that a
/// frequent one returns to its place.
class Lfru : public EvictionPolicy {
  public:
    Lfru(uint32_t n_keys, uint32_t capacity)
        : lists_(n_keys, n_classes + 1), counts_(n_keys, 0), age_after_(16ull * std::max(capacity, 64u)) {}

    void demand(ExpertKey key) override {
        if (counts_[key] < 255) ++counts_[key];
        if (++demands_ < age_after_) return;
        demands_ = 0;  // O(keys) once in 16 times the capacity: O(1) amortised
        for (auto& c : counts_) c = uint8_t(c / 2);
    }
    void remember(ExpertKey key, uint32_t demands) override {
        // Enough to outlast a long prompt that asks for everything once; this run's own counts soon weigh
        // more.
        constexpr uint32_t most_remembered = 15;
        counts_[key] = uint8_t(std::min(demands, most_remembered));
    }
    void add(ExpertKey key, bool demanded) override {
        lists_.push_newest(demanded ? 1 + class_of(counts_[key]) : 0, key);
    }
    void remove(ExpertKey key) override { lists_.remove(key); }
    std::optional<ExpertKey> victim() const override {
        for (uint32_t list = 1; list <= n_classes; ++list)
            if (const auto key = lists_.oldest(list)) return key;
        return {};
    }
    std::optional<ExpertKey> guessed_victim() const override { return lists_.oldest(0); }

  private:
    static constexpr uint32_t n_classes = 8;
    /// The count's magnitude: 0–1, 2–3, 4–7, 8–15, …
    static uint32_t class_of(uint8_t count) {
        return count < 2 ? 0 : std::min(n_classes - 1, 31u - uint32_t(__builtin_clz(count)));
    }
    KeyLists lists_;
    std::vector<uint8_t> counts_;
    uint64_t demands_ = 0, age_after_;
};

}  // namespace

std::string_view to_string(CachePolicy policy) {
    return names[size_t(policy)].name;
}

CachePolicy parse_cache_policy(std::string_view text) {
    for (const auto& n : names)
        if (n.name == text) return n.policy;
    fail(ErrorCode::invalid_argument, "expected a cache policy of lru, slru or lfru, found \"{}\"", text);
}

std::unique_ptr<EvictionPolicy> make_policy(CachePolicy policy, uint32_t n_keys, uint32_t capacity) {
    switch (policy) {
        case CachePolicy::slru:
            return std::make_unique<Slru>(n_keys, capacity);
        case CachePolicy::lfru:
            return std::make_unique<Lfru>(n_keys, capacity);
        case CachePolicy::lru:
            break;
    }
    return std::make_unique<Lru>(n_keys);
}

}  // namespace sluice
