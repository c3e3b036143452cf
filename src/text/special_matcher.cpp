#include "text/special_matcher.h"

#include <algorithm>

namespace sluice {

uint32_t SpecialMatcher::child(uint32_t node, uint8_t byte) const {
    for (const auto& [b, next] : nodes_[node].children)
        if (b == byte) return next;
    return 0;
}

void SpecialMatcher::add(std::string_view text, TokenId id, bool trusted_only) {
    if (text.empty()) return;
    begins_[static_cast<uint8_t>(text[0])] = true;
    uint32_t node = 0;
    for (const char c : text) {
        uint32_t next = child(node, static_cast<uint8_t>(c));
        if (!next) {
            next = uint32_t(nodes_.size());
            nodes_[node].children.emplace_back(static_cast<uint8_t>(c), next);
            nodes_.emplace_back();
        }
        node = next;
    }
    TokenId& place = trusted_only ? nodes_[node].trusted_only : nodes_[node].anywhere;
    if (place < 0) place = id;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::match_at(std::string_view text, size_t at,
                                                              size_t trusted_end) const {
    std::optional<Match> best;
    uint32_t node = 0;
    for (size_t end = at; end < text.size();) {
        node = child(node, static_cast<uint8_t>(text[end]));
        if (!node) break;
        ++end;
        const Node& n = nodes_[node];
        if (n.anywhere >= 0) best = Match{at, end, n.anywhere};
        if (n.trusted_only >= 0 && end <= trusted_end) best = Match{at, end, n.trusted_only};
    }
    return best;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::find(std::string_view text, size_t from,
                                                          std::span<const TextRange> trusted) const {
    auto range = std::lower_bound(trusted.begin(), trusted.end(), from,
                                  [](const TextRange& r, size_t at) { return r.end <= at; });
    for (size_t at = from; at < text.size(); ++at) {
        if (!begins_[static_cast<uint8_t>(text[at])]) continue;
        while (range != trusted.end() && range->end <= at) ++range;
        const bool inside = range != trusted.end() && range->begin <= at;
        if (const auto m = match_at(text, at, inside ? range->end : 0)) return m;
    }
    return {};
}

}  // namespace sluice
