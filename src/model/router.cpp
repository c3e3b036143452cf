#include "model/router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sluice {

namespace {

constexpr float excluded = -std::numeric_limits<float>::infinity();

std::vector<float> probabilities(GatingFunction gating, std::span<const float> logits) {
    std::vector<float> p(logits.begin(), logits.end());
    if (gating == GatingFunction::sigmoid) {
        for (float& x : p) x = 1.0f / (1.0f + std::exp(-x));
        return p;
    }
    const float largest = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (float& x : p) sum += x = std::exp(x - largest);
    for (float& x : p) x = float(x / sum);
    return p;
}

/// Indices of the `k` largest scores, best first, the lower index on a tie.
std::vector<uint32_t> best(std::span<const float> scores, uint32_t k) {
    std::vector<uint32_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0u);
    // NaN (a broken model) sorts last instead of breaking the order.
    const auto worth = [&](uint32_t i) { return std::isnan(scores[i]) ? excluded : scores[i]; };
    const auto better = [&](uint32_t a, uint32_t b) {
        return worth(a) != worth(b) ? worth(a) > worth(b) : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + k, order.end(), better);
    order.resize(k);
    return order;
}

void exclude_weak_groups(const MoeParams& m, std::vector<float>& scores) {
    const uint32_t size = m.n_experts / m.n_groups;
    std::vector<float> worth(m.n_groups);
    for (uint32_t g = 0; g < m.n_groups; ++g) {
        const std::span<const float> group(scores.data() + g * size, size);
        const auto top = best(group, std::min(size, m.gating == GatingFunction::sigmoid ? 2u : 1u));
        for (const uint32_t i : top) worth[g] += group[i];
    }
    std::vector<bool> kept(m.n_groups, false);
    for (const uint32_t g : best(worth, m.n_groups_used)) kept[g] = true;
    for (uint32_t i = 0; i < m.n_experts; ++i)
        if (!kept[i / size]) scores[i] = excluded;
}

}  // namespace

Route route(const MoeParams& m, std::span<const float> logits, std::span<const float> bias) {
    const std::vector<float> p = probabilities(m.gating, logits);
    std::vector<float> scores = p;
    for (size_t i = 0; i < bias.size(); ++i) scores[i] += bias[i];
    if (m.n_groups > 1 && m.n_groups_used < m.n_groups) exclude_weak_groups(m, scores);
    Route r;
    r.experts = best(scores, m.n_used);
    float sum = 0;
    for (const uint32_t e : r.experts) {
        r.weights.push_back(p[e]);
        sum += p[e];
    }
    if (m.normalise_weights)
        for (float& w : r.weights) w /= std::max(sum, 1e-20f);
    for (float& w : r.weights) w *= m.weights_scale;
    return r;
}

}  // namespace sluice
