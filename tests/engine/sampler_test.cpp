#include "engine/sampler.h"

#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "sluice/error.h"

namespace sluice {
namespace {

/// Everything off: one draw from the softmax.
SamplingOptions neutral() {
    SamplingOptions o;
    o.temperature = 1;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    return o;
}

std::vector<float> logits_of(std::vector<double> probabilities) {
    std::vector<float> v;
    for (const double p : probabilities) v.push_back(float(std::log(p)));
    return v;
}

std::map<int32_t, int> draws(const SamplingOptions& o, const std::vector<float>& logits, int n = 4000,
                             std::vector<int32_t> history = {}) {
    Sampler s(o, uint32_t(logits.size()));
    for (const int32_t t : history) s.accept(t);
    std::map<int32_t, int> count;
    for (int i = 0; i < n; ++i) ++count[s.sample(logits)];
    return count;
}

const std::vector<float> four = logits_of({0.5, 0.3, 0.15, 0.05});

TEST(Sampler, DrawsFollowTheProbabilities) {
    const auto count = draws(neutral(), four, 20000);
    EXPECT_NEAR(count.at(0), 10000, 300);
    EXPECT_NEAR(count.at(1), 6000, 300);
    EXPECT_NEAR(count.at(2), 3000, 250);
    EXPECT_NEAR(count.at(3), 1000, 150);
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
    SamplingOptions o = neutral();
    std::vector<std::vector<int32_t>> runs;
    for (const uint64_t seed : {1u, 1u, 2u}) {
        o.seed = seed;
        Sampler s(o, 4);
        runs.emplace_back();
        for (int i = 0; i < 50; ++i) runs.back().push_back(s.sample(four));
    }
    EXPECT_EQ(runs[0], runs[1]);
    EXPECT_NE(runs[0], runs[2]);
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdOnATie) {
    SamplingOptions o;
    o.temperature = 0;
    EXPECT_EQ(Sampler(o, 4).sample(std::vector<float>{1, 3, 3, 2}), 1);
    o.temperature = 1;
    o.top_k = 1;
    EXPECT_EQ(Sampler(o, 4).sample(std::vector<float>{1, 3, 3, 2}), 1);
}

TEST(Sampler, TemperatureSharpens) {
    SamplingOptions o = neutral();
    o.temperature = 0.5f;  // squares the probabilities: 0.25 / 0.365
    EXPECT_NEAR(draws(o, four, 20000).at(0), 20000 * 0.25 / 0.365, 350);
}

TEST(Sampler, TopKKeepsTheBestAndOnTiesTheLowerIds) {
    SamplingOptions o = neutral();
    o.top_k = 2;
    EXPECT_EQ(draws(o, four).size(), 2u);
    const auto tied = draws(o, {1, 1, 1, 1});
    EXPECT_EQ(tied.begin()->first, 0);
    EXPECT_EQ(tied.rbegin()->first, 1);
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesIt) {
    SamplingOptions o = neutral();
    o.top_p = 0.5f;
    EXPECT_EQ(draws(o, logits_of({0.6, 0.3, 0.1})).size(), 1u);
    o.top_p = 0.7f;
    EXPECT_EQ(draws(o, four).size(), 2u);
    o.top_p = 1e-6f;
    EXPECT_EQ(draws(o, four).size(), 1u);
}

TEST(Sampler, MinPIsRelativeToTheBest) {
    SamplingOptions o = neutral();
    o.min_p = 0.25f;  // at least 0.125
    EXPECT_EQ(draws(o, four).size(), 3u);
}

TEST(Sampler, TypicalPKeepsWhatIsNearTheExpectedInformation) {
    SamplingOptions o = neutral();
    o.typical_p = 0.25f;
    // Entropy 1.142 nats: -ln 0.3 = 1.204 is nearest, not the most probable token.
    const auto count = draws(o, four);
    EXPECT_EQ(count.size(), 1u);
    EXPECT_EQ(count.begin()->first, 1);
}

TEST(Sampler, PenaltiesCountWhatWasSeen) {
    SamplingOptions o = neutral();
    o.temperature = 0;
    const std::vector<float> logits = {2.0f, 1.9f, -1.0f};
    const auto choice = [&](SamplingOptions options, std::vector<int32_t> history) {
        Sampler s(options, 3);
        for (const int32_t t : history) s.accept(t);
        return s.sample(logits);
    };
    EXPECT_EQ(choice(o, {0, 0}), 0);
    SamplingOptions repeat = o, presence = o, frequency = o;
    repeat.repeat_penalty = 1.2f;         // 2 / 1.2 < 1.9
    presence.presence_penalty = 0.09f;    // 1.91 > 1.9, however often
    frequency.frequency_penalty = 0.06f;  // 1.94 once, 1.88 twice
    EXPECT_EQ(choice(repeat, {0}), 1);
    EXPECT_EQ(choice(presence, {0, 0, 0}), 0);
    EXPECT_EQ(choice(frequency, {0}), 0);
    EXPECT_EQ(choice(frequency, {0, 0}), 1);
    repeat.penalty_last_n = 2;
    EXPECT_EQ(choice(repeat, {0, 2, 2}), 0);  // out of sight
    repeat.penalty_last_n = -1;
    EXPECT_EQ(choice(repeat, {0, 2, 2}), 1);
    repeat.penalty_last_n = 0;
    EXPECT_EQ(choice(repeat, {0}), 0);
}

TEST(Sampler, BiasForbidsAndFavours) {
    SamplingOptions o = neutral();
    o.logit_bias = {{0, -std::numeric_limits<float>::infinity()}, {3, 100.0f}};
    EXPECT_EQ(draws(o, four).begin()->first, 3);
    o.temperature = 0;
    o.logit_bias = {{0, -std::numeric_limits<float>::infinity()}};
    EXPECT_EQ(Sampler(o, 4).sample(four), 1);
    for (int i = 1; i < 4; ++i) o.logit_bias.push_back({i, -std::numeric_limits<float>::infinity()});
    EXPECT_THROW(Sampler(o, 4).sample(four), Error);
    o.temperature = 1;
    EXPECT_THROW(Sampler(o, 4).sample(four), Error);
}

TEST(Sampler, RowsWithoutATokenAreNeverChosen) {
    SamplingOptions o = neutral();
    Sampler s(o, 2);
    for (int i = 0; i < 100; ++i) EXPECT_LT(s.sample(std::vector<float>{0, 0, 50, 50}), 2);
}

TEST(Sampler, NanIsAnErrorAndNotAToken) {
    EXPECT_THROW(Sampler(neutral(), 2).sample(std::vector<float>{0, NAN}), Error);
    SamplingOptions o;
    o.temperature = 0;
    EXPECT_THROW(Sampler(o, 2).sample(std::vector<float>{NAN, 0}), Error);
}

TEST(Sampler, OptionsOutOfRangeNameTheirFlag) {
    const auto refusal = [](auto change) -> std::string {
        SamplingOptions o;
        change(o);
        try {
            Sampler(o, 4);
        } catch (const Error& e) {
            return e.what();
        }
        return "(accepted)";
    };
    EXPECT_NE(refusal([](auto& o) { o.top_p = 0; }).find("--top-p"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.top_p = 1.5f; }).find("1.5"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.temperature = NAN; }).find("--temp"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.min_p = -1; }).find("--min-p"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.typical_p = 2; }).find("--typical-p"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.repeat_penalty = 0; }).find("--repeat-penalty"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.penalty_last_n = -2; }).find("--penalty-last-n"), std::string::npos);
    EXPECT_NE(refusal([](auto& o) { o.logit_bias = {{-1, 0.0f}}; }).find("--logit-bias"), std::string::npos);
}

}  // namespace
}  // namespace sluice
