#include "model/kv_cache.h"

#include <cstring>

#include "core/fail.h"

namespace sluice {

KvLayout::KvLayout(const HyperParams& p, KvFormat kv_format) : format(kv_format), n_layers(p.n_layers) {
    if (p.attention == AttentionKind::mla) {
        key_width = p.kv_lora_rank + p.rope.dims;
    } else {
        heads = p.n_kv_heads;
        key_width = p.key_width;
        value_width = p.value_width;
    }
}

void KvCache::reserve(uint32_t n) {
    if (n > capacity_)
        fail(ErrorCode::out_of_budget,
             "{} tokens do not fit in the context of {} tokens; shorten the prompt or raise --ctx", n,
             capacity_);
    while (uint64_t(pages_.size()) * page_tokens < n) add_page();
}

void KvCache::add_page() {
    pages_.push_back(std::make_shared<Memory>(Memory::exact(page_bytes())));
}

void KvCache::adopt(std::span<const KvPage> pages, uint32_t n) {
    if (n > capacity_ || size_ || pages.size() * page_tokens < n)
        fail(ErrorCode::internal, "expected {} positions in {} pages for an empty cache of {}", n,
             pages.size(), capacity_);
    pages_.assign(pages.begin(), pages.begin() + n / page_tokens);
    if (n % page_tokens) {
        add_page();
        std::memcpy(pages_.back()->data(), pages[n / page_tokens]->data(), page_bytes());
    }
    size_ = n;
}

void KvCache::adopt_next(KvPage page) {
    if (size_ % page_tokens || pages_.size() * page_tokens != size_ || size_ + page_tokens > capacity_)
        fail(ErrorCode::internal,
             "expected {} full pages of a cache of {} before one is adopted, found {} tokens", pages_.size(),
             capacity_, size_);
    pages_.push_back(std::move(page));
    size_ += page_tokens;
}

void KvCache::truncate(uint32_t n) {
    if (n >= size_) return;
    size_ = n;
    pages_.resize(std::min<size_t>(pages_.size(), (n + page_tokens - 1) / page_tokens));
}

std::byte* KvCache::key(uint32_t layer, uint32_t position, uint32_t head) const {
    std::byte* in_layer =
        pages_[position / page_tokens]->data() + layer * page_tokens * layout_.bytes_per_token_and_layer();
    return in_layer + (head * page_tokens + position % page_tokens) * key_stride();
}

std::byte* KvCache::value(uint32_t layer, uint32_t position, uint32_t head) const {
    std::byte* in_layer =
        pages_[position / page_tokens]->data() + layer * page_tokens * layout_.bytes_per_token_and_layer();
    return in_layer + layout_.heads * page_tokens * key_stride() +
           (head * page_tokens + position % page_tokens) * value_stride();
}

}  // namespace sluice
