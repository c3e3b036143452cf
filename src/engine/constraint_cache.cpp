#include "engine/constraint_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

namespace {

constexpr size_t entry_bytes = 512;  // a Constraint, its tables, its place in the list

}  // namespace

std::shared_ptr<const Constraint> ConstraintCache::find(const std::string& key) {
    std::lock_guard lock(mutex_);
    const auto known =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
    if (known == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, known);
    ++stats_.found;
    return entries_.front().constraint;
}

std::shared_ptr<const Constraint> ConstraintCache::find_or_make(const std::string& key,
                                                                const MakeRules& rules,
                                                                const MakeVocabulary& vocabulary) {
    if (auto known = find(key)) return known;
    std::lock_guard compiling(compiling_);
    if (auto known = find(key)) return known;  // by whoever compiled before
    if (!vocabulary_) {
        auto made = std::make_shared<const Vocabulary>(vocabulary());
        of_vocabulary_ = ConstraintShare(budget_);
        if (!of_vocabulary_.resize(made->memory_bytes()))
            fail(ErrorCode::out_of_budget,
                 "grammars need {} for this model's vocabulary, and may take {}; raise --grammar-memory",
                 human_bytes(made->memory_bytes()), human_bytes(budget_->most()));
        vocabulary_ = std::move(made);
    }
    return make(key, rules);
}

std::shared_ptr<const Constraint> ConstraintCache::make(const std::string& key, const MakeRules& rules) {
    const size_t room = budget_->most() - of_vocabulary_.bytes(), beside = key.size() + entry_bytes;
    const auto automaton =
        std::make_shared<const Automaton>(rules(), room > beside ? room - beside : size_t(0));
    Entry entry{key, nullptr, ConstraintShare(budget_)};
    std::shared_ptr<const Constraint> constraint;
    for (int tries = 3; !constraint;) {  // answers in progress may take what was made free for it
        make_room(automaton->memory_bytes() + beside);
        try {
            constraint = std::make_shared<const Constraint>(automaton, vocabulary_, budget_);
        } catch (const Error&) {
            if (--tries == 0) throw;
        }
    }
    entry.constraint = constraint;
    std::lock_guard lock(mutex_);
    ++stats_.compiled;
    if (entry.of_key.resize(beside)) entries_.push_front(std::move(entry));  // else it is used once
    return constraint;
}

/// Those that go are destroyed without the lock.
void ConstraintCache::make_room(size_t bytes) {
    const auto enough = [&] { return budget_->used() + bytes <= budget_->most(); };
    std::list<Entry> going;
    {
        std::lock_guard lock(mutex_);
        for (auto e = entries_.rbegin(); e != entries_.rend() && !enough(); ++e)
            e->constraint->forget_masks();
    }
    while (!enough()) {
        {
            std::lock_guard lock(mutex_);
            const auto idle = std::find_if(entries_.rbegin(), entries_.rend(),
                                           [](const Entry& e) { return e.constraint.use_count() == 1; });
            if (idle == entries_.rend()) return;
            going.splice(going.begin(), entries_, std::prev(idle.base()));
            ++stats_.evicted;
        }
        going.clear();
    }
}

ConstraintStats ConstraintCache::stats() const {
    std::lock_guard lock(mutex_);
    ConstraintStats s = stats_;
    s.kept = entries_.size();
    s.bytes = budget_->used();
    s.limit = budget_->most();
    return s;
}

}  // namespace sluice
