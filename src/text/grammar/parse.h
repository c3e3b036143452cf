// Where a text stands in a grammar: all ways to read what has come so far, followed byte by byte, with cheap
// ways back. A configuration is a state of the automaton and a stack of calls to return to; stacks share
// their nodes (Tomita's graph-structured stack), so ambiguous and left-recursive grammars need no more than
// one node for each call, place and count. Sizes are bounded; beyond them advance() throws out_of_budget.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "text/grammar/automaton.h"

namespace sluice {

class Parse {
  public:
    /// A call to return from. The rule called is on its (count)th turn; afterwards `rest` more are possible
    /// and `need` of them must follow.
    struct Node {
        uint32_t start, back;  // of the call edge
        uint32_t rest, need;   // rest `Automaton::none`: without end
        uint32_t links;        // first of the stacks below it; Automaton::none: nothing is below, the bottom
        bool counted;
    };
    struct Config {
        uint32_t state, node;
        bool operator==(const Config&) const = default;
    };

    static constexpr uint32_t bottom = 0;

    /// At a start of the automaton, nothing read.
    Parse(std::shared_ptr<const Automaton> automaton, GrammarStart start);
    /// At one state, what called it unknown: bottom, or a counted call on top of it.
    static Parse within(std::shared_ptr<const Automaton> automaton, uint32_t state, const Node* counted);

    /// Reads a byte; false: no way to read it, and nothing has changed.
    bool advance(uint8_t byte);
    /// All of them, or none.
    bool advance(std::string_view bytes);
    /// Takes back the last advance (also enter_pop) that was not forgotten.
    void back();
    /// How many can be taken back.
    size_t depth() const { return levels_.size() - 1; }
    void back_to(size_t depth);
    /// Makes what was read final and frees what is no longer needed.
    void forget_past();

    /// The text may end here. (within(): the rule may.)
    bool complete() const { return levels_.back().complete; }
    /// The text must end here: nothing can follow.
    bool exhausted() const;
    /// The configurations that can read a byte, in a fixed order.
    std::vector<Config> active() const;
    std::span<const Config> configs() const {
        return {configs_.data() + levels_.back().configs, configs_.data() + configs_.size()};
    }
    const Node& node(uint32_t n) const { return nodes_[n]; }
    /// The nodes directly below.
    std::vector<uint32_t> below(uint32_t n) const;
    /// As if the rules called from these nodes had just ended, without reading a byte.
    void enter_pop(const std::vector<uint32_t>& nodes);
    /// Bytes that can be read next.
    std::array<bool, 256> first_bytes() const;

    /// Equal for two parses of one automaton only if the same texts can follow. Empty if it would be long.
    std::string fingerprint() const;
    const Automaton& automaton() const { return *automaton_; }
    /// Of its stacks, as they are now.
    size_t memory_bytes() const {
        return nodes_.capacity() * sizeof(Node) + links_.capacity() * sizeof(Link) +
               configs_.capacity() * sizeof(Config) + levels_.capacity() * sizeof(Level) + seen_.size() * 32;
    }
    /// Steps taken so far: what a caller's patience is measured in.
    uint64_t work() const { return work_; }

  private:
    struct Link {
        uint32_t node, next;
    };
    struct Level {  // one place in the text: what was added for it lies behind these sizes
        uint32_t configs, nodes, links;
        bool complete = false;
    };
    explicit Parse(std::shared_ptr<const Automaton> automaton) : automaton_(std::move(automaton)) {}
    void begin_level();
    void close();
    void add(Config c);
    bool is_new(Config c);
    void pop(uint32_t n);
    void leave(const Node& n);
    uint32_t push(const Node& like, uint32_t below);
    void add_link(uint32_t node, uint32_t below);

    std::shared_ptr<const Automaton> automaton_;
    std::vector<Node> nodes_;
    std::vector<Link> links_;
    std::vector<Config> configs_;
    std::vector<Level> levels_;
    std::unordered_set<uint64_t> seen_;  // of a level with many configurations
    uint64_t work_ = 0;
    size_t collect_at_ = 1024;  // nodes at which forget_past() frees
};

}  // namespace sluice
