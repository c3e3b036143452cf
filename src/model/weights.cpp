#include "model/weights.h"

#include "core/fail.h"

namespace sluice {

namespace {

/// Finds tensors by name and checks their shapes.
class Binder {
  public:
    explicit Binder(const GgufFile& file) : file_(file) {}

    const GgufTensor* optional(const std::string& name, uint64_t n0, uint64_t n1 = 1, uint64_t n2 = 1) const {
        const GgufTensor* t = file_.find(name);
        if (t && (t->shape[0] != n0 || t->shape[1] != n1 || t->shape[2] != n2 || t->shape[3] != 1))
            fail(ErrorCode::invalid_file, "{}: expected tensor {} to have the shape {} x {} x {}, found {}",
                 file_.metadata().source, name, n0, n1, n2, t->shape_text());
        return t;
    }
    /// A matrix for each head: as three dimensions, or (some converters) with the heads' rows joined in the
    /// second.
    const GgufTensor* optional_by_head(const std::string& name, uint64_t cols, uint64_t rows,
                                       uint64_t heads) const {
        const GgufTensor* t = file_.find(name);
        return t && t->n_dims == 2 ? optional(name, cols, rows * heads) : optional(name, cols, rows, heads);
    }
    const GgufTensor* need(const std::string& name, uint64_t n0, uint64_t n1 = 1, uint64_t n2 = 1) const {
        const GgufTensor* t = optional(name, n0, n1, n2);
        if (!t)
            fail(ErrorCode::invalid_file,
                 "{}: expected a tensor {}, found none among its {}; the file is incomplete or not this "
                 "architecture",
                 file_.metadata().source, name, file_.tensors().size());
        return t;
    }
    /// Vectors are used as float32 directly.
    const GgufTensor* optional_vector(const std::string& name, uint64_t n) const {
        const GgufTensor* t = optional(name, n);
        if (t && t->type != TensorType::F32)
            fail(ErrorCode::invalid_file, "{}: expected tensor {} to be F32, found {}",
                 file_.metadata().source, name, info(t->type).name);
        return t;
    }
    const GgufTensor* need_vector(const std::string& name, uint64_t n) const {
        need(name, n);
        return optional_vector(name, n);
    }

  private:
    const GgufFile& file_;
};

MlaTensors bind_mla(const Binder& b, const std::string& blk, const HyperParams& p) {
    MlaTensors t;
    const uint64_t q_width = uint64_t(p.n_heads) * p.key_width;
    if (p.q_lora_rank) {
        t.q_a = b.need(blk + "attn_q_a.weight", p.n_embd, p.q_lora_rank);
        t.q_a_norm = b.need_vector(blk + "attn_q_a_norm.weight", p.q_lora_rank);
        t.q_b = b.need(blk + "attn_q_b.weight", p.q_lora_rank, q_width);
    } else {
        t.q = b.need(blk + "attn_q.weight", p.n_embd, q_width);
    }
    t.kv_a = b.need(blk + "attn_kv_a_mqa.weight", p.n_embd, p.kv_lora_rank + p.rope.dims);
    t.kv_a_norm = b.need_vector(blk + "attn_kv_a_norm.weight", p.kv_lora_rank);
    t.k_b = b.optional_by_head(blk + "attn_k_b.weight", p.nope_width(), p.kv_lora_rank, p.n_heads);
    t.v_b = b.optional_by_head(blk + "attn_v_b.weight", p.kv_lora_rank, p.value_width, p.n_heads);
    if (t.k_b && t.v_b) return t;
    t.k_b = t.v_b = nullptr;
    t.kv_b = b.need(blk + "attn_kv_b.weight", p.kv_lora_rank,
                    uint64_t(p.n_heads) * (p.nope_width() + p.value_width));
    return t;
}

GqaTensors bind_gqa(const Binder& b, const std::string& blk, const HyperParams& p) {
    GqaTensors t;
    const uint64_t q = uint64_t(p.n_heads) * p.key_width, k = uint64_t(p.n_kv_heads) * p.key_width,
                   v = uint64_t(p.n_kv_heads) * p.value_width;
    t.q = b.need(blk + "attn_q.weight", p.n_embd, q);
    t.k = b.need(blk + "attn_k.weight", p.n_embd, k);
    t.v = b.need(blk + "attn_v.weight", p.n_embd, v);
    const bool biased = p.architecture == "qwen2";  // its models are wrong without them; others may have them
    t.q_bias = biased ? b.need_vector(blk + "attn_q.bias", q) : b.optional_vector(blk + "attn_q.bias", q);
    t.k_bias = biased ? b.need_vector(blk + "attn_k.bias", k) : b.optional_vector(blk + "attn_k.bias", k);
    t.v_bias = biased ? b.need_vector(blk + "attn_v.bias", v) : b.optional_vector(blk + "attn_v.bias", v);
    const bool normed = p.architecture.starts_with("qwen3");
    t.q_norm = normed ? b.need_vector(blk + "attn_q_norm.weight", p.key_width) : nullptr;
    t.k_norm = normed ? b.need_vector(blk + "attn_k_norm.weight", p.key_width) : nullptr;
    return t;
}

FfnTensors bind_ffn(const Binder& b, const std::string& blk, const char* suffix, uint64_t n_embd,
                    uint64_t n_ff) {
    return {b.need(blk + "ffn_gate" + suffix, n_embd, n_ff), b.need(blk + "ffn_up" + suffix, n_embd, n_ff),
            b.need(blk + "ffn_down" + suffix, n_ff, n_embd)};
}

void bind_experts(const Binder& b, const std::string& blk, const HyperParams& p, LayerTensors& layer) {
    const MoeParams& m = p.moe;
    layer.router = b.need(blk + "ffn_gate_inp.weight", p.n_embd, m.n_experts);
    layer.router_bias = b.optional_vector(blk + "exp_probs_b.bias", m.n_experts);
    layer.experts = {b.need(blk + "ffn_gate_exps.weight", p.n_embd, m.n_ff, m.n_experts),
                     b.need(blk + "ffn_up_exps.weight", p.n_embd, m.n_ff, m.n_experts),
                     b.need(blk + "ffn_down_exps.weight", m.n_ff, p.n_embd, m.n_experts)};
    if (m.n_shared) layer.ffn = bind_ffn(b, blk, "_shexp.weight", p.n_embd, uint64_t(m.n_shared) * m.n_ff);
}

}  // namespace

ModelTensors ModelTensors::bind(const GgufFile& file, const HyperParams& p) {
    const Binder b(file);
    ModelTensors m;
    m.token_embd = b.need("token_embd.weight", p.n_embd, p.n_vocab);
    m.output_norm = b.need_vector("output_norm.weight", p.n_embd);
    m.output = b.optional("output.weight", p.n_embd, p.n_vocab);
    if (!m.output) m.output = m.token_embd;
    m.rope_freqs = b.optional_vector("rope_freqs.weight", p.rope.dims / 2);
    for (uint32_t i = 0; i < p.n_layers; ++i) {
        const std::string blk = fmt::format("blk.{}.", i);
        LayerTensors layer;
        layer.attn_norm = b.need_vector(blk + "attn_norm.weight", p.n_embd);
        if (p.attention == AttentionKind::mla)
            layer.mla = bind_mla(b, blk, p);
        else
            layer.gqa = bind_gqa(b, blk, p);
        layer.attn_output = b.need(blk + "attn_output.weight", uint64_t(p.n_heads) * p.value_width, p.n_embd);
        layer.attn_output_bias = b.optional_vector(blk + "attn_output.bias", p.n_embd);
        layer.ffn_norm = b.need_vector(blk + "ffn_norm.weight", p.n_embd);
        if (p.has_experts(i))
            bind_experts(b, blk, p, layer);
        else
            layer.ffn = bind_ffn(b, blk, ".weight", p.n_embd, p.n_ff);
        m.layers.push_back(layer);
    }
    return m;
}

LoadPlan ModelTensors::load_plan() const {
    LoadPlan plan;
    const auto add = [&](std::initializer_list<const GgufTensor*> tensors) {
        for (const auto* t : tensors)
            if (t) plan.dense.push_back(t);
    };
    add({token_embd, output_norm, output, rope_freqs});
    for (const auto& l : layers) {
        add({l.attn_norm, l.attn_output, l.attn_output_bias, l.ffn_norm, l.ffn.gate, l.ffn.up, l.ffn.down,
             l.router, l.router_bias});
        add({l.mla.q, l.mla.q_a, l.mla.q_a_norm, l.mla.q_b, l.mla.kv_a, l.mla.kv_a_norm, l.mla.kv_b,
             l.mla.k_b, l.mla.v_b});
        add({l.gqa.q, l.gqa.k, l.gqa.v, l.gqa.q_bias, l.gqa.k_bias, l.gqa.v_bias, l.gqa.q_norm,
             l.gqa.k_norm});
        plan.experts.push_back(l.experts);
    }
    return plan;
}

}  // namespace sluice
