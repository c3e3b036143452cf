// One tile of attention for one query.
#pragma once

#include "kernels/portable/elementwise.h"
#include "kernels/portable/matmul.h"

namespace sluice::portable {

/// out[j] = out[j] * keep + sum over i of weight[i] * values[i][j], i ascending, for J * 16 columns.
template <int J>
[[gnu::always_inline]] static inline void weigh_values(const AttentionTile& tile, const float* weight,
                                                       float keep, float* out, uint32_t j0) {
    Floats acc[J];
    lanes::unrolled<J>([&](auto j) __attribute__((always_inline)) {
        acc[j] = lanes::multiply(lanes::load(out + j0 + j * lanes::width), lanes::all(keep));
    });
    const float* v = tile.values + j0;
    for (uint32_t i = 0; i < tile.n; ++i, v += tile.value_stride)
        lanes::unrolled<J>([&](auto j) __attribute__((always_inline)) {
            acc[j] = lanes::multiply_add(acc[j], lanes::load(v + j * lanes::width), lanes::all(weight[i]));
        });
    lanes::unrolled<J>([&](auto j) __attribute__((always_inline)) {
        lanes::store(out + j0 + j * lanes::width, acc[j]);
    });
}

static inline void attend(const AttentionTile& tile, const float* query, AttentionState& state, float* out) {
    float scores[attention_tile];
    const ConstRows q{query, 0};
    const Rows s{scores, 0};
    uint32_t i = 0;
    for (; i + 4 <= tile.n; i += 4)
        dot_tile<4, 1>(tile.keys + uint64_t(i) * tile.key_stride, tile.key_stride, q, 0, tile.key_width, s,
                       i);
    for (; i < tile.n; ++i)
        dot_tile<1, 1>(tile.keys + uint64_t(i) * tile.key_stride, tile.key_stride, q, 0, tile.key_width, s,
                       i);

    float largest = state.max;
    for (i = 0; i < tile.n; ++i) largest = scores[i] > largest ? scores[i] : largest;
    for (; i < attention_tile; ++i) scores[i] = -3.0e38f;  // so that whole vectors can be taken
    Floats sums = lanes::all(0.0f);
    for (i = 0; i < tile.n; i += lanes::width) {
        const uint32_t n = tile.n - i < lanes::width ? tile.n - i : lanes::width;
        const Floats e = lanes::exp(lanes::add(lanes::load(scores + i), lanes::all(-largest)));
        lanes::store(scores + i, e);
        sums = lanes::add(sums, n == lanes::width ? e : lanes::load_part(scores + i, n));
    }
    const float keep = state.sum == 0 ? 0.0f : lanes::exp(lanes::NativeFloats{} + (state.max - largest))[0];
    state = {largest, state.sum * keep + lanes::sum(sums)};

    uint32_t j = 0;
    for (; j + 4 * lanes::width <= tile.value_width; j += 4 * lanes::width)
        weigh_values<4>(tile, scores, keep, out, j);
    for (; j + lanes::width <= tile.value_width; j += lanes::width)
        weigh_values<1>(tile, scores, keep, out, j);
    for (; j < tile.value_width; ++j) {
        float acc = out[j] * keep;
        for (i = 0; i < tile.n; ++i)
            acc = __builtin_fmaf(tile.values[uint64_t(i) * tile.value_stride + j], scores[i], acc);
        out[j] = acc;
    }
}

}  // namespace sluice::portable
