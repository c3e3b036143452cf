// Grouped-query attention: Llama, Qwen2 (biases), Qwen3 (a norm on each head before it turns).
#include "model/transformer.h"

namespace sluice {

namespace {

std::vector<AttentionSpan> whole_segments(const Batch& batch) {
    std::vector<AttentionSpan> spans;
    for (size_t i = 0; i < batch.segments.size(); ++i) {
        const Segment& s = batch.segments[i];
        spans.push_back({s.cache, s.cache->size(), uint32_t(s.tokens.size()), batch.first[i]});
    }
    return spans;
}

}  // namespace

void Transformer::gqa(const Batch& batch, uint32_t layer, Rows h, Rows x) {
    const GqaTensors& t = tensors_.layers[layer].gqa;
    const uint32_t n = batch.n, dk = p_.key_width, dv = p_.value_width;
    const uint32_t q_width = p_.n_heads * dk, k_width = p_.n_kv_heads * dk, v_width = p_.n_kv_heads * dv;
    const Rows q = q_.rows(n, q_width), k = kv_.rows(n, k_width), v = q_a_.rows(n, v_width);
    const Product products[] = {
        {store_.matrix(*t.q), h, q, n}, {store_.matrix(*t.k), h, k, n}, {store_.matrix(*t.v), h, v, n}};
    kernels_.multiply(products);
    add_bias(t.q_bias, q, n, q_width);
    add_bias(t.k_bias, k, n, k_width);
    add_bias(t.v_bias, v, n, v_width);

    const KernelTable& table = kernels_.table();
    const float* q_norm = t.q_norm ? store_.vector(*t.q_norm) : nullptr;
    const float* k_norm = t.k_norm ? store_.vector(*t.k_norm) : nullptr;
    kernels_.each(n, [&](uint32_t i, uint32_t) {
        for (uint32_t head = 0; head < p_.n_heads; ++head) {
            float* one = q.row(i) + head * dk;
            if (q_norm) table.rms_norm(one, q_norm, p_.rms_eps, one, dk);
            rope_.turn(batch.angles.row(i), one);
            for (uint32_t j = 0; j < dk; ++j) one[j] *= p_.attention_scale;
        }
        for (uint32_t head = 0; head < p_.n_kv_heads; ++head) {
            float* one = k.row(i) + head * dk;
            if (k_norm) table.rms_norm(one, k_norm, p_.rms_eps, one, dk);
            rope_.turn(batch.angles.row(i), one);
        }
    });
    for (size_t s = 0; s < batch.segments.size(); ++s) {
        const KvCache& cache = *batch.segments[s].cache;
        for (uint32_t i = 0; i < batch.segments[s].tokens.size(); ++i)
            for (uint32_t head = 0; head < p_.n_kv_heads; ++head) {
                const uint32_t position = cache.size() + i, row = batch.first[s] + i;
                table.kv_encode(cache.layout().format, k.row(row) + head * dk,
                                cache.key(layer, position, head), dk);
                table.kv_encode(cache.layout().format, v.row(row) + head * dv,
                                cache.value(layer, position, head), dv);
            }
    }
    const Rows values = values_.rows(n, uint64_t(p_.n_heads) * dv);
    attend(kernels_, {layer, p_.n_heads, dv, q, values}, whole_segments(batch));
    attention_output(layer, values, x, n);
}

}  // namespace sluice
