// A grammar over a model's vocabulary: what an answer must be, and which tokens may come next.
//
// Which tokens a place allows is worked out for each state of the automaton once: those that stay inside the
// state's rule are the same wherever the rule was called from, and those that end the rule with bytes left
// over are kept as a trie of the bytes left, which is then followed from where the rule was called. Whole
// masks are kept too, by the parse's fingerprint.
//
// Constraint is immutable to its users (its caches have a lock): one is shared by any number of answers and
// threads. What it allows depends on the grammar and the tokens before alone. What it holds counts in a
// ConstraintBudget; without room there masks are worked out anew each time.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/grammar/automaton.h"
#include "text/grammar/constraint_budget.h"
#include "text/grammar/parse.h"
#include "text/grammar/vocabulary.h"

namespace sluice {

class Constraint {
  public:
    /// Throws as Automaton does. With a budget of its own.
    Constraint(GrammarRules rules, std::shared_ptr<const Vocabulary> vocabulary);
    /// Throws busy if the budget has no room for the automaton now.
    Constraint(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const Vocabulary> vocabulary,
               std::shared_ptr<ConstraintBudget> budget);
    ~Constraint();
    Constraint(const Constraint&) = delete;
    Constraint& operator=(const Constraint&) = delete;

    const std::shared_ptr<const Automaton>& automaton() const { return automaton_; }
    const Vocabulary& vocabulary() const { return *vocabulary_; }

    /// The tokens that may come next; end tokens where the text may end. Throws out_of_budget if the grammar
    /// is too ambiguous to tell.
    std::shared_ptr<const TokenMask> mask(const Parse& parse) const;

    const std::shared_ptr<ConstraintBudget>& budget() const { return budget_; }
    /// What it holds now.
    size_t memory_bytes() const;
    /// Forgets what can be worked out again.
    void forget_masks() const;

  private:
    /// What one configuration allows, its callers unknown.
    struct Place {
        TokenMask allowed;
        // Tokens that are not allowed already and have bytes after the end of the rule: below these nodes of
        // the vocabulary's trie, or, where a node has few, in a trie of the bytes left over.
        std::vector<uint32_t> ends_at{};
        TokenTrie left_over{};
        size_t memory_bytes() const {
            return allowed.memory_bytes() + left_over.memory_bytes() + ends_at.size() * sizeof(uint32_t) +
                   128;
        }
    };
    template <typename Value>
    struct Cache {
        std::unordered_map<std::string, std::shared_ptr<const Value>> values;
        size_t bytes = 0;
    };

    std::shared_ptr<const Place> place(const Parse& parse, Parse::Config config) const;
    Place work_out(uint32_t state, const Parse::Node* counted) const;
    template <typename Value, typename Make>
    std::shared_ptr<const Value> cached(Cache<Value>& cache, const std::string& key, Make make) const;
    template <typename Value>
    void forget(Cache<Value>& cache) const;  // with mutex_ held

    std::shared_ptr<const Vocabulary> vocabulary_;
    std::shared_ptr<const Automaton> automaton_;
    std::shared_ptr<ConstraintBudget> budget_;
    ConstraintShare compiled_;
    mutable std::mutex mutex_;  // of what follows
    mutable Cache<Place> places_;
    mutable Cache<TokenMask> masks_;
};

/// One answer's way through a constraint.
class ConstrainedText {
  public:
    ConstrainedText(std::shared_ptr<const Constraint> constraint, GrammarStart start);

    /// The token may come next.
    bool allows(TokenId token);
    std::shared_ptr<const TokenMask> mask() const { return constraint_->mask(parse_); }
    /// The token is now part of the text (an end token is not). Throws internal if it is not allowed,
    /// out_of_budget if its place in the grammar takes more memory than is left.
    void accept(TokenId token);
    bool complete() const { return parse_.complete(); }
    /// Nothing but the end may follow.
    bool finished() const { return parse_.exhausted(); }

  private:
    void count();

    std::shared_ptr<const Constraint> constraint_;
    Parse parse_;
    ConstraintShare share_;  // of what parse_ holds
};

}  // namespace sluice
