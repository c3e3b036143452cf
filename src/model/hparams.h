// Every number that shapes a forward pass, read from a GGUF's metadata and checked. One struct for all
// architectures: the table of architectures (architectures.h) says which parts apply.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/gguf.h"

namespace sluice {

enum class AttentionKind { gqa, mla };
/// Which two values of a head turn together: neighbours (2i, 2i+1), or i and i + half (NeoX).
enum class RopePairs { neighbours, halves };
enum class RopeScaling { none, linear, yarn };
enum class GatingFunction { softmax = 1, sigmoid = 2 };

struct RopeParams {
    RopePairs pairs = RopePairs::neighbours;
    uint32_t dims = 0;  // values of each head that turn
    double base = 10000;
    RopeScaling scaling = RopeScaling::none;
    double factor = 1;
    uint32_t original_context = 0;
    double beta_fast = 32, beta_slow = 1;  // YaRN: turns over the original context
    double attention_factor = 1;           // YaRN: scales cos and sin
};

struct MoeParams {
    uint32_t n_experts = 0;      // 0: a dense model
    uint32_t n_used = 0;         // chosen for each token
    uint32_t n_shared = 0;       // always used, stored as one wide expert
    uint32_t n_ff = 0;           // hidden width of one expert
    uint32_t leading_dense = 0;  // layers before the first with experts
    uint32_t n_groups = 1, n_groups_used = 1;
    GatingFunction gating = GatingFunction::softmax;
    bool normalise_weights = false;  // the chosen weights sum to 1 before they are scaled
    float weights_scale = 1;
};

struct HyperParams {
    std::string architecture;
    uint32_t n_layers = 0;      // that the forward pass runs: without MTP blocks
    uint32_t n_mtp_layers = 0;  // blocks after them that are skipped
    uint32_t n_embd = 0, n_vocab = 0, n_ff = 0;
    uint32_t context_length = 0;
    float rms_eps = 1e-6f;

    AttentionKind attention = AttentionKind::gqa;
    uint32_t n_heads = 0, n_kv_heads = 0;
    uint32_t key_width = 0, value_width = 0;  // of one head, uncompressed
    uint32_t q_lora_rank = 0;                 // MLA: 0 if queries are not compressed
    uint32_t kv_lora_rank = 0;                // MLA: values of the compressed cache
    float attention_scale = 0;                // on q . k

    RopeParams rope;
    MoeParams moe;

    /// MLA: the part of a key that does not turn.
    uint32_t nope_width() const { return key_width - rope.dims; }
    bool has_experts(uint32_t layer) const { return moe.n_experts > 0 && layer >= moe.leading_dense; }
    /// Values the KV cache keeps for one token and layer.
    uint32_t kv_values() const {
        return attention == AttentionKind::mla ? kv_lora_rank + rope.dims
                                               : n_kv_heads * (key_width + value_width);
    }

    /// Throws unsupported for an architecture Sluice does not know, invalid_file for numbers that cannot be.
    static HyperParams from(const GgufFile& file);
};

}  // namespace sluice
