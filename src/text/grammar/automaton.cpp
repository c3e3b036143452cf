#include "text/grammar/automaton.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/fail.h"
#include "core/sizes.h"
#include "text/grammar/nfa.h"

namespace sluice {

namespace {

constexpr uint64_t max_work = 20'000'000;  // edges looked at while compiling
constexpr uint64_t max_states = 500'000;   // of the rules' automata before they are flattened
constexpr uint64_t unrolled = 64;          // repetitions up to this many states are written out

}  // namespace

/// Rules to states. Steps: 1. which rules match the empty text; 2. each rule to an Nfa and flat; 3. what
/// cannot end is removed; 4. all states in one array.
class AutomatonBuilder {
  public:
    /// A state takes well over 8 bytes once compiled: what is hopeless is refused before it is built.
    AutomatonBuilder(GrammarRules rules, size_t most_bytes)
        : rules_(std::move(rules)), most_states_(std::min<uint64_t>(max_states, most_bytes / 8)) {}
    void build(Automaton& out);

  private:
    using Expr = GrammarRules::Expr;
    using Rule = GrammarRules::Rule;
    using Kind = GrammarRules::Kind;
    /// What a call edge of an Nfa stands for.
    struct Symbol {
        Rule rule;
        uint32_t min, max;
        auto operator<=>(const Symbol&) const = default;
    };

    void add_starts();
    void find_empty();
    bool matches_empty(const GrammarRules::Node& n) const;
    void find_weights();
    uint32_t symbol(const Symbol& s);
    void add(Nfa& nfa, Expr e, uint32_t from, uint32_t to);
    void add_repeat(Nfa& nfa, Expr e, uint32_t from, uint32_t to);
    void add_counted(Nfa& nfa, const GrammarRules::Node& n, uint32_t from, uint32_t to);
    void flatten_rules();
    void find_productive();
    void emit(Automaton& out);

    struct Global {  // a state of all rules together
        uint32_t rule, local;
    };
    uint32_t global(Rule rule, uint32_t local) const { return offsets_[rule] + local; }

    GrammarRules rules_;
    std::array<Rule, 3> starts_{};
    std::vector<bool> empty_exprs_, empty_rules_;
    std::vector<uint64_t> weights_;  // of expressions: about how many states they become
    std::map<Symbol, uint32_t> symbol_ids_;
    std::vector<Symbol> symbols_;
    std::map<Expr, Rule> repeated_;  // what counted repetitions repeat, as rules
    std::vector<FlatRule> flat_;
    std::vector<uint32_t> offsets_;
    std::vector<bool> productive_;
    uint64_t n_states_ = 0;
    const uint64_t most_states_;
};

void AutomatonBuilder::add_starts() {
    GrammarRules& r = rules_;
    const Expr root = r.call(r.root);
    const Expr rest = r.sequence({r.until("</think>"), r.repeat(r.literal("\n"), 0, 2), root});
    const Rule inside = r.add(rest);
    const Rule may = r.add(r.choice({root, r.sequence({r.literal("<think>"), r.call(inside)})}));
    starts_ = {r.root, inside, may};
}

bool AutomatonBuilder::matches_empty(const GrammarRules::Node& n) const {
    const auto child = [&](Expr e) { return bool(empty_exprs_[e]); };
    switch (n.kind) {
        case Kind::literal:
            return n.text.empty();
        case Kind::sequence:
            return std::all_of(n.children.begin(), n.children.end(), child);
        case Kind::choice:
            return std::any_of(n.children.begin(), n.children.end(), child);
        case Kind::repeat:
            return n.min == 0 || child(n.children[0]);
        case Kind::call:
            return empty_rules_[n.rule];
        default:
            return false;
    }
}

/// Rounds until nothing changes. Each but the last finds a rule; a round costs the size of the grammar, so
/// hostile chains of rules are met with a limit on the rounds' work.
void AutomatonBuilder::find_empty() {
    empty_exprs_.assign(rules_.nodes().size(), false);
    empty_rules_.assign(rules_.rules().size(), false);
    uint64_t work = 0;
    for (bool changed = true; changed;) {
        changed = false;
        work += rules_.nodes().size() + rules_.rules().size();
        if (work > 20 * max_work)
            fail(ErrorCode::out_of_budget,
                 "the grammar is too large: its rules depend on each other in too "
                 "many ways; simplify it");
        for (size_t e = 0; e < rules_.nodes().size(); ++e)
            if (!empty_exprs_[e]) empty_exprs_[e] = matches_empty(rules_.nodes()[e]);
        for (size_t r = 0; r < rules_.rules().size(); ++r)
            if (!empty_rules_[r] && empty_exprs_[rules_.rules()[r].body]) empty_rules_[r] = changed = true;
    }
}

void AutomatonBuilder::find_weights() {
    weights_.reserve(rules_.nodes().size());
    for (const auto& n : rules_.nodes()) {
        uint64_t w = 1;
        if (n.kind == Kind::literal || n.kind == Kind::until) w += n.text.size();
        if (n.kind == Kind::chars) w += 4 * n.ranges.size();
        for (const Expr child : n.children) w += weights_[child];
        if (n.kind == Kind::repeat) {
            const uint64_t times = n.max == GrammarRules::unlimited ? uint64_t(n.min) + 1 : n.max;
            if (times * w <= unrolled) w *= std::max<uint64_t>(times, 1);
        }
        weights_.push_back(std::min(w, max_states));
    }
}

uint32_t AutomatonBuilder::symbol(const Symbol& s) {
    const auto [it, is_new] = symbol_ids_.emplace(s, uint32_t(symbols_.size()));
    if (is_new) symbols_.push_back(s);
    return it->second;
}

void AutomatonBuilder::add(Nfa& nfa, Expr e, uint32_t from, uint32_t to) {
    const GrammarRules::Node& n = rules_.node(e);
    if (n_states_ + nfa.states.size() + n.text.size() + 16 * n.ranges.size() > most_states_)
        fail(ErrorCode::out_of_budget,
             "the grammar is too large: it needs more than {} states; simplify it{}", most_states_,
             most_states_ < max_states ? ", or raise --grammar-memory" : "");
    const auto add_text = [&](std::string_view text, uint32_t at) {
        for (const char c : text) {
            const uint32_t next = nfa.add_state();
            nfa.add_bytes(at, uint8_t(c), uint8_t(c), next);
            at = next;
        }
        return at;
    };
    switch (n.kind) {
        case Kind::literal:
            nfa.add_empty(add_text(n.text, from), to);
            break;
        case Kind::control: {
            const std::string mark(1, char(control_mark));
            nfa.add_empty(add_text(mark + n.text + mark, from), to);
            break;
        }
        case Kind::chars:
            nfa.add_chars(from, n.ranges, to);
            break;
        case Kind::until: {
            const uint32_t begin = nfa.add_state();  // its loops must not be entered from elsewhere
            nfa.add_empty(from, begin);
            nfa.add_until(begin, n.text, to);
            break;
        }
        case Kind::sequence:
            for (const Expr child : n.children) {
                const uint32_t next = nfa.add_state();
                add(nfa, child, from, next);
                from = next;
            }
            nfa.add_empty(from, to);
            break;
        case Kind::choice:
            for (const Expr child : n.children) {
                const uint32_t begin = nfa.add_state();
                nfa.add_empty(from, begin);
                add(nfa, child, begin, to);
            }
            break;
        case Kind::call:
            nfa.add_call(from, symbol({n.rule, 1, 1}), to);
            if (empty_rules_[n.rule]) nfa.add_empty(from, to);
            break;
        case Kind::repeat:
            add_repeat(nfa, e, from, to);
            break;
    }
}

void AutomatonBuilder::add_repeat(Nfa& nfa, Expr e, uint32_t from, uint32_t to) {
    const GrammarRules::Node& n = rules_.node(e);
    const bool endless = n.max == GrammarRules::unlimited;
    const uint64_t times = endless ? uint64_t(n.min) + 1 : n.max;
    const bool once_or_loop = (endless && n.min <= 1) || n.max <= 1;
    if (!once_or_loop && times * (weights_[n.children[0]] + 1) > unrolled)
        return add_counted(nfa, n, from, to);
    for (uint32_t i = 0; i < n.min; ++i) {
        const uint32_t next = nfa.add_state();
        add(nfa, n.children[0], from, next);
        from = next;
    }
    if (endless) {
        const uint32_t loop = nfa.add_state(), body_end = nfa.add_state();
        nfa.add_empty(from, loop);
        add(nfa, n.children[0], loop, body_end);
        nfa.add_empty(body_end, loop);
        nfa.add_empty(loop, to);
        return;
    }
    for (uint32_t i = n.min; i < n.max; ++i) {
        const uint32_t begin = nfa.add_state(), next = nfa.add_state();
        nfa.add_empty(from, to);
        nfa.add_empty(from, begin);
        add(nfa, n.children[0], begin, next);
        from = next;
    }
    nfa.add_empty(from, to);
}

void AutomatonBuilder::add_counted(Nfa& nfa, const GrammarRules::Node& n, uint32_t from, uint32_t to) {
    const Expr what = n.children[0];
    const auto [it, is_new] = repeated_.emplace(what, 0);
    if (is_new) {
        it->second = rules_.add(what);
        empty_rules_.push_back(empty_exprs_[what]);
    }
    const bool may_be_empty = n.min == 0 || empty_exprs_[what];
    // A text that counts is not empty, so an empty one in between can be left out.
    nfa.add_call(from, symbol({it->second, may_be_empty ? 1 : n.min, n.max}), to);
    if (may_be_empty) nfa.add_empty(from, to);
}

void AutomatonBuilder::flatten_rules() {
    uint64_t budget = max_work;
    for (Rule r = 0; r < rules_.rules().size(); ++r) {  // grows: counted repetitions become rules
        Nfa nfa;
        nfa.start = nfa.add_state();
        nfa.end = nfa.add_state();
        add(nfa, rules_.rules()[r].body, nfa.start, nfa.end);
        n_states_ += nfa.states.size();
        flat_.push_back(flatten(nfa, budget));
    }
    uint64_t total = 0;
    for (const FlatRule& rule : flat_) {
        offsets_.push_back(uint32_t(total));
        total += rule.states.size();
    }
    n_states_ = total;
}

/// A state is productive if some text leads from it to its rule's end.
void AutomatonBuilder::find_productive() {
    productive_.assign(n_states_, false);
    struct Need {  // `from` is productive once both are
        uint32_t from, one, other;
    };
    std::vector<Need> needs;
    std::vector<uint32_t> ready;
    const auto mark = [&](uint32_t s) {
        if (!productive_[s]) productive_[s] = true, ready.push_back(s);
    };
    for (Rule r = 0; r < flat_.size(); ++r)
        for (uint32_t s = 0; s < flat_[r].states.size(); ++s) {
            for (const auto& e : flat_[r].states[s].edges) {
                const uint32_t to = global(r, e.to);
                const bool call = e.kind == Nfa::EdgeKind::call;
                needs.push_back({global(r, s), to, call ? global(symbols_[e.symbol].rule, 0) : to});
            }
            if (flat_[r].states[s].final) mark(global(r, s));
        }
    std::vector<uint32_t> begin(n_states_ + 1, 0), of;  // needs by what they wait for
    for (const Need& n : needs) ++begin[n.one], ++begin[n.other];
    uint32_t sum = 0;
    for (uint32_t& b : begin) sum += std::exchange(b, sum);
    of.resize(sum);
    std::vector<uint32_t> at(begin.begin(), begin.end() - 1);
    for (uint32_t i = 0; i < needs.size(); ++i) of[at[needs[i].one]++] = i, of[at[needs[i].other]++] = i;
    while (!ready.empty()) {
        const uint32_t s = ready.back();
        ready.pop_back();
        for (uint32_t i = begin[s]; i < begin[s + 1]; ++i) {
            const Need& n = needs[of[i]];
            if (productive_[n.one] && productive_[n.other]) mark(n.from);
        }
    }
}

void AutomatonBuilder::emit(Automaton& out) {
    std::vector<uint32_t> ids(n_states_, Automaton::none);
    std::vector<std::pair<Rule, uint32_t>> order;
    // Only what a start can reach.
    const auto id_of = [&](Rule r, uint32_t local) {
        uint32_t& id = ids[global(r, local)];
        if (id == Automaton::none) {
            id = uint32_t(order.size());
            order.emplace_back(r, local);
        }
        return id;
    };
    for (size_t i = 0; i < starts_.size(); ++i) out.starts_[i] = id_of(starts_[i], 0);
    for (size_t i = 0; i < order.size(); ++i) {
        const auto [r, local] = order[i];
        const FlatRule::State& from = flat_[r].states[local];
        Automaton::State state;
        state.final = from.final;
        state.bytes_begin = uint32_t(out.bytes_.size());
        state.calls_begin = uint32_t(out.calls_.size());
        for (const auto& e : from.edges) {
            if (!productive_[global(r, e.to)]) continue;
            if (e.kind == Nfa::EdgeKind::bytes) {
                out.bytes_.push_back({e.first, e.last, id_of(r, e.to)});
                continue;
            }
            const Symbol& s = symbols_[e.symbol];
            if (!productive_[global(s.rule, 0)]) continue;
            const FlatRule::State& back = flat_[r].states[e.to];
            const bool once = s.min == 1 && s.max == 1;
            const bool tail = once && back.final && back.edges.empty();
            out.calls_.push_back({id_of(s.rule, 0), id_of(r, e.to), s.min, s.max, tail});
        }
        state.bytes_end = uint32_t(out.bytes_.size());
        state.calls_end = uint32_t(out.calls_.size());
        std::sort(out.bytes_.begin() + state.bytes_begin, out.bytes_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.first, a.last, a.to) < std::tie(b.first, b.last, b.to);
        });
        out.states_.push_back(state);
    }
}

void AutomatonBuilder::build(Automaton& out) {
    add_starts();
    find_empty();
    find_weights();
    flatten_rules();
    find_productive();
    if (!productive_[global(rules_.root, 0)])
        fail(ErrorCode::invalid_argument,
             "the grammar matches no text: every way through its rules leads back into them or to an empty "
             "class");
    emit(out);
}

Automaton::Automaton(GrammarRules rules, size_t most_bytes) {
    AutomatonBuilder(std::move(rules), most_bytes).build(*this);
    states_.shrink_to_fit();
    bytes_.shrink_to_fit();
    calls_.shrink_to_fit();
    if (memory_bytes() > most_bytes)
        fail(ErrorCode::out_of_budget,
             "the grammar is too large: compiled it takes {}, and all grammars together may take {}; "
             "simplify it, "
             "or raise --grammar-memory",
             human_bytes(memory_bytes()), human_bytes(most_bytes));
}

size_t Automaton::memory_bytes() const {
    return states_.capacity() * sizeof(State) + bytes_.capacity() * sizeof(ByteEdge) +
           calls_.capacity() * sizeof(CallEdge);
}

}  // namespace sluice
