// Grammars, schemas and tool calls as they were compiled, found again by the text they were made of: programs
// ask for the same form with each request. All of them, with the masks they remember and the vocabulary they
// share, stay within one budget, which is part of the memory planned before anything was read. What was asked
// for longest ago leaves first; if it is still in use, it gives up its masks.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "text/grammar/constraint.h"
#include "text/grammar/rules.h"

namespace sluice {

struct ConstraintStats {
    uint64_t kept = 0, bytes = 0, limit = 0;  // compiled ones; what they and their vocabulary take
    uint64_t found = 0, compiled = 0, evicted = 0;
};

class ConstraintCache {
  public:
    using MakeRules = std::function<GrammarRules()>;
    using MakeVocabulary = std::function<Vocabulary()>;

    explicit ConstraintCache(uint64_t most_bytes)
        : budget_(std::make_shared<ConstraintBudget>(size_t(most_bytes))) {}

    /// From any thread. Throws what `rules` throws, out_of_budget if the automaton can never have room, busy
    /// if those in use leave none now.
    std::shared_ptr<const Constraint> find_or_make(const std::string& key, const MakeRules& rules,
                                                   const MakeVocabulary& vocabulary);
    ConstraintStats stats() const;

  private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Constraint> constraint;
        ConstraintShare of_key;
    };
    std::shared_ptr<const Constraint> find(const std::string& key);
    std::shared_ptr<const Constraint> make(const std::string& key, const MakeRules& rules);
    void make_room(size_t bytes);

    std::shared_ptr<ConstraintBudget> budget_;
    std::mutex compiling_;  // one at a time: what compiling itself takes is not multiplied by the askers
    std::shared_ptr<const Vocabulary> vocabulary_;
    ConstraintShare of_vocabulary_;
    mutable std::mutex mutex_;  // of what follows
    std::list<Entry> entries_;  // last asked for in front
    ConstraintStats stats_;
};

}  // namespace sluice
