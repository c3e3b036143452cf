// One rule on its way to become part of an Automaton: a nondeterministic automaton made from its expression
// (Thompson's construction), and the same without empty edges, deterministic where that stays small.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/grammar/rules.h"

namespace sluice {

/// Around the names of control tokens, as bytes of the text: never part of UTF-8, so no rule for text
/// matches it.
inline constexpr uint8_t control_mark = 0xFF;

struct Nfa {
    enum class EdgeKind : uint8_t { empty, bytes, call };
    struct Edge {
        EdgeKind kind;
        uint8_t first, last;  // bytes
        uint32_t symbol;      // call: an index the caller gave out
        uint32_t to;
    };
    struct State {
        std::vector<Edge> edges{};
    };
    std::vector<State> states;
    uint32_t start = 0, end = 0;

    uint32_t add_state() {
        states.push_back({});
        return uint32_t(states.size() - 1);
    }
    void add_empty(uint32_t from, uint32_t to) {
        states[from].edges.push_back({EdgeKind::empty, 0, 0, 0, to});
    }
    void add_bytes(uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
        states[from].edges.push_back({EdgeKind::bytes, first, last, 0, to});
    }
    void add_call(uint32_t from, uint32_t symbol, uint32_t to) {
        states[from].edges.push_back({EdgeKind::call, 0, 0, symbol, to});
    }
    /// Paths from `from` to `to` that spell one code point of the ranges in UTF-8.
    void add_chars(uint32_t from, const std::vector<CharRange>& ranges, uint32_t to);
    /// Paths that spell any bytes up to and with the first occurrence of `text`.
    void add_until(uint32_t from, std::string_view text, uint32_t to);
};

/// Without empty edges: state 0 is the start.
struct FlatRule {
    struct State {
        bool final = false;
        std::vector<Nfa::Edge> edges{};  // bytes and calls
    };
    std::vector<State> states;
};

/// Spends from `budget` (edges looked at); throws out_of_budget when it is used up.
FlatRule flatten(const Nfa& nfa, uint64_t& budget);

}  // namespace sluice
