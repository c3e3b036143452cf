// Tokens by their bytes, as a tree in one array: a node is followed by its subtree, siblings in order of
// their bytes, so that a walk goes through memory once and leaves out what cannot follow in one step.
// Immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "text/special_matcher.h"

namespace sluice {

class TokenTrie {
  public:
    struct Node {
        uint8_t byte;
        uint32_t end;     // index after its subtree
        uint32_t tokens;  // those that end here: from this index of ids to the next node's
    };

    TokenTrie() : nodes_{{0, 0, 0}} {}
    /// Several tokens may have the same bytes, and a token several. Empty bytes are left out.
    explicit TokenTrie(std::vector<std::pair<std::string_view, TokenId>> tokens);

    uint32_t size() const { return uint32_t(nodes_.size() - 1); }
    const Node& node(uint32_t i) const { return nodes_[i]; }
    /// The tokens that end at node i.
    std::span<const TokenId> at(uint32_t i) const {
        return {ids_.data() + nodes_[i].tokens, ids_.data() + nodes_[i + 1].tokens};
    }
    /// Those that end below it.
    std::span<const TokenId> below(uint32_t i) const {
        return {ids_.data() + nodes_[i + 1].tokens, ids_.data() + nodes_[nodes_[i].end].tokens};
    }
    size_t memory_bytes() const {
        return nodes_.capacity() * sizeof(Node) + ids_.capacity() * sizeof(TokenId);
    }

  private:
    std::vector<Node> nodes_;  // and one behind the last, whose `tokens` is the number of ids
    std::vector<TokenId> ids_;
};

}  // namespace sluice
