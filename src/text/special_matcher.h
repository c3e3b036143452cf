// Finds special tokens in text: the longest one at each place, from the left.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "text/rendered.h"

namespace sluice {

using TokenId = int32_t;

class SpecialMatcher {
  public:
    SpecialMatcher() { nodes_.emplace_back(); }
    /// trusted_only: recognised only where the whole text of the token lies in one trusted range.
    void add(std::string_view text, TokenId id, bool trusted_only);

    struct Match {
        size_t begin, end;
        TokenId id;
    };
    /// The first match at or after `from`. trusted: sorted ranges of the whole text.
    std::optional<Match> find(std::string_view text, size_t from, std::span<const TextRange> trusted) const;

  private:
    struct Node {
        std::vector<std::pair<uint8_t, uint32_t>> children;
        TokenId anywhere = -1, trusted_only = -1;
    };
    uint32_t child(uint32_t node, uint8_t byte) const;
    std::optional<Match> match_at(std::string_view text, size_t at, size_t trusted_end) const;

    std::vector<Node> nodes_;         // a trie; 0 is the root
    std::array<bool, 256> begins_{};  // bytes that some special token begins with
};

}  // namespace sluice
