// Tiles of integer attention: rows of an f16 or q8_0 cache as 16-bit integers, laid out for attention_ints.h.
//
// A tile, in words (two 16-bit numbers): keys turned, (dims / 2, 64), so that a lane is a position; values in
// blocks of dims, each (32 pairs of positions, dims of the block), so that a lane is a dim. Which two dims
// share a word is for the kernel to choose: queries are laid out the same way.
//
// Rows are read as many at a time as a vector has lanes, and twice: their squares give the scales; then they
// become integers, are turned and stored without leaving the registers.
#pragma once

#include "kernels/portable/attention_scale.h"

namespace sluice::portable::integers {

/// Vectors of keys or values that meet queries in registers.
inline constexpr int vectors_at_once = words::width == 16 ? 4 : 2;
inline constexpr uint32_t position_pairs = attention_tile / 2, dims_at_once = vectors_at_once * words::width;

/// Where the parts of a tile lie.
struct Tile {
    float* scale[2];     // of each position's key parts
    float* value_scale;  // of each position's values
    LinesAhead* ahead;
    int32_t *keys, *values;
    std::byte* work;  // decoded rows of words::width positions
};
[[gnu::always_inline]] static inline Tile tile_at(const AttentionShape& s, std::byte* p) {
    constexpr uint32_t scales_bytes = 3 * attention_tile * sizeof(float);
    static_assert(scales_bytes + sizeof(LinesAhead) <= 1024);
    const uint32_t key_words = attention_key_width(s) / 2, value_width = attention_width(s.value_width);
    float* scales = reinterpret_cast<float*>(p);
    auto* keys = reinterpret_cast<int32_t*>(p + 1024);
    int32_t* values = keys + uint64_t(key_words) * attention_tile;
    return {{scales, scales + attention_tile},
            scales + 2 * attention_tile,
            reinterpret_cast<LinesAhead*>(p + scales_bytes),
            keys,
            values,
            reinterpret_cast<std::byte*>(values + uint64_t(value_width) * position_pairs)};
}

/// Where the word of a pair of positions and a dim (and those of the dims after it in its block) lies; those
/// of the next pair follow at a distance of block_width.
struct ValueWords {
    int32_t* at;
    uint32_t block_width;
};
[[gnu::always_inline]] static inline ValueWords value_words(int32_t* values, uint32_t width, uint32_t pair,
                                                            uint32_t dim) {
    const uint32_t block = dim / dims_at_once * dims_at_once;
    const uint32_t block_width = width - block < dims_at_once ? width - block : dims_at_once;
    return {values + uint64_t(block) * position_pairs + pair * block_width + (dim - block), block_width};
}

enum class Into { keys, values, both };

/// Dims [from, from + n) of the rows of positions from `position` on, times `up`: into keys, (n / 2, 64),
/// values (n dims), or both.
template <Into I, typename Row>
[[gnu::always_inline]] static inline void turn(const Row (&rows)[words::width], uint32_t from, uint32_t n,
                                               NativeFloats up, uint32_t position, int32_t* keys,
                                               int32_t* values, LinesAhead& ahead) {
    alignas(64) float scale[words::width];
    lanes::store(scale, up);
    for (uint32_t d = 0; d < n; d += 2 * words::width) {
        const auto integers = [&](int r, uint32_t at) __attribute__((always_inline)) {
            return words::rounded(rows[r].native(from + d + at), NativeFloats{} + scale[r]);
        };
        Words turned[words::width];
        ValueWords to{};
        if constexpr (I != Into::keys) to = value_words(values, n, position / 2, d);
        lanes::unrolled<int(words::width / 2)>([&](auto pair) __attribute__((always_inline)) {
            constexpr int a = 2 * decltype(pair)::value, b = a + 1;
            const Words a_low = integers(a, 0), a_high = integers(a, words::width);
            const Words b_low = integers(b, 0), b_high = integers(b, words::width);
            if constexpr (I != Into::values) {
                turned[a] = words::joined(a_low, a_high);
                turned[b] = words::joined(b_low, b_high);
            }
            if constexpr (I != Into::keys) {
                int32_t* at = to.at + uint32_t(pair) * to.block_width;
                words::store(at, words::joined(a_low, b_low));
                words::store(at + words::width, words::joined(a_high, b_high));
            }
        });
        if constexpr (I != Into::values) {
            words::transpose(turned);
            int32_t* at = keys + uint64_t(d / 2) * attention_tile + position;
            lanes::unrolled<int(words::width)>([&](auto w) __attribute__((always_inline)) {
                words::store(at + uint32_t(w) * attention_tile, turned[w]);
            });
        }
        ahead.ask(words::width / 2);
    }
}

template <typename Row>
static inline void turn_keys(const AttentionShape& s, const Tile& t, const Row (&rows)[words::width],
                             uint32_t position) {
    LinesAhead ahead = *t.ahead;
    const uint32_t first = attention_width(s.first_part), end = attention_key_width(s);
    const Scales one = scales_of(rows, 0, first, ahead);
    lanes::store(t.scale[0] + position, one.down);
    if (s.values_in_keys) {
        lanes::store(t.value_scale + position, one.down);
        turn<Into::both>(rows, 0, first, one.up, position, t.keys, t.values, ahead);
    } else {
        turn<Into::keys>(rows, 0, first, one.up, position, t.keys, nullptr, ahead);
    }
    if (first != end) {
        const Scales two = scales_of(rows, first, end - first, ahead);
        lanes::store(t.scale[1] + position, two.down);
        turn<Into::keys>(rows, first, end - first, two.up, position,
                         t.keys + uint64_t(first / 2) * attention_tile, nullptr, ahead);
    }
    *t.ahead = ahead;
}

template <typename Row>
static inline void turn_values(const AttentionShape& s, const Tile& t, const Row (&rows)[words::width],
                               uint32_t position) {
    LinesAhead ahead = *t.ahead;
    const uint32_t width = attention_width(s.value_width);
    const Scales scales = scales_of(rows, 0, width, ahead);
    lanes::store(t.value_scale + position, scales.down);
    turn<Into::values>(rows, 0, width, scales.up, position, nullptr, t.values, ahead);
    *t.ahead = ahead;
}

/// The rows of positions from `position` on as they lie; beyond the last one, that again: its weight is zero.
template <typename Row>
[[gnu::always_inline]] static inline void rows_at(Row (&to)[words::width], const std::byte* first,
                                                  uint64_t stride, uint32_t position, uint32_t n) {
    for (uint32_t r = 0; r < words::width; ++r)
        to[r] = {first + (position + r < n ? position + r : n - 1) * stride};
}

/// For halves in whole vectors.
static inline void turn_as_they_lie(const AttentionShape& s, const Tile& t, const KvRows& rows) {
    for (uint32_t i = 0; i < attention_tile; i += words::width) {
        HalfRow some[words::width];
        rows_at(some, rows.keys, rows.key_stride, i, rows.n);
        turn_keys(s, t, some, i);
        if (s.values_in_keys) continue;
        rows_at(some, rows.values, rows.value_stride, i, rows.n);
        turn_values(s, t, some, i);
    }
}

/// For all others: bytes take more instructions twice than once with floats in the cache.
static inline void turn_decoded(const AttentionShape& s, const Tile& t, const KvRows& rows) {
    const uint64_t key_bytes = attention_key_width(s) * sizeof(float),
                   value_bytes = attention_width(s.value_width) * sizeof(float);
    for (uint32_t i = 0; i < attention_tile; i += words::width) {
        const uint32_t n = rows.n <= i ? 1 : rows.n - i < words::width ? rows.n - i : words::width;
        const uint32_t from = rows.n <= i ? rows.n - 1 : i;
        FloatRow some[words::width];
        for (uint32_t r = 0; r < n; ++r)
            decode_key(s, rows.keys + (from + r) * rows.key_stride,
                       reinterpret_cast<float*>(t.work + r * key_bytes));
        rows_at(some, t.work, key_bytes, 0, n);
        turn_keys(s, t, some, i);
        if (s.values_in_keys) continue;
        for (uint32_t r = 0; r < n; ++r)
            decode_value(s, rows.values + (from + r) * rows.value_stride,
                         reinterpret_cast<float*>(t.work + r * value_bytes));
        rows_at(some, t.work, value_bytes, 0, n);
        turn_values(s, t, some, i);
    }
}

static inline void prepare_tile(const AttentionShape& s, const KvRows& rows, std::byte* tile) {
    const Tile t = tile_at(s, tile);
    *t.ahead = LinesAhead(s, rows);
    if (s.format == KvFormat::f16 && s.key_width % 32 == 0 && s.first_part % 32 == 0 &&
        s.value_width % 32 == 0)
        turn_as_they_lie(s, t, rows);
    else
        turn_decoded(s, t, rows);
}

}  // namespace sluice::portable::integers
