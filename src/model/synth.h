// Synthetic models: the shapes, types and tokenizer of a real model with random weights, so that a drive and
// a machine can be measured without a download.
//
// Routing. A router's rows are independent and of unit gain, so each token's choice is as good as uniform,
// the worst case for a cache. Two parameters make it friendlier:
//
//   skew S         the expert at place r of its layer's popularity gets -S ln(r + 1) added to its logits,
//   whose
//                  deviation over tokens is 1 (through embedding channel 0, the same for every token)
//   correlation C  share of an embedding's variance that the token's topic gives; a token belongs to one of
//                  64 topics, and the head favours tokens of the present one, so that text stays in it for
//                  about ten tokens
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "format/gguf_writer.h"
#include "model/synth_shapes.h"

namespace sluice {

struct SynthOptions {
    std::string like = "deepseek-r1";
    TensorType expert_type = TensorType::Q4_K;  // of a model without experts: of all matrices
    TensorType dense_type = TensorType::Q8_0;
    uint32_t n_layers = 0;   // 0: as many as the real model has, or as max_bytes allows
    uint64_t max_bytes = 0;  // of all tensors; 0: no limit
    double skew = 0, correlation = 0;
    uint64_t seed = 1;
};

class SynthModel {
  public:
    /// tokenizer: the metadata of a file whose tokenizer and chat template are taken; its vocabulary is
    /// padded with unused tokens to the model's size. Throws invalid_argument naming what does not fit.
    SynthModel(const SynthOptions& options, const GgufMetadata& tokenizer);

    const GgufWriter& layout() const { return writer_; }
    uint32_t n_layers() const { return n_layers_; }
    const SynthShape& shape() const { return shape_; }

    /// Bytes [offset, offset + out.size()) of tensor `index`. offset must be a multiple of piece_bytes(index)
    /// and out at most that long: what a piece holds depends on nothing else.
    void fill(size_t index, uint64_t offset, std::span<std::byte> out) const;
    /// About 4 MiB, whole rows of embeddings.
    uint64_t piece_bytes(size_t index) const;

    /// Share of all choices that the most popular tenth of experts gets, found by drawing (0.1 if uniform).
    double share_of_popular_tenth() const;

  private:
    enum class Fill : uint8_t { random, ones, zeros, embedding, head, router };
    struct Weights {
        Fill fill = Fill::random;
        double deviation = 0;
        uint32_t layer = 0;
    };

    void add_metadata(const GgufMetadata& tokenizer);
    void add_moe_metadata();
    void add_tokenizer(const GgufMetadata& tokenizer);
    void add(const std::string& name, TensorType type, std::vector<uint64_t> shape, Weights weights);
    /// A matrix of random weights: deviation gain / sqrt(row length).
    void add_matrix(const std::string& name, TensorType type, std::vector<uint64_t> shape, double gain = 1);
    void add_norm(const std::string& name, uint64_t n);
    void add_tensors(uint32_t n_layers);
    void add_layer(uint32_t layer);
    void add_attention(const std::string& blk);
    void add_mla(const std::string& blk);
    void add_experts(const std::string& blk, uint32_t layer);
    void add_ffn(const std::string& blk, std::string_view suffix, TensorType type, uint64_t n_ff);

    void fill_rows(size_t index, uint64_t first_row, std::span<std::byte> out) const;
    void make_vocabulary_row(Fill fill, uint64_t token, std::span<float> out) const;
    void make_router_row(uint32_t layer, uint64_t expert, std::span<float> out) const;
    /// Added to each expert's logit.
    std::vector<double> popularity(uint32_t layer) const;

    SynthOptions options_;
    const SynthShape& shape_;
    uint32_t n_layers_ = 0;
    GgufWriter writer_;
    std::vector<Weights> weights_;  // of each tensor
};

}  // namespace sluice
