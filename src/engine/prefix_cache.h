// Beginnings of texts whose KV rows are at hand: system prompts, earlier turns. A tree of pages: each node
// holds the rows of up to page_tokens tokens that follow its parent's; equal beginnings share their nodes.
// Sequences that run adopt pages from here and give theirs back when they end. What was not used for longest
// leaves first, from the leaves. For one thread.
//
// A row depends on the tokens up to its own alone (promise 1), so reuse never changes an answer.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "sluice/engine.h"

#include "model/kv_cache.h"

namespace sluice {

class PrefixCache {
  public:
    struct Match {
        std::vector<KvPage> pages{};
        uint32_t tokens = 0;  // positions of them that fit; the last page may hold more
    };
    /// The longest beginning of `tokens` that is held; counts as a use of it.
    Match find(std::span<const TokenId> tokens);
    /// How long it is, without a use.
    uint32_t length(std::span<const TokenId> tokens) const;
    /// Holds the rows of `tokens` in `pages` from now on. Full pages that were held already take the place of
    /// the given ones, so that there is one of each.
    void insert(std::span<const TokenId> tokens, std::span<KvPage> pages);
    /// Gives back at least n pages that nobody else uses, if there are so many; returns how many it gave.
    uint64_t evict(uint64_t n);
    uint64_t pages() const { return n_pages_; }

  private:
    struct Node {
        std::vector<TokenId> tokens{};  // page_tokens; fewer only in a leaf
        KvPage page{};
        uint64_t used = 0;
        std::vector<std::unique_ptr<Node>> children{};
    };
    static size_t common(std::span<const TokenId> a, std::span<const TokenId> b);
    /// The child with most tokens in common with the beginning of `rest`, and how many.
    static std::pair<Node*, size_t> best_child(const Node& node, std::span<const TokenId> rest);
    Node* child_for(Node& node, std::span<const TokenId> chunk, KvPage& page);
    static void oldest_leaf(Node& node, Node*& parent, size_t& index, uint64_t& used);

    Node root_;
    uint64_t clock_ = 0, n_pages_ = 0;
};

}  // namespace sluice
