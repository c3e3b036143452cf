// A grammar compiled: a pushdown automaton over bytes. Each rule is a small finite automaton whose edges are
// ranges of bytes or calls of other rules; a call remembers where to go on. Rules are made deterministic
// where that does not make them much larger. Long repetitions are not unrolled: their call counts
// (CallEdge::max).
//
// Every state can reach the end of the text: what leads nowhere was removed, so a text that still has a state
// can always be completed. Rules may match the empty text; calls then have a way around them, so a call never
// needs to end where it began. Immutable: usable from several threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "text/grammar/rules.h"

namespace sluice {

/// How an answer under a grammar begins.
enum class GrammarStart : uint8_t {
    answer,           // with the grammar's text
    inside_thinking,  // inside <think>: anything up to </think>, then up to two newlines and the grammar's
                      // text
    may_think,        // with either the text or <think>
};

class Automaton {
  public:
    static constexpr uint32_t none = UINT32_MAX;

    struct ByteEdge {
        uint8_t first, last;
        uint32_t to;
    };
    struct CallEdge {
        uint32_t start;     // of the rule called
        uint32_t back;      // where to go on after it
        uint32_t min, max;  // how often it is called in a row; max `none`: any number of times
        bool tail;          // nothing follows at `back`: the caller's own end is the end
        bool counted() const { return min != 1 || max != 1; }
    };
    struct State {
        uint32_t bytes_begin = 0, bytes_end = 0, calls_begin = 0, calls_end = 0;
        bool final = false;  // the rule may end here
        bool plain() const { return !final && calls_begin == calls_end; }
    };

    /// Throws invalid_argument if no text matches, out_of_budget if the grammar is too large: in itself, or
    /// for the bytes that it may take.
    explicit Automaton(GrammarRules rules, size_t most_bytes = SIZE_MAX);

    uint32_t start(GrammarStart how) const { return starts_[size_t(how)]; }
    const State& state(uint32_t s) const { return states_[s]; }
    std::span<const ByteEdge> bytes(const State& s) const {
        return {bytes_.data() + s.bytes_begin, bytes_.data() + s.bytes_end};
    }
    std::span<const CallEdge> calls(const State& s) const {
        return {calls_.data() + s.calls_begin, calls_.data() + s.calls_end};
    }
    size_t size() const { return states_.size(); }
    size_t memory_bytes() const;

  private:
    friend class AutomatonBuilder;
    std::vector<State> states_;
    std::vector<ByteEdge>
        bytes_;  // of a state: sorted; they overlap only where a rule stayed nondeterministic
    std::vector<CallEdge> calls_;
    std::array<uint32_t, 3> starts_{};
};

}  // namespace sluice
