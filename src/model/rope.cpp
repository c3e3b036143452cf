#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sluice {

namespace {

/// The pair whose wavelength makes `turns` turns over the original context (Peng et al. 2023, YaRN, eq. 22).
double pair_of(const RopeParams& p, double turns) {
    return p.dims * std::log(p.original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(p.base));
}

}  // namespace

Rope::Rope(const RopeParams& p, std::span<const float> divisors)
    : pairs_(p.pairs), magnitude_(p.attention_factor) {
    const double low = std::max(std::floor(pair_of(p, p.beta_fast)), 0.0);
    const double high = std::min(std::ceil(pair_of(p, p.beta_slow)), double(p.dims - 1));
    for (uint32_t i = 0; i < p.dims / 2; ++i) {
        double f = std::pow(p.base, -2.0 * i / p.dims);
        if (!divisors.empty()) f /= double(divisors[i]);
        if (p.scaling == RopeScaling::linear) f /= p.factor;
        if (p.scaling == RopeScaling::yarn) {  // fast pairs keep their frequency, slow ones are interpolated
            const double ramp = std::clamp((i - low) / std::max(high - low, 1e-3), 0.0, 1.0);
            f = f / p.factor * ramp + f * (1 - ramp);
        }
        frequencies_.push_back(f);
    }
}

void Rope::angles(uint32_t position, float* out) const {
    for (const double f : frequencies_) {
        *out++ = float(std::cos(position * f) * magnitude_);
        *out++ = float(std::sin(position * f) * magnitude_);
    }
}

void Rope::turn(const float* angles, float* head) const {
    const size_t n = frequencies_.size();
    const size_t step = pairs_ == RopePairs::neighbours ? 2 : 1,
                 apart = pairs_ == RopePairs::neighbours ? 1 : n;
    for (size_t i = 0; i < n; ++i) {
        float &a = head[i * step], &b = head[i * step + apart];
        const float c = angles[2 * i], s = angles[2 * i + 1], x = a, y = b;
        a = x * c - y * s;
        b = x * s + y * c;
    }
}

}  // namespace sluice
