#include "text/grammar/constraint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr size_t max_cache_bytes = 16 << 20;      // of each cache; then it begins anew
constexpr size_t own_budget = 64 << 20;           // of a constraint that has no engine's
constexpr size_t entry_bytes = 128;               // of a table, beside the value
constexpr uint64_t most_mask_steps = 30'000'000;  // steps of a parse for one mask
constexpr uint32_t many = 200;                    // nodes below one: better followed where they are
constexpr size_t max_left_over = 4'000'000;       // ends of tokens

void check_work(uint64_t steps) {
    if (steps > most_mask_steps)
        fail(ErrorCode::out_of_budget,
             "the grammar is too ambiguous: telling which tokens it allows takes more than {} steps",
             most_mask_steps);
}

/// Goes through the trie's nodes from `begin` to `end` (which are siblings and what is below them) as far as
/// the parse can read, and calls visit(node) where it has read one. The parse ends where it began.
template <typename Visit>
void follow(Parse& parse, const TokenTrie& trie, uint32_t begin, uint32_t end, Visit visit) {
    std::vector<uint32_t> ends;  // of the nodes that were read
    const size_t depth = parse.depth();
    for (uint32_t i = begin; i < end;) {
        while (!ends.empty() && ends.back() <= i) {
            ends.pop_back();
            parse.back();
        }
        const TokenTrie::Node& node = trie.node(i);
        if (!parse.advance(node.byte)) {
            i = node.end;
            continue;
        }
        check_work(parse.work());
        visit(i);
        ends.push_back(node.end);
        ++i;
    }
    parse.back_to(depth);
}

/// Past states that only go on in another rule for good.
uint32_t through_tail_calls(const Automaton& automaton, uint32_t s) {
    for (int steps = 0; steps < 100; ++steps) {
        const Automaton::State& state = automaton.state(s);
        const auto calls = automaton.calls(state);
        const bool passes = !state.final && state.bytes_begin == state.bytes_end && calls.size() == 1;
        if (!passes || !calls[0].tail) break;
        s = calls[0].start;
    }
    return s;
}

}  // namespace

Constraint::Constraint(GrammarRules rules, std::shared_ptr<const Vocabulary> vocabulary)
    : Constraint(std::make_shared<const Automaton>(std::move(rules)), std::move(vocabulary),
                 std::make_shared<ConstraintBudget>(own_budget)) {}

Constraint::Constraint(std::shared_ptr<const Automaton> automaton,
                       std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<ConstraintBudget> budget)
    : vocabulary_(std::move(vocabulary)),
      automaton_(std::move(automaton)),
      budget_(std::move(budget)),
      compiled_(budget_) {
    if (!compiled_.resize(automaton_->memory_bytes()))
        fail(ErrorCode::busy,
             "the grammars in use take {} of the {} bytes they may, and this one takes {}; try again later",
             budget_->used(), budget_->most(), automaton_->memory_bytes());
}

Constraint::~Constraint() {
    forget_masks();
}

template <typename Value>
void Constraint::forget(Cache<Value>& cache) const {
    cache.values.clear();
    budget_->give(std::exchange(cache.bytes, 0));
}

void Constraint::forget_masks() const {
    std::lock_guard lock(mutex_);
    forget(places_);
    forget(masks_);
}

size_t Constraint::memory_bytes() const {
    std::lock_guard lock(mutex_);
    return compiled_.bytes() + places_.bytes + masks_.bytes;
}

/// Values depend on the key alone, so it does not matter who makes them or that two do.
template <typename Value, typename Make>
std::shared_ptr<const Value> Constraint::cached(Cache<Value>& cache, const std::string& key,
                                                Make make) const {
    if (key.empty()) return std::make_shared<const Value>(make());
    {
        std::lock_guard lock(mutex_);
        if (const auto it = cache.values.find(key); it != cache.values.end()) return it->second;
    }
    auto value = std::make_shared<const Value>(make());
    const size_t bytes = value->memory_bytes() + key.size() + entry_bytes;
    std::lock_guard lock(mutex_);
    // No more than a quarter of the budget, so that grammars used at the same time leave each other room.
    if (cache.bytes + bytes > std::min(max_cache_bytes, budget_->most() / 4)) forget(cache);
    // A quarter of the budget is left to answers' places: they cannot do without, and masks can.
    const auto has_room = [&] { return budget_->used() + bytes <= budget_->most() / 4 * 3; };
    if (!has_room()) forget(cache);
    if (!has_room() || !budget_->take(bytes)) return value;
    if (cache.values.emplace(key, value).second)
        cache.bytes += bytes;
    else
        budget_->give(bytes);
    return value;
}

/// Two ways to read a token from here: plain states of one rule step by step, which costs little; a parse of
/// its own for what comes after a state where the rule may end or call another.
Constraint::Place Constraint::work_out(uint32_t start, const Parse::Node* counted) const {
    const TokenTrie& trie = vocabulary_->trie();
    Place place{TokenMask(vocabulary_->size())};
    struct Read {
        uint32_t end, state;
    };
    struct Exit {  // the rule may end after node `at`, which is `depth` bytes long
        uint32_t at, depth;
    };
    std::vector<Read> path;
    std::vector<Exit> exits;
    uint64_t work = 0;
    const auto allow = [&](uint32_t i) {
        for (const TokenId id : trie.at(i)) place.allowed.set(id);
    };
    for (uint32_t i = 0; i < trie.size();) {
        while (!path.empty() && path.back().end <= i) path.pop_back();
        const TokenTrie::Node& node = trie.node(i);
        const uint32_t state = path.empty() ? start : path.back().state;
        uint32_t to = Automaton::none;
        bool several = false;
        for (const auto& e : automaton_->bytes(automaton_->state(state))) {
            if (node.byte < e.first) break;
            if (node.byte > e.last) continue;
            several |= to != Automaton::none;
            to = through_tail_calls(*automaton_, e.to);
        }
        if (to == Automaton::none) {
            i = node.end;
            continue;
        }
        if (!several && automaton_->state(to).plain()) {
            allow(i);
            path.push_back({node.end, to});
            ++i;
            continue;
        }
        Parse parse = Parse::within(automaton_, state, counted);
        const size_t before = path.size();
        follow(parse, trie, i, node.end, [&](uint32_t read) {
            allow(read);
            if (parse.complete() && trie.node(read).end > read + 1)
                exits.push_back({read, uint32_t(before + parse.depth())});
        });
        check_work(work += parse.work());
        i = node.end;
    }

    std::vector<std::pair<std::string_view, TokenId>> left_over;
    for (const Exit& exit : exits) {
        if (trie.node(exit.at).end - exit.at > many) {
            place.ends_at.push_back(exit.at);
            continue;
        }
        for (const TokenId id : trie.below(exit.at)) {
            if (place.allowed.test(id)) continue;
            left_over.emplace_back(std::string_view(vocabulary_->bytes(id)).substr(exit.depth), id);
            if (left_over.size() > max_left_over) check_work(most_mask_steps + 1);
        }
    }
    place.left_over = TokenTrie(std::move(left_over));
    return place;
}

std::shared_ptr<const Constraint::Place> Constraint::place(const Parse& parse, Parse::Config config) const {
    Parse::Node top = parse.node(config.node);
    const bool counted = config.node != Parse::bottom && top.counted;
    // A turn reads at least a byte: counts beyond a token's length are all the same to it.
    const uint32_t most = uint32_t(vocabulary_->longest()) + 1;
    if (top.rest != Automaton::none) top.rest = std::min(top.rest, most);
    top.need = std::min(top.need, most);
    std::vector<uint32_t> key{config.state};
    if (counted) key.insert(key.end(), {top.start, top.back, top.rest, top.need});
    return cached(places_, {reinterpret_cast<const char*>(key.data()), key.size() * sizeof(uint32_t)},
                  [&] { return work_out(config.state, counted ? &top : nullptr); });
}

std::shared_ptr<const TokenMask> Constraint::mask(const Parse& parse) const {
    return cached(masks_, parse.fingerprint(), [&] {
        TokenMask mask(vocabulary_->size());
        Parse outer = parse;
        outer.forget_past();
        const uint64_t begin = outer.work();
        for (const Parse::Config c : outer.active()) {
            const auto here = place(outer, c);
            mask |= here->allowed;
            if (here->left_over.size() == 0 && here->ends_at.empty()) continue;
            // A counted call was followed to the end of the rule that contains it.
            const bool counted = c.node != Parse::bottom && outer.node(c.node).counted;
            outer.enter_pop(counted ? outer.below(c.node) : std::vector<uint32_t>{c.node});
            const auto follow_and_set = [&](const TokenTrie& trie, uint32_t first, uint32_t last) {
                follow(outer, trie, first, last, [&](uint32_t read) {
                    for (const TokenId id : trie.at(read)) mask.set(id);
                });
            };
            follow_and_set(here->left_over, 0, here->left_over.size());
            const TokenTrie& all = vocabulary_->trie();
            for (const uint32_t at : here->ends_at) follow_and_set(all, at + 1, all.node(at).end);
            outer.back();
            check_work(outer.work() - begin);
        }
        if (outer.complete())
            for (const TokenId id : vocabulary_->ends()) mask.set(id);
        return mask;
    });
}

ConstrainedText::ConstrainedText(std::shared_ptr<const Constraint> constraint, GrammarStart start)
    : constraint_(std::move(constraint)),
      parse_(constraint_->automaton(), start),
      share_(constraint_->budget()) {
    count();
}

void ConstrainedText::count() {
    const size_t bytes = parse_.memory_bytes();
    if (share_.resize(bytes)) return;
    constraint_->forget_masks();
    if (!share_.resize(bytes))
        fail(
            ErrorCode::out_of_budget,
            "following the grammar here takes {} bytes of memory, and of the {} for compiled grammars {} are "
            "in use; simplify the grammar or raise --grammar-memory",
            bytes, constraint_->budget()->most(), constraint_->budget()->used());
}

bool ConstrainedText::allows(TokenId token) {
    const Vocabulary& vocabulary = constraint_->vocabulary();
    if (token < 0 || size_t(token) >= vocabulary.size()) return false;
    if (vocabulary.is_end(token)) return parse_.complete();
    const size_t depth = parse_.depth();
    const bool can = !vocabulary.bytes(token).empty() && parse_.advance(vocabulary.bytes(token));
    parse_.back_to(depth);
    return can;
}

void ConstrainedText::accept(TokenId token) {
    const Vocabulary& vocabulary = constraint_->vocabulary();
    if (vocabulary.is_end(token)) return;
    if (vocabulary.bytes(token).empty() || !parse_.advance(vocabulary.bytes(token)))
        fail(ErrorCode::internal, "the token {} does not continue the text that its grammar allows", token);
    parse_.forget_past();
    count();
}

}  // namespace sluice
