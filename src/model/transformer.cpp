#include "model/transformer.h"

#include <algorithm>

#include "core/fail.h"

namespace sluice {

namespace {

std::span<const float> rope_divisors(const ModelTensors& tensors, const WeightStore& store) {
    if (!tensors.rope_freqs) return {};
    return {store.vector(*tensors.rope_freqs), tensors.rope_freqs->shape[0]};
}

}  // namespace

Transformer::Transformer(const HyperParams& params, const ModelTensors& tensors, const WeightStore& store,
                         Kernels& kernels)
    : p_(params), tensors_(tensors), store_(store), kernels_(kernels), rope_(params.rope, {}) {}

void Transformer::weights_are_there() {
    rope_ = Rope(p_.rope, rope_divisors(tensors_, store_));
}

std::span<const float> Transformer::forward(std::span<const Segment> segments,
                                            const std::atomic<bool>* cancel) {
    const Batch batch = gather(segments);
    const uint32_t n = batch.n;
    Rows x = x_.rows(n, p_.n_embd), h = h_.rows(n, p_.n_embd);
    embed(batch, x);
    for (uint32_t layer = 0; layer < p_.n_layers; ++layer) {
        if (cancel && cancel->load(std::memory_order_relaxed))
            throw Error(ErrorCode::cancelled, "the request was cancelled");
        const LayerTensors& t = tensors_.layers[layer];
        norm(*t.attn_norm, x, h, n, p_.n_embd);
        if (p_.attention == AttentionKind::mla)
            mla(batch, layer, h, x);
        else
            gqa(batch, layer, h, x);
        norm(*t.ffn_norm, x, h, n, p_.n_embd);
        if (p_.has_experts(layer)) {
            moe(batch, layer, h, x);
        } else {
            const Rows out = ffn_out_.rows(n, p_.n_embd);
            look_ahead(batch, layer + 1, x);
            ffn(t.ffn, n, p_.n_ff, h, out);
            add(out, x, n, p_.n_embd);
        }
    }
    sum_hidden(batch, x);
    const auto logits = head(batch, x);
    store_.check_unchanged();  // before the tokens count as computed
    for (const Segment& s : segments) s.cache->grow(uint32_t(s.tokens.size()));
    return logits;
}

/// Checks the tokens, takes room in the caches and computes the angles of every position.
Batch Transformer::gather(std::span<const Segment> segments) {
    Batch batch{.segments = segments};
    for (const Segment& s : segments) {
        for (const int32_t token : s.tokens)
            if (token < 0 || uint32_t(token) >= p_.n_vocab)
                fail(ErrorCode::invalid_argument, "expected token ids from 0 to {}, found {}", p_.n_vocab - 1,
                     token);
        s.cache->reserve(uint32_t(s.cache->size() + s.tokens.size()));
        batch.first.push_back(batch.n);
        batch.n += uint32_t(s.tokens.size());
    }
    batch.angles = angles_.rows(batch.n, rope_.angle_count());
    for (size_t i = 0; i < segments.size(); ++i)
        for (uint32_t t = 0; t < segments[i].tokens.size(); ++t)
            rope_.angles(segments[i].cache->size() + t, batch.angles.row(batch.first[i] + t));
    return batch;
}

void Transformer::embed(const Batch& batch, Rows x) {
    const MatrixView w = store_.matrix(*tensors_.token_embd);
    uint32_t row = 0;
    for (const Segment& s : batch.segments)
        for (const int32_t token : s.tokens)
            kernels_.table().decode_row(w.type, w.data + uint64_t(token) * w.row_bytes, x.row(row++), w.cols);
}

/// One token after the other, in order: the same bits however the text was split into batches.
void Transformer::sum_hidden(const Batch& batch, ConstRows x) {
    for (size_t i = 0; i < batch.segments.size(); ++i) {
        const Segment& s = batch.segments[i];
        if (!s.hidden_sum) continue;
        const uint32_t count = uint32_t(s.tokens.size());
        const Rows normed = h_.rows(batch.n, p_.n_embd);
        norm(*tensors_.output_norm, {x.row(batch.first[i]), x.stride}, normed, count, p_.n_embd);
        for (uint32_t t = 0; t < count; ++t)
            for (uint32_t j = 0; j < p_.n_embd; ++j) s.hidden_sum[j] += normed.row(t)[j];
    }
}

std::span<const float> Transformer::head(const Batch& batch, Rows x) {
    // The rows whose logits are wanted, moved together (each to its place or before it).
    uint32_t wanted = 0;
    for (size_t i = 0; i < batch.segments.size(); ++i) {
        const Segment& s = batch.segments[i];
        const uint32_t count = s.logits == WantLogits::all    ? uint32_t(s.tokens.size())
                               : s.logits == WantLogits::last ? 1
                                                              : 0;
        const uint32_t from = batch.first[i] + uint32_t(s.tokens.size()) - count;
        for (uint32_t t = 0; t < count; ++t, ++wanted)
            if (wanted != from + t) std::copy_n(x.row(from + t), p_.n_embd, x.row(wanted));
    }
    if (!wanted) return {};
    norm(*tensors_.output_norm, x, x, wanted, p_.n_embd);
    const Rows logits = logits_.rows(wanted, p_.n_vocab);
    kernels_.multiply({store_.matrix(*tensors_.output), x, logits, wanted});
    return {logits.data, uint64_t(wanted) * p_.n_vocab};
}

void Transformer::norm(const GgufTensor& weight, ConstRows x, Rows y, uint32_t n, uint32_t width) {
    const float* w = store_.vector(weight);
    kernels_.each(n, [&](uint32_t t, uint32_t) {
        kernels_.table().rms_norm(x.row(t), w, p_.rms_eps, y.row(t), width);
    });
}

void Transformer::add(ConstRows from, Rows to, uint32_t n, uint32_t width) {
    kernels_.each(
        n, [&](uint32_t t, uint32_t) { kernels_.table().add_scaled(from.row(t), 1.0f, to.row(t), width); });
}

void Transformer::add_bias(const GgufTensor* bias, Rows to, uint32_t n, uint32_t width) {
    if (!bias) return;
    const float* b = store_.vector(*bias);
    kernels_.each(n, [&](uint32_t t, uint32_t) { kernels_.table().add_scaled(b, 1.0f, to.row(t), width); });
}

void Transformer::attention_output(uint32_t layer, ConstRows values, Rows x, uint32_t n) {
    const LayerTensors& t = tensors_.layers[layer];
    const Rows out = projected_.rows(n, p_.n_embd);
    kernels_.multiply({store_.matrix(*t.attn_output), values, out, n});
    add_bias(t.attn_output_bias, out, n, p_.n_embd);
    add(out, x, n, p_.n_embd);
}

uint64_t Transformer::scratch_bytes() const {
    uint64_t sum = kernels_.scratch_bytes();
    for (const Buffer* b :
         {&x_, &h_, &angles_, &q_, &q_a_, &kv_, &values_, &projected_, &latent_q_, &latent_out_, &gate_, &up_,
          &router_logits_, &expert_in_, &expert_out_, &ffn_out_, &logits_})
        sum += b->bytes();
    return sum;
}

uint64_t Transformer::planned_scratch(uint32_t n, uint32_t n_logits) const {
    const MoeParams& m = p_.moe;
    const uint64_t q = uint64_t(p_.n_heads) * p_.key_width, values = uint64_t(p_.n_heads) * p_.value_width;
    const uint64_t hidden =
        std::max<uint64_t>({p_.n_ff, uint64_t(m.n_used) * m.n_ff, uint64_t(m.n_shared) * m.n_ff});
    const uint64_t a_row = 4ull * p_.n_embd + rope_.angle_count() + q +
                           std::max<uint64_t>(p_.q_lora_rank, values) + p_.kv_values() + values + 2 * hidden +
                           m.n_experts + 2ull * m.n_used * p_.n_embd;
    const uint64_t latent =
        std::min(n, mla_tokens_at_once) * uint64_t(p_.n_heads) * (2ull * p_.kv_lora_rank + p_.rope.dims);
    const uint64_t widest =
        std::max<uint64_t>({p_.n_embd, p_.n_ff, m.n_ff * std::max(m.n_shared, 1u), values, q});
    const bool mla = p_.attention == AttentionKind::mla;
    const uint32_t summed = mla ? p_.kv_lora_rank : p_.value_width,
                   key = mla ? p_.kv_lora_rank + p_.rope.dims : p_.key_width;
    const AttentionShape shape{KvFormat::f32, key, summed, mla ? summed : key, mla};
    const uint64_t a_worker =
        std::max<uint64_t>({4 * widest, 4096, attention_scratch(shape) / sizeof(float)});
    // Activations in the form the integer kernels take: of the group of products that needs most.
    const uint64_t quantised =
        n * std::max<uint64_t>({m.n_used * activation_row_bytes(p_.n_embd),
                                m.n_used * activation_row_bytes(m.n_ff),
                                activation_row_bytes(uint32_t(values)), activation_row_bytes(p_.n_ff)}) +
        std::min(n, mla_tokens_at_once) * uint64_t(p_.n_heads) *
            activation_row_bytes(std::max(p_.kv_lora_rank, p_.key_width));
    constexpr uint64_t page = 2 << 20, n_buffers = 19;  // each buffer is rounded up to a page
    return quantised + attention_shared_scratch(shape, kernels_.pool().size()) +
           sizeof(float) *
               (a_row * n + latent + uint64_t(n_logits) * p_.n_vocab + a_worker * kernels_.pool().size()) +
           (n_buffers + kernels_.pool().size()) * page;
}

}  // namespace sluice
