// The forward pass of every architecture against logits computed in float64 from the same weights.
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "test_models.h"

namespace sluice {
namespace {

/// Logits of all tokens, fed in runs of the given size.
std::vector<float> logits_of(const Engine& engine, const std::vector<int32_t>& tokens, KvType kv,
                             uint32_t batch, uint32_t run) {
    Session session(engine, {.kv_type = kv, .batch = batch});
    std::vector<float> all;
    for (size_t at = 0; at < tokens.size(); at += run) {
        const auto part =
            session.append_all_logits({tokens.data() + at, std::min<size_t>(run, tokens.size() - at)});
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

double deviation(const std::vector<float>& v) {
    double sum = 0, squares = 0;
    for (const float x : v) sum += x, squares += double(x) * x;
    const double mean = sum / double(v.size());
    return std::sqrt(squares / double(v.size()) - mean * mean);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        largest = std::max(largest, std::abs(double(a[i]) - b[i]));
    return largest;
}

double rms_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double squares = a.size() == b.size() ? 0 : INFINITY;
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) squares += std::pow(double(a[i]) - b[i], 2);
    return std::sqrt(squares / double(a.size()));
}

class Golden : public testing::TestWithParam<const char*> {
  protected:
    std::filesystem::path dir = test::data(std::string("golden/") + GetParam());
    std::vector<int32_t> tokens = test::read_json(dir / "case.json")["tokens"];
    std::vector<float> exact = test::read_floats(dir / "logits.f32");
    Engine open(uint32_t threads) {
        return Engine::open((dir / "model.gguf").string(), {.threads = threads});
    }
};

TEST_P(Golden, LogitsAreExactWithinAThousandthOfTheirDeviation) {
    const auto logits = logits_of(open(2), tokens, KvType::f32, 512, 512);
    EXPECT_LE(largest_difference(logits, exact), 1e-3 * deviation(exact));
}

TEST_P(Golden, BatchSplitAndThreadsDoNotChangeABit) {
    for (const KvType kv : {KvType::f32, KvType::f16, KvType::q8_0}) {
        const auto reference = logits_of(open(1), tokens, kv, 512, 512);
        for (const uint32_t threads : {1u, 2u, 3u}) {
            const Engine engine = open(threads);
            for (const auto& [batch, run] :
                 {std::pair{512u, 512u}, {7u, 512u}, {1u, 512u}, {512u, 13u}, {512u, 1u}}) {
                const auto other = logits_of(engine, tokens, kv, batch, run);
                ASSERT_EQ(other.size(), reference.size());
                EXPECT_EQ(0, std::memcmp(other.data(), reference.data(), other.size() * sizeof(float)))
                    << to_string(kv) << ", " << threads << " threads, batch " << batch << ", runs of " << run;
            }
        }
    }
}

TEST_P(Golden, SmallerKvTypesStayClose) {
    const Engine engine = open(2);
    EXPECT_LE(largest_difference(logits_of(engine, tokens, KvType::f16, 512, 512), exact),
              0.02 * deviation(exact));
    // Weights are random: q8_0 may tip the choice between two nearly equal experts for a token.
    const double tipped = std::string(GetParam()) == "deepseek-v2" ? 0.3 : 0.05;
    const auto q8 = logits_of(engine, tokens, KvType::q8_0, 512, 512);
    EXPECT_LE(rms_difference(q8, exact), tipped * deviation(exact));
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("deepseek-v2-lite", "deepseek-v2", "deepseek-v3", "deepseek-v3-old",
                                         "llama", "qwen2", "qwen3", "qwen3moe"),
                         [](const auto& p) {
                             std::string name = p.param;
                             for (char& c : name)
                                 if (c == '-') c = '_';
                             return name;
                         });

}  // namespace
}  // namespace sluice
