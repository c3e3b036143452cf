// Attention in floats, for f32 caches. A tile is its decoded keys, (64, key_width), followed by its values
// unless they are in the keys, (64, value_width).
#pragma once

#include "kernels/portable/kv_rows.h"
#include "kernels/portable/matmul.h"
#include "kernels/portable/softmax.h"

namespace sluice::portable::floats {

static inline void prepare_tile(const AttentionShape& shape, const KvRows& rows, std::byte* tile) {
    float* keys = reinterpret_cast<float*>(tile);
    for (uint32_t i = 0; i < rows.n; ++i)
        kv_decode(shape.format, rows.keys + i * rows.key_stride, keys + uint64_t(i) * shape.key_width,
                  shape.key_width);
    if (shape.values_in_keys) return;
    float* values = keys + uint64_t(attention_tile) * shape.key_width;
    for (uint32_t i = 0; i < rows.n; ++i)
        kv_decode(shape.format, rows.values + i * rows.value_stride, values + uint64_t(i) * shape.value_width,
                  shape.value_width);
}

/// out[j] = out[j] * keep + sum over i < n of weight[i] * values[i][j], i ascending, for J * 16 columns.
template <int J>
[[gnu::always_inline]] static inline void weigh_values(const float* values, uint64_t stride, uint32_t n,
                                                       const float* weight, float keep, float* out) {
    Floats acc[J];
    lanes::unrolled<J>([&](auto j) __attribute__((always_inline)) {
        acc[j] = lanes::multiply(lanes::load(out + j * lanes::width), lanes::all(keep));
    });
    for (uint32_t i = 0; i < n; ++i, values += stride)
        lanes::unrolled<J>([&](auto j) __attribute__((always_inline)) {
            acc[j] =
                lanes::multiply_add(acc[j], lanes::load(values + j * lanes::width), lanes::all(weight[i]));
        });
    lanes::unrolled<J>([&](auto j)
                           __attribute__((always_inline)) { lanes::store(out + j * lanes::width, acc[j]); });
}

static inline void attend(const AttentionShape& shape, const std::byte* tile, const AttentionQuery& query) {
    const float* keys = reinterpret_cast<const float*>(tile);
    float scores[attention_tile];
    const ConstRows q{reinterpret_cast<const float*>(query.query), 0};
    const Rows s{scores, 0};
    uint32_t i = 0;
    for (; i + 4 <= query.seen; i += 4)
        dot_tile<4, 1>(keys + uint64_t(i) * shape.key_width, shape.key_width, q, 0, shape.key_width, s, i);
    for (; i < query.seen; ++i)
        dot_tile<1, 1>(keys + uint64_t(i) * shape.key_width, shape.key_width, q, 0, shape.key_width, s, i);
    const float keep = fold_softmax(scores, query.seen, *query.state);

    const uint64_t stride = shape.values_in_keys ? shape.key_width : shape.value_width;
    const float* values = shape.values_in_keys ? keys : keys + uint64_t(attention_tile) * shape.key_width;
    uint32_t j = 0;
    for (; j + 4 * lanes::width <= shape.value_width; j += 4 * lanes::width)
        weigh_values<4>(values + j, stride, query.seen, scores, keep, query.out + j);
    for (; j + lanes::width <= shape.value_width; j += lanes::width)
        weigh_values<1>(values + j, stride, query.seen, scores, keep, query.out + j);
    for (; j < shape.value_width; ++j) {
        float acc = query.out[j] * keep;
        for (i = 0; i < query.seen; ++i) acc = __builtin_fmaf(values[i * stride + j], scores[i], acc);
        query.out[j] = acc;
    }
}

}  // namespace sluice::portable::floats
