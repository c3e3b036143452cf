// A small synthetic model for tests of streaming, and what they measure it by.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "sluice/engine.h"

#include "format/gguf.h"
#include "model/synth.h"
#include "test_models.h"

namespace sluice::test {

/// A synthetic model with 6 layers of 32 experts, written once for all tests of this process.
inline const std::string& synthetic() {
    static const std::string path = [] {
        const auto file =
            std::filesystem::path(SLUICE_TEST_TMP) / ("stream-test-" + std::to_string(getpid()) + ".gguf");
        const SynthModel model({.like = "tiny-moe", .expert_type = TensorType::Q4_K, .n_layers = 8},
                               GgufFile::open(rill()).metadata());
        std::ofstream out(file, std::ios::binary);
        out << model.layout().header();
        uint64_t written = 0;
        std::vector<std::byte> piece;
        for (size_t i = 0; i < model.layout().tensors().size(); ++i) {
            const GgufTensor& t = model.layout().tensors()[i];
            out << std::string(t.offset - written, '\0');
            for (uint64_t at = 0; at < t.n_bytes; at += piece.size()) {
                piece.resize(std::min(model.piece_bytes(i), t.n_bytes - at));
                model.fill(i, at, piece);
                out.write(reinterpret_cast<const char*>(piece.data()), std::streamsize(piece.size()));
            }
            written = t.offset + t.n_bytes;
        }
        out << std::string(model.layout().data_bytes() - written, '\0');
        return file.string();
    }();
    return path;
}

class RemovesSynthetic : public testing::Environment {
    void TearDown() override {
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(SLUICE_TEST_TMP, ignored))
            if (entry.path().filename() == "stream-test-" + std::to_string(getpid()) + ".gguf")
                std::filesystem::remove(entry.path(), ignored);
    }
};
[[maybe_unused]] inline const auto* const removes_synthetic =
    testing::AddGlobalTestEnvironment(new RemovesSynthetic);

/// The smallest budget, in steps of a megabyte, with which the model opens.
inline uint64_t least_budget(const std::string& path, EngineOptions options) {
    uint64_t low = 16, high = 512;  // MiB; fails below, works from there on
    while (low + 1 < high) {
        const uint64_t middle = (low + high) / 2;
        options.ram_bytes = middle << 20;
        try {
            Engine::open(path, options);
            high = middle;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), ErrorCode::out_of_budget) << e.what();
            low = middle;
        }
    }
    return high << 20;
}

struct Outcome {
    std::vector<float> logits;
    StreamStats stream{};
};

/// Logits after a prompt and after each of the tokens that follow.
inline Outcome outcome_of(const Engine& engine, uint32_t batch) {
    Session session(engine, {.context = 256, .kv_type = KvType::f16, .batch = batch});
    Outcome o;
    std::vector<TokenId> prompt;
    for (int i = 0; i < 40; ++i) prompt.push_back((i * 37 + 11) % 4000);
    session.prefill(prompt);
    for (int i = 0; i < 24; ++i) {
        o.logits.insert(o.logits.end(), session.logits().begin(), session.logits().end());
        const TokenId next = (i * 101 + 5) % 4000;
        session.append({&next, 1});
    }
    o.stream = engine.stream_stats();
    return o;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace sluice::test
