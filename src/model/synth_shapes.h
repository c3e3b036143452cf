// The shapes of well-known models, for synthetic ones. Source: each model's published config.json.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace sluice {

/// 0 where the architecture has no such thing.
struct SynthShape {
    std::string_view name, architecture;
    uint32_t n_layers, n_embd, n_ff, n_vocab, context;
    uint32_t n_heads, n_kv_heads, key_width, value_width;  // of one head, as published (MLA: expanded)
    uint32_t q_lora_rank, kv_lora_rank, rope_dims;
    uint32_t n_experts, n_used, n_shared, expert_ff, leading_dense;
    bool sigmoid, normalise_weights;
    float weights_scale;
    uint32_t n_groups, n_groups_used;
    float rope_base, yarn_factor;

    bool is_mla() const { return kv_lora_rank > 0; }
    bool has_experts() const { return n_experts > 0; }
};

std::span<const SynthShape> synth_shapes();
/// Throws invalid_argument naming the choices.
const SynthShape& find_synth_shape(std::string_view name);

}  // namespace sluice
