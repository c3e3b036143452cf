// The forward pass of every architecture Sluice runs: pre-norm decoder layers with one of two attentions and
// one of two feed-forwards each. transformer.cpp is the map; the blocks are in mla.cpp, gqa.cpp, ffn.cpp and
// moe.cpp.
//
// forward() is for one thread at a time; it uses the kernels' pool. Its result for a token depends on the
// tokens before it in its own sequence and on nothing else (promise 1).
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "model/attention.h"
#include "model/batch.h"
#include "model/hparams.h"
#include "model/rope.h"
#include "model/weights.h"

namespace sluice {

/// Tokens whose absorbed queries exist at once: 128 heads * 576 floats each for R1.
inline constexpr uint32_t mla_tokens_at_once = 32;

class Transformer {
  public:
    /// All references must outlive it. The store may be empty until weights_are_there() is called.
    Transformer(const HyperParams& params, const ModelTensors& tensors, const WeightStore& store,
                Kernels& kernels);

    /// Call once when the store has loaded, before the first forward().
    void weights_are_there();

    /// Runs all segments, writes and commits their KV rows, and returns the wanted logits in order of tokens:
    /// (k, n_vocab), valid until the next call. Throws out_of_budget if a cache is full, invalid_argument for
    /// a token outside the vocabulary, cancelled if `cancel` becomes true; the caches then hold what they
    /// held before.
    std::span<const float> forward(std::span<const Segment> segments,
                                   const std::atomic<bool>* cancel = nullptr);

    uint64_t scratch_bytes() const;
    /// What scratch_bytes() will be at most after batches of n tokens with logits of n_logits of them.
    uint64_t planned_scratch(uint32_t n, uint32_t n_logits = 1) const;

  private:
    Batch gather(std::span<const Segment> segments);
    void embed(const Batch& batch, Rows x);
    std::span<const float> head(const Batch& batch, Rows x);
    void sum_hidden(const Batch& batch, ConstRows x);
    void norm(const GgufTensor& weight, ConstRows x, Rows y, uint32_t n, uint32_t width);
    void add(ConstRows from, Rows to, uint32_t n, uint32_t width);
    void add_bias(const GgufTensor* bias, Rows to, uint32_t n, uint32_t width);

    /// Each adds its block's output for the normed input h to x.
    void mla(const Batch& batch, uint32_t layer, Rows h, Rows x);
    void gqa(const Batch& batch, uint32_t layer, Rows h, Rows x);
    void ffn(const FfnTensors& tensors, uint32_t n, uint32_t n_ff, ConstRows h, Rows out);
    void moe(const Batch& batch, uint32_t layer, Rows h, Rows x);
    void look_ahead(const Batch& batch, uint32_t layer, ConstRows x);
    std::span<const float> router_bias(const LayerTensors& t) const;
    void run_experts(Lease& lease, std::span<const uint32_t> first, Rows in, Rows out);

    void mla_queries(const Batch& batch, const MlaTensors& t, ConstRows h, Rows q);
    void mla_write_cache(const Batch& batch, uint32_t layer, ConstRows h);
    void mla_absorb(const MlaTensors& t, ConstRows q, Rows latent, uint32_t n);
    void mla_expand(const MlaTensors& t, ConstRows latent, Rows out, uint32_t n);
    void attention_output(uint32_t layer, ConstRows values, Rows x, uint32_t n);

    const HyperParams& p_;
    const ModelTensors& tensors_;
    const WeightStore& store_;
    Kernels& kernels_;
    Rope rope_;

    Buffer x_, h_, angles_;                     // (n, n_embd), (n, n_embd), (n, rope)
    Buffer q_, q_a_, kv_, values_, projected_;  // attention
    Buffer latent_q_, latent_out_;              // MLA: a part of the batch at a time
    Buffer gate_, up_, router_logits_, expert_in_, expert_out_, ffn_out_;
    Buffer logits_;
};

}  // namespace sluice
