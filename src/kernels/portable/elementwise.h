// Norms and activations: one pass over a row.
#pragma once

#include <cstdint>

#include "kernels/portable/lanes.h"

namespace sluice::portable {

static inline void rms_norm(const float* x, const float* weight, float eps, float* y, uint32_t n) {
    lanes::Floats squares = lanes::all(0.0f);
    uint32_t i = 0;
    for (; i + lanes::width <= n; i += lanes::width) {
        const auto v = lanes::load(x + i);
        squares = lanes::multiply_add(squares, v, v);
    }
    if (i < n) {
        const auto v = lanes::load_part(x + i, n - i);
        squares = lanes::multiply_add(squares, v, v);
    }
    const float scale = 1.0f / __builtin_sqrtf(lanes::sum(squares) / float(n) + eps);
    for (i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

static inline void add_scaled(const float* __restrict x, float scale, float* __restrict y, uint32_t n) {
    uint32_t i = 0;
    for (; i + lanes::width <= n; i += lanes::width)
        lanes::store(y + i, lanes::multiply_add(lanes::load(y + i), lanes::load(x + i), lanes::all(scale)));
    for (; i < n; ++i) y[i] = __builtin_fmaf(x[i], scale, y[i]);
}

static inline void swiglu(float* __restrict gate, const float* __restrict up, uint32_t n) {
    uint32_t i = 0;
    for (; i + lanes::width <= n; i += lanes::width)
        lanes::store(gate + i, lanes::multiply(lanes::silu(lanes::load(gate + i)), lanes::load(up + i)));
    if (i == n) return;
    const auto y =
        lanes::multiply(lanes::silu(lanes::load_part(gate + i, n - i)), lanes::load_part(up + i, n - i));
    __builtin_memcpy(gate + i, &y, (n - i) * sizeof(float));
}

}  // namespace sluice::portable
