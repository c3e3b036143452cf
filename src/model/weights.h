// The tensors of a model by role, found by their GGUF names and checked against the hyperparameters. Pointers
// into the GgufFile, which must outlive them; nullptr where a model has none.
#pragma once

#include <vector>

#include "format/gguf.h"
#include "model/hparams.h"
#include "store/weight_store.h"

namespace sluice {

/// Multi-head latent attention. kv_b (older files) holds what k_b and v_b hold apart; one of the two is
/// present.
struct MlaTensors {
    const GgufTensor* q = nullptr;          // (n_embd, heads * key): without q_lora
    const GgufTensor* q_a = nullptr;        // (n_embd, q_lora)
    const GgufTensor* q_a_norm = nullptr;   // (q_lora)
    const GgufTensor* q_b = nullptr;        // (q_lora, heads * key)
    const GgufTensor* kv_a = nullptr;       // (n_embd, kv_lora + rope)
    const GgufTensor* kv_a_norm = nullptr;  // (kv_lora)
    const GgufTensor* kv_b = nullptr;       // (kv_lora, heads * (nope + value))
    const GgufTensor* k_b = nullptr;        // (nope, kv_lora, heads)
    const GgufTensor* v_b = nullptr;        // (kv_lora, value, heads)
};

/// Grouped-query attention; biases (Qwen2) and norms of each head (Qwen3) where the model has them.
struct GqaTensors {
    const GgufTensor *q = nullptr, *k = nullptr, *v = nullptr;
    const GgufTensor *q_bias = nullptr, *k_bias = nullptr, *v_bias = nullptr;
    const GgufTensor *q_norm = nullptr, *k_norm = nullptr;
};

struct FfnTensors {
    const GgufTensor *gate = nullptr, *up = nullptr, *down = nullptr;
};

struct LayerTensors {
    const GgufTensor* attn_norm = nullptr;
    MlaTensors mla;
    GqaTensors gqa;
    const GgufTensor *attn_output = nullptr, *attn_output_bias = nullptr;
    const GgufTensor* ffn_norm = nullptr;
    FfnTensors ffn;                           // the dense one, or the shared expert
    const GgufTensor* router = nullptr;       // (n_embd, n_experts)
    const GgufTensor* router_bias = nullptr;  // (n_experts): added for the selection only
    ExpertTensors experts;
};

struct ModelTensors {
    const GgufTensor* token_embd = nullptr;
    const GgufTensor* output_norm = nullptr;
    const GgufTensor* output = nullptr;      // the embeddings where the head is tied to them
    const GgufTensor* rope_freqs = nullptr;  // (rope / 2): divisors of the frequencies (Llama 3)
    std::vector<LayerTensors> layers;

    /// Throws invalid_file naming a tensor that is missing or has another shape than the hyperparameters ask
    /// for.
    static ModelTensors bind(const GgufFile& file, const HyperParams& params);
    LoadPlan load_plan() const;
};

}  // namespace sluice
