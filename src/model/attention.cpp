#include "model/attention.h"

#include <algorithm>
#include <limits>

namespace sluice {

namespace {

constexpr AttentionState nothing{-std::numeric_limits<float>::infinity(), 0.0f};

/// Queries that read the same positions of one KV head together, so that a tile is decoded once for all.
struct Block {
    const AttentionSpan* span;
    uint32_t token, n_tokens;  // of the span
    uint32_t kv_head, head, n_heads;
    uint32_t first_query;  // counted over all blocks

    uint32_t n_queries() const { return n_tokens * n_heads; }
    uint32_t token_of(uint32_t query) const { return token + query / n_heads; }
    uint32_t head_of(uint32_t query) const { return head + query % n_heads; }
    /// One beyond the last position that a query, or any of them, sees.
    uint32_t end_of(uint32_t query) const { return span->first_position + token_of(query) + 1; }
    uint32_t end() const { return end_of(n_queries() - 1); }
    uint32_t n_chunks() const { return (end() + attention_chunk - 1) / attention_chunk; }
};

AttentionShape shape_of(const AttentionCall& call, const KvLayout& layout) {
    const bool in_keys = layout.value_width == 0;
    return {layout.format, layout.key_width, call.value_width, in_keys ? call.value_width : layout.key_width,
            in_keys};
}

/// One call of attend(), over caches of one format: how it is divided, and its parts.
class Attention {
  public:
    Attention(Kernels& kernels, const AttentionCall& call, std::span<const AttentionSpan> spans)
        : kernels_(kernels),
          table_(kernels.table()),
          call_(call),
          layout_(spans[0].cache->layout()),
          shape_(shape_of(call, layout_)),
          out_width_(attention_width(call.value_width)) {
        divide(spans);
    }

    void run() {
        if (chunks_at_once_ == 0) {
            kernels_.each(uint32_t(blocks_.size()), [&](uint32_t i, uint32_t worker) {
                Worker w(*this, blocks_[i], worker);
                for (uint32_t c = 0; c < blocks_[i].n_chunks(); ++c) {
                    w.run_chunk(c, w.states, w.outs);
                    for (uint32_t q = 0; q < blocks_[i].n_queries(); ++q)
                        merge(blocks_[i], q, w.states[q], w.outs + uint64_t(q) * out_width_);
                }
            });
        } else {
            run_in_rounds();
        }
        for (const Block& b : blocks_)
            for (uint32_t q = 0; q < b.n_queries(); ++q) {
                const float scale = 1.0f / totals_[b.first_query + q].sum;
                float* o = out(b, q);
                for (uint32_t j = 0; j < call_.value_width; ++j) o[j] *= scale;
            }
    }

  private:
    /// A worker's buffers for one block.
    struct Worker {
        Worker(Attention& a, const Block& b, uint32_t worker) : attention(a), block(b) {
            const uint64_t query_bytes = attention_query_bytes(a.shape_);
            auto* p = reinterpret_cast<std::byte*>(
                a.kernels_.scratch(worker, attention_scratch(a.shape_) / sizeof(float)));
            tile = p;
            queries = p + attention_tile_bytes(a.shape_);
            outs = reinterpret_cast<float*>(queries + attention_queries * query_bytes);
            for (uint32_t q = 0; q < b.n_queries(); ++q) {
                const float* query = a.call_.queries.row(b.span->row + b.token_of(q)) +
                                     uint64_t(b.head_of(q)) * a.layout_.key_width;
                a.table_.attention_query(a.shape_, query, queries + q * query_bytes);
            }
        }
        void run_chunk(uint32_t chunk, AttentionState* to_states, float* to_outs);
        void fold_tile(uint32_t position, uint32_t end, AttentionState* to_states, float* to_outs);

        Attention& attention;
        const Block& block;
        std::byte *tile, *queries;
        float* outs;
        AttentionState states[attention_queries];
    };

    void divide(std::span<const AttentionSpan> spans);
    void run_in_rounds();

    float* out(const Block& b, uint32_t query) const {
        return call_.out.row(b.span->row + b.token_of(query)) +
               uint64_t(b.head_of(query)) * call_.value_width;
    }
    void merge(const Block& b, uint32_t query, const AttentionState& state, const float* from) {
        table_.attend_merge(state, from, totals_[b.first_query + query], out(b, query), call_.value_width);
    }

    Kernels& kernels_;
    const KernelTable& table_;
    const AttentionCall& call_;
    const KvLayout& layout_;
    const AttentionShape shape_;
    const uint32_t out_width_;
    std::vector<Block> blocks_;
    std::vector<AttentionState> totals_;  // of each query
    uint32_t chunks_at_once_ = 0;         // of each block; 0: a block's chunks are one task
};

/// Blocks of queries; and if there are too few of them for the workers, fewer heads in each, and chunks
/// apart.
void Attention::divide(std::span<const AttentionSpan> spans) {
    const uint32_t workers = kernels_.pool().size(), group = call_.n_heads / layout_.heads;
    const uint32_t wanted = workers == 1 ? 1 : 3 * workers;
    const uint32_t heads_at_once = std::min(group, attention_queries),
                   tokens_at_once = attention_queries / heads_at_once;
    uint64_t n_blocks = 0, chunks = 0;  // of the longest
    for (const AttentionSpan& s : spans) {
        n_blocks += (s.count + tokens_at_once - 1) / tokens_at_once * layout_.heads *
                    ((group + heads_at_once - 1) / heads_at_once);
        chunks =
            std::max<uint64_t>(chunks, (s.first_position + s.count + attention_chunk - 1) / attention_chunk);
    }
    // Heads that are divided decode their tiles once more each: only as far as cores would idle otherwise.
    const uint64_t splits =
        std::clamp<uint64_t>((wanted + n_blocks * chunks - 1) / (n_blocks * chunks), 1, workers);
    const uint32_t heads = uint32_t((heads_at_once + splits - 1) / splits);
    if (n_blocks < wanted && chunks > 1 && workers > 1)
        chunks_at_once_ = uint32_t(std::min<uint64_t>(chunks, (8 * workers + n_blocks - 1) / n_blocks));
    uint32_t queries = 0;
    for (const AttentionSpan& s : spans)
        for (uint32_t t = 0; t < s.count; t += tokens_at_once)
            for (uint32_t kv = 0; kv < layout_.heads; ++kv)
                for (uint32_t h = 0; h < group; h += heads) {
                    blocks_.push_back({&s, t, std::min(tokens_at_once, s.count - t), kv, kv * group + h,
                                       std::min(heads, group - h), queries});
                    queries += blocks_.back().n_queries();
                }
    totals_.assign(queries, nothing);
}

/// Some chunks of all blocks at a time, then their results merged in order of position.
void Attention::run_in_rounds() {
    uint32_t n_queries = 0, n_chunks = 0;
    for (const Block& b : blocks_) {
        n_queries += b.n_queries();
        n_chunks = std::max(n_chunks, b.n_chunks());
    }
    const uint32_t at_once = chunks_at_once_;
    float* outs = kernels_.shared_scratch(uint64_t(n_queries) * at_once * out_width_);
    std::vector<AttentionState> states(uint64_t(n_queries) * at_once);
    for (uint32_t first = 0; first < n_chunks; first += at_once) {
        const uint32_t here = std::min(at_once, n_chunks - first);
        kernels_.each(uint32_t(blocks_.size()) * here, [&](uint32_t i, uint32_t worker) {
            const Block& b = blocks_[i / here];
            const uint64_t slot = uint64_t(b.first_query) * at_once + i % here * b.n_queries();
            if (first + i % here < b.n_chunks())
                Worker(*this, b, worker)
                    .run_chunk(first + i % here, states.data() + slot, outs + slot * out_width_);
        });
        kernels_.each(uint32_t(blocks_.size()), [&](uint32_t i, uint32_t) {
            const Block& b = blocks_[i];
            for (uint32_t c = 0; c < here && first + c < b.n_chunks(); ++c)
                for (uint32_t q = 0; q < b.n_queries(); ++q) {
                    const uint64_t slot = uint64_t(b.first_query) * at_once + c * b.n_queries() + q;
                    merge(b, q, states[slot], outs + slot * out_width_);
                }
        });
    }
}

void Attention::Worker::run_chunk(uint32_t chunk, AttentionState* to_states, float* to_outs) {
    std::fill_n(to_states, block.n_queries(), nothing);
    std::fill_n(to_outs, uint64_t(block.n_queries()) * attention.out_width_, 0.0f);
    const uint32_t begin = chunk * attention_chunk, end = std::min(begin + attention_chunk, block.end());
    for (uint32_t p = begin; p < end; p += attention_tile) fold_tile(p, end, to_states, to_outs);
}

void Attention::Worker::fold_tile(uint32_t position, uint32_t end, AttentionState* to_states,
                                  float* to_outs) {
    const KvCache& cache = *block.span->cache;
    const uint32_t layer = attention.call_.layer, n = std::min(attention_tile, end - position);
    const AttentionShape& shape = attention.shape_;
    KvRows rows{cache.key(layer, position, block.kv_head),
                shape.values_in_keys ? nullptr : cache.value(layer, position, block.kv_head),
                cache.key_stride(), cache.value_stride(), n};
    if (const uint32_t next = position + attention_tile; next + attention_tile <= block.end()) {
        rows.next_keys = cache.key(layer, next, block.kv_head);
        if (!shape.values_in_keys) rows.next_values = cache.value(layer, next, block.kv_head);
    }
    attention.table_.attention_tile(shape, rows, tile);
    AttentionQuery seeing[attention_queries];
    uint32_t count = 0;
    for (uint32_t q = 0; q < block.n_queries(); ++q)
        if (block.end_of(q) > position)
            seeing[count++] = {queries + q * attention_query_bytes(shape), to_states + q,
                               to_outs + uint64_t(q) * attention.out_width_,
                               std::min(n, block.end_of(q) - position)};
    attention.table_.attend(shape, tile, seeing, count);
}

}  // namespace

uint64_t attention_scratch(const AttentionShape& shape) {
    return attention_tile_bytes(shape) +
           attention_queries *
               (attention_query_bytes(shape) + attention_width(shape.value_width) * sizeof(float));
}

uint64_t attention_shared_scratch(const AttentionShape& shape, uint32_t workers) {
    // Of fewer than 3 blocks a worker, each with 8 chunks a worker in all, and what rounding up adds.
    return 11ull * workers * attention_queries * attention_width(shape.value_width) * sizeof(float);
}

void attend(Kernels& kernels, const AttentionCall& call, std::span<const AttentionSpan> spans) {
    const auto format_of = [](const AttentionSpan& s) { return s.cache->layout().format; };
    if (std::all_of(spans.begin(), spans.end(),
                    [&](const AttentionSpan& s) { return format_of(s) == format_of(spans[0]); })) {
        if (!spans.empty()) Attention(kernels, call, spans).run();
        return;
    }
    for (const KvFormat format : {KvFormat::f32, KvFormat::f16, KvFormat::q8_0}) {
        std::vector<AttentionSpan> alike;
        for (const AttentionSpan& s : spans)
            if (format_of(s) == format) alike.push_back(s);
        if (!alike.empty()) Attention(kernels, call, alike).run();
    }
}

}  // namespace sluice
