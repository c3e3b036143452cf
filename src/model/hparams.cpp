#include "model/hparams.h"

#include <cmath>

#include "core/fail.h"
#include "model/architectures.h"

namespace sluice {

namespace {

/// Reads the keys of one architecture ("deepseek2.block_count") with bounds, so that no later product
/// overflows.
class Keys {
  public:
    Keys(const GgufMetadata& metadata, std::string prefix)
        : metadata_(metadata), prefix_(std::move(prefix)) {}

    std::string key(std::string_view name) const { return prefix_ + "." + std::string(name); }
    bool has(std::string_view name) const { return metadata_.has(key(name)); }

    uint32_t count(std::string_view name, uint32_t least, uint32_t most) const {
        return bounded(name, metadata_.get_uint(key(name)), least, most);
    }
    uint32_t count(std::string_view name, uint32_t least, uint32_t most, uint64_t otherwise) const {
        return bounded(name, metadata_.get_uint(key(name), otherwise), least, most);
    }
    double number(std::string_view name, double least, double most, double otherwise) const {
        const double x = metadata_.get_float(key(name), otherwise);
        if (!(x >= least && x <= most))
            fail(ErrorCode::invalid_file, "{}: expected {} between {} and {}, found {}", metadata_.source,
                 key(name), least, most, x);
        return x;
    }
    bool flag(std::string_view name, bool otherwise) const {
        return metadata_.get_bool(key(name), otherwise);
    }
    std::string text(std::string_view name, std::string_view otherwise) const {
        return metadata_.get_string(key(name), otherwise);
    }
    /// A count that some files give for each layer; they must then all be equal.
    uint32_t uniform(std::string_view name, uint32_t least, uint32_t most, uint64_t otherwise) const {
        const GgufValue* value = metadata_.find(key(name));
        if (!value || std::holds_alternative<int64_t>(*value) || std::holds_alternative<uint64_t>(*value))
            return count(name, least, most, otherwise);
        const auto values = metadata_.find_ints(key(name));
        if (!values || values->empty()) return count(name, least, most, otherwise);
        for (const int64_t x : *values)
            if (x != values->front())
                fail(ErrorCode::unsupported,
                     "{}: {} differs from layer to layer ({} and {}), which Sluice cannot run yet",
                     metadata_.source, key(name), values->front(), x);
        return bounded(name, uint64_t(values->front()), least, most);
    }

  private:
    uint32_t bounded(std::string_view name, uint64_t x, uint32_t least, uint32_t most) const {
        if (x < least || x > most)
            fail(ErrorCode::invalid_file, "{}: expected {} between {} and {}, found {}", metadata_.source,
                 key(name), least, most, x);
        return uint32_t(x);
    }
    const GgufMetadata& metadata_;
    std::string prefix_;
};

RopeParams read_rope(const Keys& k, const Architecture& a, uint32_t key_width, uint32_t context) {
    RopeParams r;
    r.pairs = a.rope_pairs;
    r.dims = k.count("rope.dimension_count", 2, key_width, key_width);
    if (r.dims % 2) r.dims -= 1;
    r.base = k.number("rope.freq_base", 1.0, 1e12, 10000.0);
    const std::string scaling = k.text("rope.scaling.type", k.has("rope.scale_linear") ? "linear" : "none");
    if (scaling == "yarn")
        r.scaling = RopeScaling::yarn;
    else if (scaling == "linear")
        r.scaling = RopeScaling::linear;
    else if (scaling != "none")
        fail(ErrorCode::unsupported, "expected {} to be none, linear or yarn, found \"{}\"",
             k.key("rope.scaling.type"), scaling);
    r.factor = k.number("rope.scaling.factor", 1e-3, 1e6, k.number("rope.scale_linear", 1e-3, 1e6, 1.0));
    r.original_context = k.count("rope.scaling.original_context_length", 1, 1u << 30, context);
    r.beta_fast = k.number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32);
    r.beta_slow = k.number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1);
    // YaRN's own correction of cos and sin (Peng et al. 2023). DeepSeek's files move it into the attention
    // scale.
    if (r.scaling == RopeScaling::yarn && a.attention != AttentionKind::mla)
        r.attention_factor =
            k.number("rope.scaling.attn_factor", 1e-3, 1e3, 1.0) * (1.0 + 0.1 * std::log(r.factor));
    return r;
}

MoeParams read_moe(const Keys& k, const Architecture& a, uint32_t n_layers) {
    MoeParams m;
    m.n_experts = k.count("expert_count", 0, 65536, 0);
    if (m.n_experts == 0) return m;
    m.n_used = k.count("expert_used_count", 1, m.n_experts);
    m.n_shared = k.count("expert_shared_count", 0, 1024, 0);
    m.n_ff =
        k.count("expert_feed_forward_length", 1, 1u << 20, k.count("feed_forward_length", 1, 1u << 20, 1));
    m.leading_dense = k.count("leading_dense_block_count", 0, n_layers, 0);
    // DeepSeek V2 files from before the key existed are softmax models.
    const uint32_t gating = k.count("expert_gating_func", 0, 2, 1);
    m.gating = gating == 2 ? GatingFunction::sigmoid : GatingFunction::softmax;
    m.normalise_weights = k.flag("expert_weights_norm", a.normalise_expert_weights);
    const double scale = k.number("expert_weights_scale", 0, 1e6, 1.0);
    m.weights_scale = scale == 0 ? 1.0f : float(scale);
    m.n_groups = k.count("expert_group_count", 0, m.n_experts, 1);
    if (m.n_groups == 0) m.n_groups = 1;
    m.n_groups_used = k.count("expert_group_used_count", 0, m.n_groups, m.n_groups);
    if (m.n_groups_used == 0) m.n_groups_used = m.n_groups;
    if (m.n_experts % m.n_groups != 0 || m.n_experts / m.n_groups * m.n_groups_used < m.n_used)
        fail(
            ErrorCode::invalid_file,
            "expected {} experts in groups of which {} of {} hold the {} used, found numbers that do not fit",
            m.n_experts, m.n_groups_used, m.n_groups, m.n_used);
    return m;
}

void read_mla(const Keys& k, HyperParams& p) {
    p.q_lora_rank = k.count("attention.q_lora_rank", 0, 1u << 20, 0);
    p.kv_lora_rank = k.count("attention.kv_lora_rank", 1, 1u << 20);
    // Newer files give the compressed widths in key_length and value_length, and these beside them.
    p.key_width =
        k.count("attention.key_length_mla", 2, 1u << 16, k.count("attention.key_length", 2, 1u << 16));
    p.value_width =
        k.count("attention.value_length_mla", 1, 1u << 16, k.count("attention.value_length", 1, 1u << 16));
    p.n_kv_heads = 1;
}

}  // namespace

HyperParams HyperParams::from(const GgufFile& file) {
    const GgufMetadata& metadata = file.metadata();
    HyperParams p;
    p.architecture = metadata.get_string("general.architecture");
    const Architecture* a = find_architecture(p.architecture);
    if (!a) {
        std::string known;
        for (const auto& each : architectures())
            known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
        fail(ErrorCode::unsupported, "{}: the architecture \"{}\" is unknown; Sluice runs {}",
             metadata.source, p.architecture, known);
    }
    const Keys k(metadata, p.architecture);
    const uint32_t blocks = k.count("block_count", 1, 4096);
    p.n_mtp_layers = k.count("nextn_predict_layers", 0, blocks - 1, 0);
    p.n_layers = blocks - p.n_mtp_layers;
    p.n_embd = k.count("embedding_length", 1, 1u << 20);
    p.context_length = k.count("context_length", 1, 1u << 30);
    p.n_heads = k.uniform("attention.head_count", 1, 1u << 16, 0);
    p.rms_eps = float(k.number("attention.layer_norm_rms_epsilon", 0, 1, 1e-6));
    p.attention = a->attention;
    if (p.attention == AttentionKind::mla) {
        read_mla(k, p);
    } else {
        p.n_kv_heads = k.uniform("attention.head_count_kv", 1, p.n_heads, p.n_heads);
        if (p.n_heads % p.n_kv_heads)
            fail(ErrorCode::invalid_file,
                 "{}: expected the {} attention heads to be a multiple of the {} KV heads", metadata.source,
                 p.n_heads, p.n_kv_heads);
        p.key_width = k.count("attention.key_length", 2, 1u << 16, p.n_embd / p.n_heads);
        p.value_width = k.count("attention.value_length", 1, 1u << 16, p.n_embd / p.n_heads);
    }
    p.rope = read_rope(k, *a, p.key_width, p.context_length);
    if (p.attention == AttentionKind::mla && p.rope.dims >= p.key_width)
        fail(ErrorCode::invalid_file, "{}: expected fewer rotated dimensions than the key's {}, found {}",
             metadata.source, p.key_width, p.rope.dims);
    p.moe = read_moe(k, *a, p.n_layers);
    p.n_ff = k.uniform("feed_forward_length", 1, 1u << 24, p.moe.n_ff);

    // DeepSeek's YaRN: the squared magnitude correction is part of the attention scale (modeling_deepseek.py,
    // yarn_get_mscale(factor, mscale_all_dim)); the file carries 0.1 * mscale_all_dim as the log multiplier.
    double magnitude = 1;
    if (p.attention == AttentionKind::mla && p.rope.scaling == RopeScaling::yarn && p.rope.factor > 1)
        magnitude = 1 + k.number("rope.scaling.yarn_log_multiplier", -10, 10, 0) * std::log(p.rope.factor);
    p.attention_scale = float(magnitude * magnitude / std::sqrt(double(p.key_width)));

    const GgufTensor* embeddings = file.find("token_embd.weight");
    p.n_vocab = embeddings ? uint32_t(std::min<uint64_t>(embeddings->shape[1], 1u << 30))
                           : k.count("vocab_size", 0, 1u << 30, 0);
    return p;
}

}  // namespace sluice
