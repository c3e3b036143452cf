#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

namespace sluice {

size_t PrefixCache::common(std::span<const TokenId> a, std::span<const TokenId> b) {
    return size_t(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

std::pair<PrefixCache::Node*, size_t> PrefixCache::best_child(const Node& node,
                                                              std::span<const TokenId> rest) {
    std::pair<Node*, size_t> best{nullptr, 0};
    for (const auto& child : node.children)
        if (const size_t n = common(child->tokens, rest); n > best.second) best = {child.get(), n};
    return best;
}

PrefixCache::Match PrefixCache::find(std::span<const TokenId> tokens) {
    Match match;
    const uint64_t now = ++clock_;
    for (const Node* node = &root_;;) {
        const auto [child, n] = best_child(*node, tokens.subspan(match.tokens));
        if (!child) break;
        child->used = now;
        match.pages.push_back(child->page);
        match.tokens += uint32_t(n);
        if (n < KvCache::page_tokens) break;
        node = child;
    }
    return match;
}

uint32_t PrefixCache::length(std::span<const TokenId> tokens) const {
    uint32_t length = 0;
    for (const Node* node = &root_;;) {
        const auto [child, n] = best_child(*node, tokens.subspan(length));
        length += uint32_t(n);
        if (!child || n < KvCache::page_tokens) return length;
        node = child;
    }
}

void PrefixCache::insert(std::span<const TokenId> tokens, std::span<KvPage> pages) {
    ++clock_;
    Node* node = &root_;
    for (size_t i = 0; node && i * KvCache::page_tokens < tokens.size(); ++i) {
        const auto rest = tokens.subspan(i * KvCache::page_tokens);
        node = child_for(*node, rest.first(std::min<size_t>(rest.size(), KvCache::page_tokens)), pages[i]);
    }
}

/// The child that holds `chunk`, made or extended if need be; none if a longer one holds it already.
PrefixCache::Node* PrefixCache::child_for(Node& node, std::span<const TokenId> chunk, KvPage& page) {
    const auto [child, n] = best_child(node, chunk);
    if (child && n == chunk.size()) {
        child->used = clock_;
        if (n == KvCache::page_tokens) page = child->page;
        return n == KvCache::page_tokens ? child : nullptr;
    }
    if (child && n == child->tokens.size()) {  // a leaf that the chunk goes on from
        child->tokens.assign(chunk.begin(), chunk.end());
        child->page = page;
        child->used = clock_;
        return child;
    }
    node.children.push_back(std::make_unique<Node>(Node{{chunk.begin(), chunk.end()}, page, clock_, {}}));
    ++n_pages_;
    return node.children.back().get();
}

void PrefixCache::oldest_leaf(Node& node, Node*& parent, size_t& index, uint64_t& used) {
    for (size_t i = 0; i < node.children.size(); ++i) {
        Node& child = *node.children[i];
        if (!child.children.empty())
            oldest_leaf(child, parent, index, used);
        else if (child.used < used && child.page.use_count() == 1)
            parent = &node, index = i, used = child.used;
    }
}

uint64_t PrefixCache::evict(uint64_t n) {
    uint64_t given = 0;
    for (; given < n; ++given) {
        Node* parent = nullptr;
        size_t index = 0;
        uint64_t used = UINT64_MAX;
        oldest_leaf(root_, parent, index, used);
        if (!parent) break;
        parent->children.erase(parent->children.begin() + ptrdiff_t(index));
        --n_pages_;
    }
    return given;
}

}  // namespace sluice
