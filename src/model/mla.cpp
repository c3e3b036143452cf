// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1), computed in its compressed form:
// the cache keeps c = norm(kv_a(h)) and the turned k_rope, kv_lora + rope values for each token, and nothing
// is expanded.
//
//   score(head, position) = (W_k[head]^T q_nope) . c  +  q_rope . k_rope      W_k absorbed into the query
//   out(head)             = W_v[head] (sum of softmax * c)                    W_v applied once, after the sum
#include <algorithm>

#include "model/transformer.h"

namespace sluice {

namespace {

/// The spans of attention for the batch's tokens [begin, begin + count).
std::vector<AttentionSpan> spans_of(const Batch& batch, uint32_t begin, uint32_t count) {
    std::vector<AttentionSpan> spans;
    for (size_t i = 0; i < batch.segments.size(); ++i) {
        const Segment& s = batch.segments[i];
        const uint32_t from = std::max(begin, batch.first[i]);
        const uint32_t to = std::min(begin + count, batch.first[i] + uint32_t(s.tokens.size()));
        if (from < to)
            spans.push_back({s.cache, s.cache->size() + from - batch.first[i], to - from, from - begin});
    }
    return spans;
}

}  // namespace

void Transformer::mla(const Batch& batch, uint32_t layer, Rows h, Rows x) {
    const MlaTensors& t = tensors_.layers[layer].mla;
    const uint32_t n = batch.n, cached = p_.kv_lora_rank + p_.rope.dims;
    const Rows q = q_.rows(n, uint64_t(p_.n_heads) * p_.key_width);
    mla_queries(batch, t, h, q);
    mla_write_cache(batch, layer, h);

    const Rows values = values_.rows(n, uint64_t(p_.n_heads) * p_.value_width);
    for (uint32_t begin = 0; begin < n; begin += mla_tokens_at_once) {
        const uint32_t count = std::min(mla_tokens_at_once, n - begin);
        const Rows latent = latent_q_.rows(count, uint64_t(p_.n_heads) * cached);
        const Rows summed = latent_out_.rows(count, uint64_t(p_.n_heads) * p_.kv_lora_rank);
        mla_absorb(t, {q.row(begin), q.stride}, latent, count);
        attend(kernels_, {layer, p_.n_heads, p_.kv_lora_rank, latent, summed}, spans_of(batch, begin, count));
        mla_expand(t, summed, {values.row(begin), values.stride}, count);
    }
    attention_output(layer, values, x, n);
}

/// q (n, heads * [nope | rope]), turned.
void Transformer::mla_queries(const Batch& batch, const MlaTensors& t, ConstRows h, Rows q) {
    const uint32_t n = batch.n;
    if (p_.q_lora_rank) {
        const Rows q_a = q_a_.rows(n, p_.q_lora_rank);
        kernels_.multiply({store_.matrix(*t.q_a), h, q_a, n});
        norm(*t.q_a_norm, q_a, q_a, n, p_.q_lora_rank);
        kernels_.multiply({store_.matrix(*t.q_b), q_a, q, n});
    } else {
        kernels_.multiply({store_.matrix(*t.q), h, q, n});
    }
    kernels_.each(n, [&](uint32_t i, uint32_t) {
        for (uint32_t head = 0; head < p_.n_heads; ++head)
            rope_.turn(batch.angles.row(i), q.row(i) + head * p_.key_width + p_.nope_width());
    });
}

/// Writes [norm(c) | turned k_rope] of every token of the batch.
void Transformer::mla_write_cache(const Batch& batch, uint32_t layer, ConstRows h) {
    const MlaTensors& t = tensors_.layers[layer].mla;
    const uint32_t cached = p_.kv_lora_rank + p_.rope.dims;
    const Rows kv = kv_.rows(batch.n, cached);
    kernels_.multiply({store_.matrix(*t.kv_a), h, kv, batch.n});
    norm(*t.kv_a_norm, kv, kv, batch.n, p_.kv_lora_rank);
    for (size_t s = 0; s < batch.segments.size(); ++s) {
        const KvCache& cache = *batch.segments[s].cache;
        for (uint32_t i = 0; i < batch.segments[s].tokens.size(); ++i) {
            float* row = kv.row(batch.first[s] + i);
            rope_.turn(batch.angles.row(batch.first[s] + i), row + p_.kv_lora_rank);
            kernels_.table().kv_encode(cache.layout().format, row, cache.key(layer, cache.size() + i, 0),
                                       cached);
        }
    }
}

/// latent (n, heads * [kv_lora | rope]): W_k absorbed, the turned part copied, all scaled.
void Transformer::mla_absorb(const MlaTensors& t, ConstRows q, Rows latent, uint32_t n) {
    const uint32_t lora = p_.kv_lora_rank, rope = p_.rope.dims, nope = p_.nope_width();
    std::vector<Product> products;
    for (uint32_t head = 0; head < p_.n_heads; ++head) {
        const ConstRows from{q.data + head * p_.key_width, q.stride};
        const Rows to{latent.data + uint64_t(head) * (lora + rope), latent.stride};
        if (t.k_b) {
            products.push_back({store_.matrix(*t.k_b).slice_rows(head * lora, lora), from, to, n});
        } else {  // rows of kv_b: for each head nope rows of W_k, stored the other way round, then W_v
            const uint32_t row = head * (nope + p_.value_width);
            products.push_back({store_.matrix(*t.kv_b).slice_rows(row, nope), from, to, n, true});
        }
    }
    kernels_.multiply(products);
    kernels_.each(n, [&](uint32_t i, uint32_t) {
        for (uint32_t head = 0; head < p_.n_heads; ++head) {
            float* to = latent.row(i) + uint64_t(head) * (lora + rope);
            std::copy_n(q.row(i) + head * p_.key_width + nope, rope, to + lora);
            for (uint32_t j = 0; j < lora + rope; ++j) to[j] *= p_.attention_scale;
        }
    });
}

/// out (n, heads * value) = W_v[head] latent[head]
void Transformer::mla_expand(const MlaTensors& t, ConstRows latent, Rows out, uint32_t n) {
    const uint32_t lora = p_.kv_lora_rank, value = p_.value_width, nope = p_.nope_width();
    std::vector<Product> products;
    for (uint32_t head = 0; head < p_.n_heads; ++head) {
        const MatrixView w = t.v_b ? store_.matrix(*t.v_b).slice_rows(head * value, value)
                                   : store_.matrix(*t.kv_b).slice_rows(head * (nope + value) + nope, value);
        products.push_back({w,
                            {latent.data + uint64_t(head) * lora, latent.stride},
                            {out.data + uint64_t(head) * value, out.stride},
                            n});
    }
    kernels_.multiply(products);
}

}  // namespace sluice
