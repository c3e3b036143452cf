#include "text/grammar/nfa.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>

#include "core/fail.h"

namespace sluice {

namespace {

/// A range of code points of one length in UTF-8, `length` bytes: divided until each byte is a range of its
/// own.
void add_range(Nfa& nfa, uint32_t from, uint32_t first, uint32_t last, int length, uint32_t to) {
    const auto byte_of = [length](uint32_t c, int i) {  // the byte i of c
        const int shift = 6 * (length - 1 - i);
        if (i > 0) return uint8_t(0x80 | ((c >> shift) & 63));
        constexpr std::array<uint8_t, 5> lead{0, 0, 0xC0, 0xE0, 0xF0};
        return uint8_t(lead[size_t(length)] | (c >> shift));
    };
    for (int i = 1; i < length; ++i) {
        const uint32_t below = (1u << (6 * i)) - 1;  // the last i bytes
        if ((first & ~below) == (last & ~below)) continue;
        if ((first & below) != 0) {
            add_range(nfa, from, first, first | below, length, to);
            return add_range(nfa, from, (first | below) + 1, last, length, to);
        }
        if ((last & below) != below) {
            add_range(nfa, from, first, (last & ~below) - 1, length, to);
            return add_range(nfa, from, last & ~below, last, length, to);
        }
    }
    uint32_t at = from;
    for (int i = 0; i < length; ++i) {
        const uint32_t next = i + 1 == length ? to : nfa.add_state();
        nfa.add_bytes(at, byte_of(first, i), byte_of(last, i), next);
        at = next;
    }
}

using Set = std::vector<uint32_t>;  // sorted states

class Flattening {
  public:
    Flattening(const Nfa& nfa, uint64_t& budget) : nfa_(nfa), budget_(budget), seen_(nfa.states.size(), 0) {}

    /// None: it would grow beyond what determinism is worth.
    std::optional<FlatRule> deterministic();
    FlatRule nondeterministic();

  private:
    void spend(uint64_t n) {
        if (n > budget_)
            fail(ErrorCode::out_of_budget,
                 "the grammar is too large: its automaton has too many edges; simplify it");
        budget_ -= n;
    }
    Set closure(Set from);
    std::vector<std::pair<Nfa::Edge, Set>> steps(const Set& set);

    const Nfa& nfa_;
    uint64_t& budget_;
    std::vector<uint32_t> seen_;
    uint32_t round_ = 0;
};

Set Flattening::closure(Set set) {
    ++round_;
    Set out;
    for (const uint32_t s : set) seen_[s] = round_;
    while (!set.empty()) {
        const uint32_t s = set.back();
        set.pop_back();
        out.push_back(s);
        spend(1 + nfa_.states[s].edges.size());
        for (const auto& e : nfa_.states[s].edges)
            if (e.kind == Nfa::EdgeKind::empty && seen_[e.to] != round_) {
                seen_[e.to] = round_;
                set.push_back(e.to);
            }
    }
    std::sort(out.begin(), out.end());
    return out;
}

/// Where a set of states goes: by disjoint ranges of bytes, and by each call.
std::vector<std::pair<Nfa::Edge, Set>> Flattening::steps(const Set& set) {
    std::vector<Nfa::Edge> bytes;
    std::map<uint32_t, Set> calls;
    std::array<bool, 257> cuts{};
    for (const uint32_t s : set)
        for (const auto& e : nfa_.states[s].edges) {
            if (e.kind == Nfa::EdgeKind::call) calls[e.symbol].push_back(e.to);
            if (e.kind != Nfa::EdgeKind::bytes) continue;
            bytes.push_back(e);
            cuts[e.first] = cuts[size_t(e.last) + 1] = true;
        }
    std::vector<std::pair<Nfa::Edge, Set>> out;
    for (int first = 0; first < 256 && !bytes.empty();) {
        int last = first;
        while (last < 255 && !cuts[size_t(last) + 1]) ++last;
        Set to;
        for (const auto& e : bytes)
            if (e.first <= first && last <= e.last) to.push_back(e.to);
        spend(bytes.size());
        if (!to.empty()) {
            to = closure(std::move(to));
            if (!out.empty() && out.back().first.last + 1 == first && out.back().second == to)
                out.back().first.last = uint8_t(last);
            else
                out.push_back({{Nfa::EdgeKind::bytes, uint8_t(first), uint8_t(last), 0, 0}, std::move(to)});
        }
        first = last + 1;
    }
    for (auto& [symbol, to] : calls)
        out.push_back({{Nfa::EdgeKind::call, 0, 0, symbol, 0}, closure(std::move(to))});
    return out;
}

std::optional<FlatRule> Flattening::deterministic() {
    const size_t most_states = 4 * nfa_.states.size() + 64;
    uint64_t held = 0;
    const uint64_t most_held = 64 * nfa_.states.size() + 100'000;
    std::map<Set, uint32_t> ids;
    std::vector<const Set*> sets;
    FlatRule rule;
    const auto id_of = [&](Set set) {
        held += set.size();
        const auto [it, is_new] = ids.emplace(std::move(set), uint32_t(sets.size()));
        if (is_new) sets.push_back(&it->first);
        return it->second;
    };
    id_of(closure({nfa_.start}));
    for (size_t i = 0; i < sets.size(); ++i) {
        if (sets.size() > most_states || held > most_held) return std::nullopt;
        FlatRule::State state;
        state.final = std::binary_search(sets[i]->begin(), sets[i]->end(), nfa_.end);
        for (auto& [edge, to] : steps(*sets[i])) {
            edge.to = id_of(std::move(to));
            state.edges.push_back(edge);
        }
        rule.states.push_back(std::move(state));
    }
    return rule;
}

FlatRule Flattening::nondeterministic() {
    FlatRule rule;
    // State 0 must be the start: exchange the two.
    const auto renamed = [&](uint32_t s) { return s == nfa_.start ? 0 : s == 0 ? nfa_.start : s; };
    rule.states.resize(nfa_.states.size());
    for (uint32_t s = 0; s < nfa_.states.size(); ++s) {
        FlatRule::State& state = rule.states[renamed(s)];
        for (const uint32_t reached : closure({s})) {
            state.final |= reached == nfa_.end;
            for (Nfa::Edge e : nfa_.states[reached].edges) {
                if (e.kind == Nfa::EdgeKind::empty) continue;
                e.to = renamed(e.to);
                spend(1);
                state.edges.push_back(e);
            }
        }
    }
    return rule;
}

}  // namespace

void Nfa::add_chars(uint32_t from, const std::vector<CharRange>& ranges, uint32_t to) {
    constexpr std::array<uint32_t, 5> limits{0, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    for (const CharRange& r : ranges)
        for (int length = 1; length <= 4; ++length) {
            const uint32_t least = length == 1 ? 0 : limits[size_t(length) - 1] + 1;
            const uint32_t first = std::max<uint32_t>(r.first, least);
            const uint32_t last = std::min<uint32_t>(r.last, limits[size_t(length)]);
            if (first <= last) add_range(*this, from, first, last, length, to);
        }
}

/// Knuth, Morris and Pratt: state i has read the first i bytes of `text`.
void Nfa::add_until(uint32_t from, std::string_view text, uint32_t to) {
    std::vector<uint32_t> at{from};
    for (size_t i = 1; i < text.size(); ++i) at.push_back(add_state());
    at.push_back(to);
    std::vector<size_t> border(text.size() + 1, 0);  // of text[0, i): its longest proper prefix that ends it
    for (size_t i = 1; i < text.size(); ++i) {
        size_t b = border[i];
        while (b > 0 && text[b] != text[i]) b = border[b];
        border[i + 1] = b + (text[b] == text[i] ? 1 : 0);
    }
    for (size_t i = 0; i < text.size(); ++i)
        for (int byte = 0; byte < control_mark; ++byte) {
            size_t b = i;
            while (b > 0 && uint8_t(text[b]) != byte) b = border[b];
            add_bytes(at[i], uint8_t(byte), uint8_t(byte), at[b + (uint8_t(text[b]) == byte ? 1 : 0)]);
        }
}

FlatRule flatten(const Nfa& nfa, uint64_t& budget) {
    Flattening flattening(nfa, budget);
    if (auto rule = flattening.deterministic()) return std::move(*rule);
    return flattening.nondeterministic();
}

}  // namespace sluice
