#include "model/router.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace sluice {
namespace {

MoeParams params(uint32_t n, uint32_t used) {
    MoeParams m;
    m.n_experts = n;
    m.n_used = used;
    return m;
}

TEST(Router, SoftmaxTopKWithoutNormalisation) {
    const Route r = route(params(4, 2), std::vector<float>{0, 2, 1, -1}, {});
    EXPECT_EQ(r.experts, (std::vector<uint32_t>{1, 2}));
    const double sum = std::exp(0.0) + std::exp(2.0) + std::exp(1.0) + std::exp(-1.0);
    EXPECT_NEAR(r.weights[0], std::exp(2.0) / sum, 1e-6);
    EXPECT_NEAR(r.weights[1], std::exp(1.0) / sum, 1e-6);
}

TEST(Router, BiasSelectsButDoesNotWeigh) {
    MoeParams m = params(3, 1);
    m.gating = GatingFunction::sigmoid;
    const Route r = route(m, std::vector<float>{1, 0, -1}, std::vector<float>{0, 0, 5});
    EXPECT_EQ(r.experts, (std::vector<uint32_t>{2}));
    EXPECT_NEAR(r.weights[0], 1 / (1 + std::exp(1.0)), 1e-6);
}

TEST(Router, WeightsAreNormalisedThenScaled) {
    MoeParams m = params(4, 2);
    m.gating = GatingFunction::sigmoid;
    m.normalise_weights = true;
    m.weights_scale = 2.5f;
    const Route r = route(m, std::vector<float>{0.3f, -2, 1, 0}, {});
    EXPECT_NEAR(r.weights[0] + r.weights[1], 2.5, 1e-6);
    EXPECT_GT(r.weights[0], r.weights[1]);
}

TEST(Router, SigmoidGroupsCountTheirTwoBestExperts) {
    MoeParams m = params(6, 2);
    m.gating = GatingFunction::sigmoid;
    m.n_groups = 3;
    m.n_groups_used = 1;
    // Group 0 has the single best expert, group 2 the best pair.
    const Route r = route(m, std::vector<float>{3, -9, 0, 0, 1, 2}, {});
    EXPECT_EQ(r.experts, (std::vector<uint32_t>{5, 4}));
}

TEST(Router, SoftmaxGroupsCountTheirBestExpert) {
    MoeParams m = params(6, 2);
    m.n_groups = 3;
    m.n_groups_used = 1;
    const Route r = route(m, std::vector<float>{3, -9, 0, 0, 2, 2.5f}, {});
    EXPECT_EQ(r.experts, (std::vector<uint32_t>{0, 1}));
}

TEST(Router, TiesGoToTheLowerNumber) {
    EXPECT_EQ(route(params(5, 3), std::vector<float>{1, 1, 1, 1, 1}, {}).experts,
              (std::vector<uint32_t>{0, 1, 2}));
}

TEST(Router, NanDoesNotBreakTheOrder) {
    const Route r = route(params(3, 2), std::vector<float>{NAN, NAN, NAN}, {});
    EXPECT_EQ(r.experts.size(), 2u);
}

}  // namespace
}  // namespace sluice
