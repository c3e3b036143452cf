#include "text/grammar/token_trie.h"

#include <algorithm>

namespace sluice {

TokenTrie::TokenTrie(std::vector<std::pair<std::string_view, TokenId>> tokens) {
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    std::vector<uint32_t> path;  // nodes that spell the bytes before
    std::string_view before;
    const auto leave = [&](size_t depth) {
        for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = uint32_t(nodes_.size());
    };
    for (const auto& [bytes, id] : tokens) {
        if (bytes.empty()) continue;
        size_t same = 0;
        while (same < std::min(bytes.size(), before.size()) && bytes[same] == before[same]) ++same;
        leave(same);
        for (size_t i = same; i < bytes.size(); ++i) {
            path.push_back(uint32_t(nodes_.size()));
            nodes_.push_back({uint8_t(bytes[i]), 0, uint32_t(ids_.size())});
        }
        ids_.push_back(id);
        before = bytes;
    }
    leave(0);
    nodes_.push_back({0, uint32_t(nodes_.size()) + 1, uint32_t(ids_.size())});
}

}  // namespace sluice
