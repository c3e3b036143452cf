// The KV cache of one sequence: encoded rows, in pages that are taken as the sequence grows, so that a
// context of 160k tokens costs nothing before it is used. A page holds page_tokens positions of all layers.
//
//   GQA: in each layer the keys of one head's page_tokens positions lie together, head after head, then the
//   values likewise: attention reads them in order of memory, a head at a time
//   MLA: each position keeps one row of kv_lora + rope values; the values attention sums are its first
//   kv_lora ones
//
// Which positions are valid is size(); a forward pass writes behind it and commits by grow(). Full pages are
// never written again while they are part of a cache, so several caches may share them: a row depends on the
// tokens up to its own and on nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/memory.h"
#include "kernels/kernel_table.h"
#include "model/hparams.h"

namespace sluice {

struct KvLayout {
    KvFormat format = KvFormat::f16;
    uint32_t n_layers = 0, heads = 1;
    uint32_t key_width = 0;
    uint32_t value_width = 0;  // stored apart; 0: values lie in the keys (MLA)

    KvLayout() = default;
    KvLayout(const HyperParams& params, KvFormat format);
    uint64_t key_bytes() const { return kv_row_bytes(format, key_width); }
    uint64_t value_bytes() const { return value_width ? kv_row_bytes(format, value_width) : 0; }
    uint64_t bytes_per_token_and_layer() const { return heads * (key_bytes() + value_bytes()); }
    uint64_t bytes_per_token() const { return n_layers * bytes_per_token_and_layer(); }
};

using KvPage = std::shared_ptr<Memory>;

class KvCache {
  public:
    static constexpr uint32_t page_tokens = 64;

    KvCache(const KvLayout& layout, uint32_t capacity) : layout_(layout), capacity_(capacity) {}

    const KvLayout& layout() const { return layout_; }
    uint32_t size() const { return size_; }
    uint32_t capacity() const { return capacity_; }
    uint64_t allocated_bytes() const { return pages_.size() * page_bytes(); }

    /// Takes the pages for positions [0, n). Throws out_of_budget if n exceeds the capacity or memory is
    /// refused.
    void reserve(uint32_t n);
    /// Positions [size, size + n) are written in all layers.
    void grow(uint32_t n) { size_ += n; }
    /// Forgets positions from n on; pages beyond the one that holds n are given back. Not for a cache whose
    /// full pages are shared: its next rows would be written into one of them.
    void truncate(uint32_t n);

    /// The empty cache becomes the first n positions that lie in `pages`: full pages are shared, what is used
    /// of the last one is copied if it is not full, because it will be written.
    void adopt(std::span<const KvPage> pages, uint32_t n);
    /// The next page_tokens positions lie in `page`, which is shared. Only at a page's beginning.
    void adopt_next(KvPage page);
    std::span<const KvPage> pages() const { return pages_; }
    /// To put pages of other caches with the same rows in the place of full ones.
    std::span<KvPage> pages_to_share() { return pages_; }
    static uint64_t pages_for(uint64_t tokens) { return (tokens + page_tokens - 1) / page_tokens; }
    uint64_t page_bytes() const { return page_tokens * layout_.bytes_per_token(); }

    /// Encoded rows of one head at a position that reserve() covers. A row's neighbours at the next positions
    /// of the same page follow at a distance of key_stride() and value_stride().
    std::byte* key(uint32_t layer, uint32_t position, uint32_t head) const;
    std::byte* value(uint32_t layer, uint32_t position, uint32_t head) const;
    uint64_t key_stride() const { return layout_.key_bytes(); }
    uint64_t value_stride() const { return layout_.value_bytes(); }

  private:
    void add_page();

    KvLayout layout_;
    uint32_t capacity_, size_ = 0;
    std::vector<KvPage> pages_;
};

}  // namespace sluice
