// Synthetic models: valid blocks, honest routing.
#include "model/synth.h"

#include <cmath>

#include <gtest/gtest.h>

#include "core/fail.h"
#include "quant/decode.h"
#include "quant/random_blocks.h"

namespace sluice {
namespace {

GgufMetadata tokenizer() {
    GgufMetadata m;
    m.source = "tokenizer.gguf";
    m.add("tokenizer.ggml.model", std::string("gpt2"));
    m.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
    return m;
}

TEST(RandomBlocks, HaveMeanZeroAndTheDeviationAskedFor) {
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        constexpr size_t n = 1 << 17;
        std::vector<std::byte> bytes(n / t->block_weights * t->block_bytes);
        std::vector<float> weights(n);
        RandomBlocks(t->type, 0.02).fill(bytes, 5);
        decode(t->type, bytes.data(), weights.data(), n);
        double sum = 0, squares = 0;
        for (const float w : weights) {
            ASSERT_TRUE(std::isfinite(w)) << t->name;
            sum += w, squares += double(w) * w;
        }
        const double deviation = std::sqrt(squares / n), ratio = deviation / 0.02;
        EXPECT_LT(std::abs(sum / n), 0.05 * deviation) << t->name;
        if (t->type == TensorType::MXFP4)
            EXPECT_TRUE(ratio > 0.66 && ratio < 1.5) << ratio;
        else
            EXPECT_NEAR(ratio, 1, 0.05) << t->name;
        std::vector<std::byte> again(bytes.size());
        RandomBlocks(t->type, 0.02).fill(again, 5);
        EXPECT_EQ(bytes, again);
        RandomBlocks(t->type, 0.02).fill(again, 6);
        EXPECT_NE(bytes, again);
    }
}

TEST(Synth, EveryShapeHasTheParametersOfItsModel) {
    const std::pair<const char*, double> billions[] = {
        {"deepseek-r1", 671},       {"kimi-k2", 1026},       {"deepseek-v2", 236},
        {"deepseek-v2-lite", 15.7}, {"qwen3-30b-a3b", 30.5}, {"qwen3-235b-a22b", 235},
        {"qwen2.5-7b", 7.6},        {"llama-3.1-8b", 8.0},   {"llama-3.1-70b", 70.6}};
    for (const auto& [name, expected] : billions) {
        const SynthModel model({.like = name}, tokenizer());
        double weights = 0;
        for (const GgufTensor& t : model.layout().tensors()) weights += double(t.n_weights());
        EXPECT_NEAR(weights / 1e9, expected, 0.01 * expected) << name;
    }
}

TEST(Synth, SizeLeavesOutLayers) {
    const SynthModel model({.like = "deepseek-r1", .expert_type = TensorType::Q2_K, .max_bytes = 30ull << 30},
                           tokenizer());
    EXPECT_LE(model.layout().data_bytes(), 30ull << 30);
    EXPECT_GT(model.layout().data_bytes(), 24ull << 30);
    EXPECT_LT(model.n_layers(), 61u);
    EXPECT_THROW(SynthModel({.like = "deepseek-r1", .max_bytes = 1 << 30}, tokenizer()), Error);
    EXPECT_THROW(SynthModel({.like = "deepseek-r1", .n_layers = 2}, tokenizer()), Error);
    EXPECT_THROW(SynthModel({.like = "gpt-5"}, tokenizer()), Error);
}

TEST(Synth, WhatAPieceHoldsDependsOnNothingElse) {
    const SynthModel one({.like = "tiny-moe"}, tokenizer()), two({.like = "tiny-moe"}, tokenizer());
    for (size_t i = 0; i < one.layout().tensors().size(); ++i) {
        const uint64_t n = std::min<uint64_t>(one.layout().tensors()[i].n_bytes, one.piece_bytes(i));
        std::vector<std::byte> a(n), b(n);
        one.fill(i, 0, a);
        two.fill(i, 0, b);
        EXPECT_EQ(a, b) << one.layout().tensors()[i].name;
    }
}

TEST(Synth, SkewConcentratesTheUses) {
    const auto share = [](double skew) {
        return SynthModel({.like = "deepseek-v2-lite", .skew = skew}, tokenizer()).share_of_popular_tenth();
    };
    EXPECT_NEAR(share(0), 6.0 / 64, 0.02);
    EXPECT_GT(share(1), 0.3);
    EXPECT_GT(share(2), share(1));
}

}  // namespace
}  // namespace sluice
