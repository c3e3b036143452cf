#include "model/synth.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "core/fail.h"
#include "quant/decode.h"
#include "quant/random_blocks.h"

namespace sluice {

namespace {

constexpr uint32_t n_topics = 64;
/// Of attention's output: little beside the token itself.
constexpr double attention_gain = 0.1;
/// Channel 0 of every embedding: what a router's popularity rides on.
constexpr double popular_channel = 4;
/// What the head adds for tokens of the present topic, in logits whose deviation is 1: of 64 topics the
/// present one then has nine tenths of the probability.
constexpr double topic_logit = 6.3;

/// The type real quants fall back to where a row is not whole blocks.
TensorType fitting(TensorType type, uint64_t row) {
    if (row_bytes(type, row)) return type;
    TensorType other = TensorType::IQ4_NL;
    if (type == TensorType::Q4_K) other = TensorType::Q5_0;
    if (type == TensorType::Q5_K) other = TensorType::Q5_1;
    if (type == TensorType::Q6_K) other = TensorType::Q8_0;
    return row_bytes(other, row) ? other : TensorType::F16;
}

uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t x = a * 0x9e3779b97f4a7c15u ^ (b + 0x632be59bd9b4e019u);  // splitmix64's finaliser
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/// Independent, nearly normal values of mean 0 and deviation 1 (the sum of four uniform ones).
void fill_normal(std::span<float> out, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (float& x : out) {
        const uint64_t r = random();
        x = (float((r & 0xffff) + (r >> 16 & 0xffff) + (r >> 32 & 0xffff) + (r >> 48)) - 131070.0f) /
            37837.2f;
    }
}

}  // namespace

SynthModel::SynthModel(const SynthOptions& options, const GgufMetadata& tokenizer)
    : options_(options), shape_(find_synth_shape(options.like)) {
    if (options_.skew < 0 || options_.skew > 10)
        fail(ErrorCode::invalid_argument, "expected --skew from 0 to 10, found {}", options_.skew);
    if (options_.correlation < 0 || options_.correlation > 0.95)
        fail(ErrorCode::invalid_argument, "expected --correlation from 0 to 0.95, found {}",
             options_.correlation);
    if (options_.n_layers > 1000)
        fail(ErrorCode::invalid_argument, "expected --layers from 1 to 1000, found {}", options_.n_layers);
    const uint32_t least = shape_.leading_dense + 1;
    if (options_.n_layers && options_.n_layers < least)
        fail(ErrorCode::invalid_argument,
             "expected --layers of at least {} for {} ({} dense, then experts), found {}", least, shape_.name,
             shape_.leading_dense, options_.n_layers);
    for (n_layers_ = options_.n_layers ? options_.n_layers : shape_.n_layers;; --n_layers_) {
        add_tensors(n_layers_);
        if (!options_.max_bytes || options_.n_layers || writer_.data_bytes() <= options_.max_bytes) break;
        if (n_layers_ == least)
            fail(ErrorCode::invalid_argument,
                 "expected --size of at least {:.1f}G for {} layers of {}, found {:.1f}G",
                 std::ceil(double(writer_.data_bytes()) / 0x1p30 * 10) / 10, least, shape_.name,
                 double(options_.max_bytes) / 0x1p30);
    }
    add_metadata(tokenizer);
}

void SynthModel::add(const std::string& name, TensorType type, std::vector<uint64_t> shape, Weights weights) {
    writer_.add_tensor(name, type, shape);
    weights_.push_back(weights);
}

void SynthModel::add_matrix(const std::string& name, TensorType type, std::vector<uint64_t> shape,
                            double gain) {
    const double deviation = gain / std::sqrt(double(shape[0]));
    type = fitting(type, shape[0]);
    add(name, type, std::move(shape), {.deviation = deviation});
}

void SynthModel::add_norm(const std::string& name, uint64_t n) {
    add(name, TensorType::F32, {n}, {.fill = Fill::ones});
}

void SynthModel::add_tensors(uint32_t n_layers) {
    writer_ = GgufWriter();
    weights_.clear();
    const SynthShape& s = shape_;
    add("token_embd.weight", TensorType::Q8_0, {s.n_embd, s.n_vocab}, {.fill = Fill::embedding});
    for (uint32_t layer = 0; layer < n_layers; ++layer) add_layer(layer);
    add_norm("output_norm.weight", s.n_embd);
    add("output.weight", TensorType::Q8_0, {s.n_embd, s.n_vocab}, {.fill = Fill::head});
}

void SynthModel::add_layer(uint32_t layer) {
    const std::string blk = fmt::format("blk.{}.", layer);
    add_norm(blk + "attn_norm.weight", shape_.n_embd);
    if (shape_.is_mla())
        add_mla(blk);
    else
        add_attention(blk);
    add_norm(blk + "ffn_norm.weight", shape_.n_embd);
    if (!shape_.has_experts())
        add_ffn(blk, ".weight", options_.expert_type, shape_.n_ff);
    else if (layer < shape_.leading_dense)
        add_ffn(blk, ".weight", options_.dense_type, shape_.n_ff);
    else
        add_experts(blk, layer);
}

void SynthModel::add_mla(const std::string& blk) {
    const SynthShape& s = shape_;
    const TensorType type = options_.dense_type;
    const uint64_t heads = s.n_heads, nope = s.key_width - s.rope_dims;
    if (s.q_lora_rank) {
        add_matrix(blk + "attn_q_a.weight", type, {s.n_embd, s.q_lora_rank});
        add_norm(blk + "attn_q_a_norm.weight", s.q_lora_rank);
        add_matrix(blk + "attn_q_b.weight", type, {s.q_lora_rank, heads * s.key_width});
    } else {
        add_matrix(blk + "attn_q.weight", type, {s.n_embd, heads * s.key_width});
    }
    add_matrix(blk + "attn_kv_a_mqa.weight", type, {s.n_embd, s.kv_lora_rank + s.rope_dims});
    add_norm(blk + "attn_kv_a_norm.weight", s.kv_lora_rank);
    add_matrix(blk + "attn_k_b.weight", type, {nope, s.kv_lora_rank, heads});
    add_matrix(blk + "attn_v_b.weight", type, {s.kv_lora_rank, s.value_width, heads});
    add_matrix(blk + "attn_output.weight", type, {heads * s.value_width, s.n_embd}, attention_gain);
}

void SynthModel::add_attention(const std::string& blk) {
    const SynthShape& s = shape_;
    const TensorType type = s.has_experts() ? options_.dense_type : options_.expert_type;
    const uint64_t q = uint64_t(s.n_heads) * s.key_width, k = uint64_t(s.n_kv_heads) * s.key_width,
                   v = uint64_t(s.n_kv_heads) * s.value_width;
    add_matrix(blk + "attn_q.weight", type, {s.n_embd, q});
    add_matrix(blk + "attn_k.weight", type, {s.n_embd, k});
    add_matrix(blk + "attn_v.weight", type, {s.n_embd, v});
    if (s.architecture == "qwen2") {
        add(blk + "attn_q.bias", TensorType::F32, {q}, {.fill = Fill::zeros});
        add(blk + "attn_k.bias", TensorType::F32, {k}, {.fill = Fill::zeros});
        add(blk + "attn_v.bias", TensorType::F32, {v}, {.fill = Fill::zeros});
    }
    if (s.architecture.starts_with("qwen3")) {
        add_norm(blk + "attn_q_norm.weight", s.key_width);
        add_norm(blk + "attn_k_norm.weight", s.key_width);
    }
    add_matrix(blk + "attn_output.weight", type, {uint64_t(s.n_heads) * s.value_width, s.n_embd},
               attention_gain);
}

void SynthModel::add_ffn(const std::string& blk, std::string_view suffix, TensorType type, uint64_t n_ff) {
    add_matrix(fmt::format("{}ffn_gate{}", blk, suffix), type, {shape_.n_embd, n_ff});
    add_matrix(fmt::format("{}ffn_up{}", blk, suffix), type, {shape_.n_embd, n_ff});
    add_matrix(fmt::format("{}ffn_down{}", blk, suffix), type, {n_ff, shape_.n_embd});
}

void SynthModel::add_experts(const std::string& blk, uint32_t layer) {
    const SynthShape& s = shape_;
    const TensorType type = options_.expert_type;
    add(blk + "ffn_gate_inp.weight", TensorType::F32, {s.n_embd, s.n_experts},
        {.fill = Fill::router, .layer = layer});
    if (s.sigmoid) add(blk + "exp_probs_b.bias", TensorType::F32, {s.n_experts}, {.fill = Fill::zeros});
    add_matrix(blk + "ffn_gate_exps.weight", type, {s.n_embd, s.expert_ff, s.n_experts});
    add_matrix(blk + "ffn_up_exps.weight", type, {s.n_embd, s.expert_ff, s.n_experts});
    add_matrix(blk + "ffn_down_exps.weight", type, {s.expert_ff, s.n_embd, s.n_experts});
    if (s.n_shared) add_ffn(blk, "_shexp.weight", options_.dense_type, uint64_t(s.n_shared) * s.expert_ff);
}

void SynthModel::add_metadata(const GgufMetadata& tokenizer) {
    const SynthShape& s = shape_;
    const std::string arch(s.architecture);
    const auto key = [&](std::string_view name) { return fmt::format("{}.{}", arch, name); };
    writer_.add("general.architecture", s.architecture);
    writer_.add("general.name", fmt::format("Synthetic {}, {} layers", s.name, n_layers_));
    writer_.add("general.description", "Random weights in a real model's shapes, to measure machines with");
    writer_.add("general.quantization_version", 2u);
    writer_.add(key("block_count"), n_layers_);
    writer_.add(key("context_length"), s.context);
    writer_.add(key("embedding_length"), s.n_embd);
    writer_.add(key("feed_forward_length"), s.n_ff);
    writer_.add(key("vocab_size"), s.n_vocab);
    writer_.add(key("attention.head_count"), s.n_heads);
    writer_.add(key("attention.head_count_kv"), s.n_kv_heads);
    writer_.add(key("attention.layer_norm_rms_epsilon"), 1e-6f);
    writer_.add(key("rope.freq_base"), s.rope_base);
    writer_.add(key("rope.dimension_count"), s.rope_dims);
    if (s.is_mla()) {
        if (s.q_lora_rank) writer_.add(key("attention.q_lora_rank"), s.q_lora_rank);
        writer_.add(key("attention.kv_lora_rank"), s.kv_lora_rank);
        writer_.add(key("attention.key_length"), s.kv_lora_rank + s.rope_dims);
        writer_.add(key("attention.value_length"), s.kv_lora_rank);
        writer_.add(key("attention.key_length_mla"), s.key_width);
        writer_.add(key("attention.value_length_mla"), s.value_width);
    } else {
        writer_.add(key("attention.key_length"), s.key_width);
        writer_.add(key("attention.value_length"), s.value_width);
    }
    if (s.yarn_factor > 1) {
        writer_.add(key("rope.scaling.type"), "yarn");
        writer_.add(key("rope.scaling.factor"), s.yarn_factor);
        writer_.add(key("rope.scaling.original_context_length"), 4096u);
        writer_.add(key("rope.scaling.yarn_log_multiplier"), 0.1f);
    }
    if (s.has_experts()) add_moe_metadata();
    add_tokenizer(tokenizer);
}

void SynthModel::add_moe_metadata() {
    const SynthShape& s = shape_;
    const auto key = [&](std::string_view name) { return fmt::format("{}.{}", s.architecture, name); };
    writer_.add(key("expert_count"), s.n_experts);
    writer_.add(key("expert_used_count"), s.n_used);
    writer_.add(key("expert_feed_forward_length"), s.expert_ff);
    if (!s.is_mla()) return;
    writer_.add(key("leading_dense_block_count"), s.leading_dense);
    writer_.add(key("expert_shared_count"), s.n_shared);
    writer_.add(key("expert_gating_func"), s.sigmoid ? 2u : 1u);
    writer_.add(key("expert_weights_norm"), s.normalise_weights);
    writer_.add(key("expert_weights_scale"), s.weights_scale);
    if (s.n_groups > 1) {
        writer_.add(key("expert_group_count"), s.n_groups);
        writer_.add(key("expert_group_used_count"), s.n_groups_used);
    }
}

void SynthModel::add_tokenizer(const GgufMetadata& tokenizer) {
    const auto* tokens = tokenizer.find_strings("tokenizer.ggml.tokens");
    if (!tokens)
        fail(ErrorCode::invalid_file, "{}: expected a tokenizer, found none; name another --tokenizer",
             tokenizer.source);
    if (tokens->size() > shape_.n_vocab)
        fail(ErrorCode::invalid_argument,
             "expected a tokenizer of at most the {} tokens that {} has, found {} in {}; name another "
             "--tokenizer",
             shape_.n_vocab, shape_.name, tokens->size(), tokenizer.source);
    std::vector<std::string> padded = *tokens;
    constexpr int32_t normal = 1, unused = 5;
    const auto kinds = tokenizer.find_ints("tokenizer.ggml.token_type");
    std::vector<int32_t> types(padded.size(), normal);
    if (kinds)
        std::transform(kinds->begin(), kinds->end(), types.begin(), [](int64_t k) { return int32_t(k); });
    types.resize(shape_.n_vocab, unused);
    while (padded.size() < shape_.n_vocab) padded.push_back(fmt::format("<unused_{}>", padded.size()));
    auto scores = tokenizer.find_floats("tokenizer.ggml.scores");
    if (scores) scores->resize(shape_.n_vocab, 0);
    for (const auto& [key, value] : tokenizer.entries()) {
        if (!key.starts_with("tokenizer.")) continue;
        if (key == "tokenizer.ggml.tokens")
            writer_.add(key, std::span<const std::string>(padded));
        else if (key == "tokenizer.ggml.token_type")
            writer_.add(key, std::span<const int32_t>(types));
        else if (key == "tokenizer.ggml.scores" && scores)
            writer_.add(key, std::span<const float>(*scores));
        else
            writer_.copy(key, value);
    }
}

uint64_t SynthModel::piece_bytes(size_t index) const {
    constexpr uint64_t about = 4 << 20;
    const GgufTensor& t = writer_.tensors()[index];
    // What is made a row at a time is cut at rows, the rest at blocks.
    const uint64_t unit =
        weights_[index].fill == Fill::random ? info(t.type).block_bytes : *row_bytes(t.type, t.shape[0]);
    return std::max<uint64_t>(1, about / unit) * unit;
}

void SynthModel::fill(size_t index, uint64_t offset, std::span<std::byte> out) const {
    const GgufTensor& t = writer_.tensors()[index];
    const Weights& w = weights_[index];
    if (w.fill == Fill::random) {
        const uint64_t piece = offset / piece_bytes(index);
        RandomBlocks(t.type, w.deviation).fill(out, mix(mix(options_.seed, index), piece));
    } else {
        fill_rows(index, offset / *row_bytes(t.type, t.shape[0]), out);
    }
}

void SynthModel::fill_rows(size_t index, uint64_t first_row, std::span<std::byte> out) const {
    const GgufTensor& t = writer_.tensors()[index];
    const Weights& w = weights_[index];
    const uint64_t row_size = *row_bytes(t.type, t.shape[0]);
    std::vector<float> row(t.shape[0], w.fill == Fill::ones ? 1.0f : 0.0f);
    for (uint64_t i = 0; i < out.size() / row_size; ++i) {
        if (w.fill == Fill::router)
            make_router_row(w.layer, first_row + i, row);
        else if (w.fill == Fill::embedding || w.fill == Fill::head)
            make_vocabulary_row(w.fill, first_row + i, row);
        encode(t.type, row.data(), out.data() + i * row_size, row.size());
    }
}

/// An embedding is sqrt(C) of its topic's direction and sqrt(1 - C) of its own; the head's row is of unit
/// gain, with as much of its topic's direction as raises a token of the present topic by topic_logit.
void SynthModel::make_vocabulary_row(Fill kind, uint64_t token, std::span<float> out) const {
    const double c = options_.correlation, n = double(out.size());
    fill_normal(out, mix(options_.seed + (kind == Fill::head ? 3 : 2), token));
    double own = std::sqrt(1 - c), shared = std::sqrt(c);
    if (kind == Fill::head) own = 1 / std::sqrt(n), shared = c > 0 ? topic_logit / (std::sqrt(c) * n) : 0;
    for (float& x : out) x = float(own * double(x));
    if (shared > 0) {
        std::vector<float> topic(out.size());
        fill_normal(topic, mix(options_.seed + 4, mix(5, token) % n_topics));
        for (size_t i = 0; i < out.size(); ++i) out[i] += float(shared * double(topic[i]));
    }
    out[0] = kind == Fill::embedding ? float(popular_channel) : 0.0f;
}

std::vector<double> SynthModel::popularity(uint32_t layer) const {
    std::vector<uint32_t> place(shape_.n_experts);
    std::iota(place.begin(), place.end(), 0u);
    std::mt19937_64 random(mix(options_.seed + 6, layer));
    for (size_t i = place.size(); i > 1; --i) std::swap(place[i - 1], place[random() % i]);
    std::vector<double> added(place.size());
    for (size_t e = 0; e < place.size(); ++e) added[e] = -options_.skew * std::log(1.0 + place[e]);
    return added;
}

void SynthModel::make_router_row(uint32_t layer, uint64_t expert, std::span<float> out) const {
    fill_normal(out, mix(mix(options_.seed + 7, layer), expert));
    const double gain = 1 / std::sqrt(double(out.size()));
    for (float& x : out) x = float(gain * double(x));
    // Channel 0 arrives divided by the embedding's root mean square.
    const double n = double(out.size()), rms = std::sqrt((n - 1 + popular_channel * popular_channel) / n);
    out[0] = float(popularity(layer)[expert] * rms / popular_channel);
}

double SynthModel::share_of_popular_tenth() const {
    const std::vector<double> added = popularity(0);
    constexpr uint32_t draws = 2000;
    std::vector<uint64_t> uses(added.size());
    std::vector<float> noise(added.size());
    std::vector<uint32_t> order(added.size());
    for (uint32_t d = 0; d < draws; ++d) {
        fill_normal(noise, mix(options_.seed + 8, d));
        std::iota(order.begin(), order.end(), 0u);
        std::partial_sort(order.begin(), order.begin() + shape_.n_used, order.end(),
                          [&](uint32_t a, uint32_t b) {
                              return double(noise[a]) + added[a] > double(noise[b]) + added[b];
                          });
        for (uint32_t i = 0; i < shape_.n_used; ++i) ++uses[order[i]];
    }
    std::sort(uses.rbegin(), uses.rend());
    const size_t tenth = std::max<size_t>(1, uses.size() / 10);
    return double(std::accumulate(uses.begin(), uses.begin() + ptrdiff_t(tenth), uint64_t(0))) /
           double(uint64_t(draws) * shape_.n_used);
}

}  // namespace sluice
