// Attention of queries over a tile of 64 positions. Two formulations:
//
// * f32 caches: floats, a position after the other (attention_floats.h). One instruction set always gives the
//   same bits.
// * f16 and q8_0 caches: integers of 16 bits (attention_ints.h), twice as fast, with the same bits on every
//   instruction set. What quantising to 16 bits adds is about what keeping values in half precision costs.
//
// The softmax runs online over the tiles of a chunk; chunks are merged in order of position. Everything here
// that is not exact is a fused multiply-add or one rounded operation, in a fixed order.
#pragma once

#include "kernels/portable/attention_floats.h"
#include "kernels/portable/attention_ints.h"

namespace sluice::portable {

static inline void attention_query(const AttentionShape& shape, const float* query, std::byte* out) {
    if (shape.format == KvFormat::f32)
        __builtin_memcpy(out, query, shape.key_width * sizeof(float));
    else
        integers::prepare_query(shape, query, out);
}

static inline void attention_tile_of(const AttentionShape& shape, const KvRows& rows, std::byte* tile) {
    if (shape.format == KvFormat::f32)
        floats::prepare_tile(shape, rows, tile);
    else
        integers::prepare_tile(shape, rows, tile);
}

static inline void attend(const AttentionShape& shape, const std::byte* tile, const AttentionQuery* queries,
                          uint32_t n) {
    if (shape.format == KvFormat::f32)
        for (uint32_t i = 0; i < n; ++i) floats::attend(shape, tile, queries[i]);
    else
        integers::attend(shape, tile, queries, n);
}

static inline void attend_merge(const AttentionState& from, const float* from_out, AttentionState& to,
                                float* out, uint32_t n) {
    if (from.sum == 0) return;
    if (to.sum == 0) {
        to = from;
        __builtin_memcpy(out, from_out, n * sizeof(float));
        return;
    }
    const float largest = from.max > to.max ? from.max : to.max;
    const float keep = exp_of(to.max - largest), take = exp_of(from.max - largest);
    to = {largest, __builtin_fmaf(to.sum, keep, from.sum * take)};
    for (uint32_t i = 0; i < n; ++i) out[i] = __builtin_fmaf(out[i], keep, from_out[i] * take);
}

}  // namespace sluice::portable
