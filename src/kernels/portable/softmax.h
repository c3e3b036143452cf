// One tile's step of the online softmax.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/portable/lanes.h"

namespace sluice::portable {

[[gnu::always_inline]] static inline float exp_of(float x) {
    return lanes::exp(lanes::NativeFloats{} + x)[0];
}

/// Turns the scores of a tile's first `seen` positions into weights relative to the largest score so far; the
/// other weights become 0. Returns what all that was summed before must be multiplied by.
[[gnu::always_inline]] static inline float fold_softmax(float* scores, uint32_t seen, AttentionState& state) {
    constexpr int n_vectors = int(attention_tile / lanes::width);
    for (uint32_t i = seen; i < attention_tile; ++i) scores[i] = -3.0e38f;
    lanes::Floats top = lanes::load(scores), sums = lanes::all(0.0f);
    lanes::unrolled<n_vectors - 1>([&](auto i) __attribute__((always_inline)) {
        top = lanes::larger(lanes::load(scores + (i + 1) * int(lanes::width)), top);
    });
    float largest = lanes::largest(top);
    largest = state.max > largest ? state.max : largest;
    lanes::unrolled<n_vectors>([&](auto i) __attribute__((always_inline)) {
        float* at = scores + i * int(lanes::width);
        const uint32_t first = uint32_t(i) * lanes::width;
        lanes::Floats e = lanes::all(0.0f);
        if (first < seen) e = lanes::exp(lanes::add(lanes::load(at), lanes::all(-largest)));
        lanes::store(at, e);
        if (first < seen && seen < first + lanes::width) {
            for (uint32_t j = seen - first; j < lanes::width; ++j) at[j] = 0.0f;
            e = lanes::load(at);
        }
        sums = lanes::add(sums, e);
    });
    const float keep = state.sum == 0 ? 0.0f : exp_of(state.max - largest);
    state = {largest, __builtin_fmaf(state.sum, keep, lanes::sum(sums))};
    return keep;
}

}  // namespace sluice::portable
