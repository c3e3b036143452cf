// Attention in integers, for f16 and q8_0 caches. Rows become 16-bit integers times a power of two, so small
// that 32 bits hold every sum exactly: the order in which lanes are added does not matter, and all
// instruction sets agree.
//
//   scores    a part of a query or key is scaled to a 2-norm of at most 2^15.5 (within a factor of two), so
//   that
//             |q . k| <= 2^31 (Cauchy and Schwarz)
//   values    scaled as keys are, |v| < 2^15; a position's scale goes to its weight. The weights of a tile
//   are
//             scaled to a sum of at most 2^16
//
// A tile, in words (two 16-bit numbers): keys turned, (dims / 2, 64), so that a lane is a position; values in
// blocks of dims, each (32 pairs of positions, dims of the block), so that a lane is a dim. Which two dims
// share a word is for the kernel to choose: queries are laid out the same way.
#pragma once

#include "kernels/portable/kv_rows.h"
#include "kernels/portable/softmax.h"
#include "kernels/portable/words.h"

namespace sluice::portable::integers {

using words::NativeFloats;
using words::Words;

/// Queries and vectors of keys or values that meet in registers.
inline constexpr int queries_at_once = 6, vectors_at_once = words::width == 16 ? 4 : 2;
inline constexpr uint32_t position_pairs = attention_tile / 2, dims_at_once = vectors_at_once * words::width;

/// Where the parts of a tile lie.
struct Tile {
    float* scale[2];     // of each position's key parts
    float* value_scale;  // of each position's values
    int32_t *keys, *values;
    float* rows;      // work space: two decoded rows
    int32_t* staged;  // work space: keys of words::width positions, before they are turned
};
[[gnu::always_inline]] static inline Tile tile_at(const AttentionShape& s, std::byte* p) {
    const uint32_t key_words = attention_key_width(s) / 2, value_width = attention_width(s.value_width);
    float* scales = reinterpret_cast<float*>(p);
    auto* keys = reinterpret_cast<int32_t*>(p + 1024);
    int32_t* values = keys + uint64_t(key_words) * attention_tile;
    auto* rows = reinterpret_cast<float*>(values + uint64_t(value_width) * position_pairs);
    const uint32_t row = value_width > 2 * key_words ? value_width : 2 * key_words;
    return {{scales, scales + attention_tile},
            scales + 2 * attention_tile,
            keys,
            values,
            rows,
            reinterpret_cast<int32_t*>(rows + 2 * uint64_t(row))};
}

/// What a part of a row is multiplied by to become integers, and what turns them back.
struct Scale {
    float up, down;
};

/// For n values, a multiple of 32: the power of two that brings their 2-norm to (2^14.5, 2^15.5), or to the
/// half of that if a value might not fit 16 bits. A hundredth is kept for what rounding adds to the norm.
static inline Scale scale_of(const float* x, uint32_t n) {
    lanes::Floats even = lanes::all(0.0f), odd = even;
    for (uint32_t i = 0; i < n; i += 2 * lanes::width) {
        const lanes::Floats a = lanes::load(x + i), b = lanes::load(x + i + lanes::width);
        even = lanes::fused(even, a, a);
        odd = lanes::fused(odd, b, b);
    }
    const lanes::Floats squares = lanes::add(even, odd);
    const float total = lanes::sum(squares);
    if (total < 0x1p-90f) return {0.0f, 0.0f};
    if (!(total <= 0x1p120f)) return {0.0f, total - total + __builtin_nanf("")};  // shows in the result
    const float with_reserve = total * (1.0f / 0.99f);
    int32_t bits;
    __builtin_memcpy(&bits, &with_reserve, sizeof bits);
    const int32_t exponent = (bits >> 23) - 127;
    const auto power = [](int32_t e) __attribute__((always_inline)) {
        const int32_t b = (e + 127) << 23;
        float f;
        __builtin_memcpy(&f, &b, sizeof f);
        return f;
    };
    int32_t up = (30 - exponent) >> 1;
    // No value is larger than the root of its lane's sum.
    if (lanes::largest(squares) * power(up) * power(up) >= 0.99f * 0x1p30f) --up;
    return {power(up), power(-up)};
}

/// Decodes one row of keys and fills its parts up with zeros.
static inline void decode_key(const AttentionShape& s, const std::byte* src, float* row) {
    kv_decode(s.format, src, row, s.key_width);
    const uint32_t first = attention_width(s.first_part), second = s.key_width - s.first_part,
                   end = attention_key_width(s);
    if (first != s.first_part) {
        __builtin_memmove(row + first, row + s.first_part, second * sizeof(float));
        __builtin_memset(row + s.first_part, 0, (first - s.first_part) * sizeof(float));
    }
    __builtin_memset(row + first + second, 0, (end - first - second) * sizeof(float));
}

/// The integers of two vectors of a row that share words.
struct TwoVectors {
    Words low, high;
};
[[gnu::always_inline]] static inline TwoVectors integers_of(const float* x, float up) {
    NativeFloats a, b;
    lanes::load_to(a, x);
    lanes::load_to(b, x + words::width);
    const NativeFloats scale = NativeFloats{} + up;
    return {words::rounded(a, scale), words::rounded(b, scale)};
}

static inline void prepare_query(const AttentionShape& s, const float* query, std::byte* out) {
    float* scales = reinterpret_cast<float*>(out);
    float* row = reinterpret_cast<float*>(out + 64);  // words replace it as they are made
    auto* to = reinterpret_cast<int32_t*>(row);
    const AttentionShape plain{KvFormat::f32, s.key_width, s.value_width, s.first_part, s.values_in_keys};
    decode_key(plain, reinterpret_cast<const std::byte*>(query), row);
    const uint32_t first = attention_width(s.first_part), end = attention_key_width(s);
    const Scale one = scale_of(row, first), two = scale_of(row + first, end - first);
    scales[0] = one.down;
    scales[1] = two.down;
    for (uint32_t d = 0; d < end; d += 2 * words::width) {
        const TwoVectors v = integers_of(row + d, d < first ? one.up : two.up);
        words::store(to + d / 2, words::joined(v.low, v.high));
    }
}

/// Where the word of a pair of positions and a dim (and those of the dims after it in its block) lies.
[[gnu::always_inline]] static inline int32_t* value_words(int32_t* values, uint32_t width, uint32_t pair,
                                                          uint32_t dim) {
    const uint32_t block = dim / dims_at_once * dims_at_once;
    const uint32_t block_width = width - block < dims_at_once ? width - block : dims_at_once;
    return values + uint64_t(block) * position_pairs + pair * block_width + (dim - block);
}

enum class Into { keys, values, both };

/// n dims of two positions' rows a and b: into their staged keys, the values of the pair, or both.
template <Into I>
[[gnu::always_inline]] static inline void put_pair(const float* a, const float* b, float up_a, float up_b,
                                                   uint32_t n, int32_t* staged_a, int32_t* staged_b,
                                                   int32_t* values, uint32_t value_width, uint32_t pair) {
    for (uint32_t d = 0; d < n; d += 2 * words::width) {
        const TwoVectors va = integers_of(a + d, up_a), vb = integers_of(b + d, up_b);
        if constexpr (I != Into::values) {
            words::store(staged_a + d / 2, words::joined(va.low, va.high));
            words::store(staged_b + d / 2, words::joined(vb.low, vb.high));
        }
        if constexpr (I != Into::keys) {
            int32_t* to = value_words(values, value_width, pair, d);
            words::store(to, words::joined(va.low, vb.low));
            words::store(to + words::width, words::joined(va.high, vb.high));
        }
    }
}

/// The keys of positions i and i + 1, staged, and their values if these are the keys' first part.
static inline void prepare_keys(const AttentionShape& s, const Tile& t, const KvRows& rows, uint32_t i) {
    const uint32_t first = attention_width(s.first_part), end = attention_key_width(s);
    float *a = t.rows, *b = t.rows + end;
    for (uint32_t j = 0; j < 2; ++j) {
        float* row = j ? b : a;
        if (i + j < rows.n)
            decode_key(s, rows.keys + (i + j) * rows.key_stride, row);
        else
            __builtin_memset(row, 0, end * sizeof(float));
    }
    int32_t *staged_a = t.staged + i % words::width * (end / 2), *staged_b = staged_a + end / 2;
    const Scale one_a = scale_of(a, first), one_b = scale_of(b, first);
    t.scale[0][i] = one_a.down;
    t.scale[0][i + 1] = one_b.down;
    if (s.values_in_keys) {
        t.value_scale[i] = one_a.down;
        t.value_scale[i + 1] = one_b.down;
        put_pair<Into::both>(a, b, one_a.up, one_b.up, first, staged_a, staged_b, t.values, first, i / 2);
    } else {
        put_pair<Into::keys>(a, b, one_a.up, one_b.up, first, staged_a, staged_b, nullptr, 0, 0);
    }
    if (first == end) return;
    const Scale two_a = scale_of(a + first, end - first), two_b = scale_of(b + first, end - first);
    t.scale[1][i] = two_a.down;
    t.scale[1][i + 1] = two_b.down;
    put_pair<Into::keys>(a + first, b + first, two_a.up, two_b.up, end - first, staged_a + first / 2,
                         staged_b + first / 2, nullptr, 0, 0);
}

static inline void prepare_values(const AttentionShape& s, const Tile& t, const KvRows& rows, uint32_t i) {
    const uint32_t width = attention_width(s.value_width);
    float* row[2] = {t.rows, t.rows + width};
    Scale scale[2];
    for (uint32_t j = 0; j < 2; ++j) {
        __builtin_memset(row[j] + s.value_width, 0, (width - s.value_width) * sizeof(float));
        if (i + j < rows.n)
            kv_decode(s.format, rows.values + (i + j) * rows.value_stride, row[j], s.value_width);
        else
            __builtin_memset(row[j], 0, s.value_width * sizeof(float));
        scale[j] = scale_of(row[j], width);
        t.value_scale[i + j] = scale[j].down;
    }
    put_pair<Into::values>(row[0], row[1], scale[0].up, scale[1].up, width, nullptr, nullptr, t.values, width,
                           i / 2);
}

/// A long context lies in memory, and rows of one head apart: ask for the row some positions ahead (beyond
/// the tile's end, of the next tile).
[[gnu::always_inline]] static inline void prefetch_row(const std::byte* row, uint64_t stride,
                                                       uint64_t bytes) {
    constexpr uint64_t positions_ahead = 12;
    const std::byte* ahead = row + positions_ahead * stride;
    for (uint64_t i = 0; i < bytes; i += 64) __builtin_prefetch(ahead + i);
}

static inline void prepare_tile(const AttentionShape& s, const KvRows& rows, std::byte* tile) {
    const Tile t = tile_at(s, tile);
    const uint32_t key_words = attention_key_width(s) / 2;
    const uint64_t key_bytes = kv_row_bytes(s.format, s.key_width),
                   value_bytes = kv_row_bytes(s.format, s.value_width);
    for (uint32_t i = 0; i < attention_tile; i += words::width) {
        for (uint32_t j = i; j < i + words::width; j += 2) {
            for (uint32_t r = j; r < j + 2 && r < rows.n; ++r) {
                prefetch_row(rows.keys + r * rows.key_stride, rows.key_stride, key_bytes);
                if (!s.values_in_keys)
                    prefetch_row(rows.values + r * rows.value_stride, rows.value_stride, value_bytes);
            }
            prepare_keys(s, t, rows, j);
            if (!s.values_in_keys) prepare_values(s, t, rows, j);
        }
        for (uint32_t w = 0; w < key_words; w += words::width)
            words::transpose(t.staged + w, key_words, t.keys + uint64_t(w) * attention_tile + i,
                             attention_tile);
    }
}

template <int Q>
struct Queries {
    const AttentionQuery* query;
    [[gnu::always_inline]] const int32_t* words(int i) const {
        return reinterpret_cast<const int32_t*>(query[i].query + 64);
    }
    [[gnu::always_inline]] float scale(int i, int part) const {
        return reinterpret_cast<const float*>(query[i].query)[part];
    }
};

/// acc[q][v] = sum over words [from, to) of query q times vector v of the positions from p on.
template <int Q, int V>
[[gnu::always_inline]] static inline void sum_words(const Queries<Q>& queries, const int32_t* keys,
                                                    uint32_t from, uint32_t to, Words (&acc)[Q][V]) {
    const int32_t* query[Q];
    lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
        query[q] = queries.words(q);
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { acc[q][v] = Words{}; });
    });
    for (uint32_t w = from; w < to; ++w) {
        Words key[V];
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
            key[v] = words::load(keys + uint64_t(w) * attention_tile + uint32_t(v) * words::width);
        });
        lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
            const Words x = words::everywhere(query[q] + w);
            lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
                acc[q][v] = words::dot2(acc[q][v], key[v], x);
            });
        });
    }
}

/// scores: (Q, 64)
template <int Q>
static inline void score(const AttentionShape& s, const Tile& t, const Queries<Q>& queries, float* scores) {
    constexpr int V = vectors_at_once;
    const uint32_t first = attention_width(s.first_part) / 2, end = attention_key_width(s) / 2;
    for (uint32_t p = 0; p < attention_tile; p += dims_at_once) {
        Words acc[Q][V];
        const auto each = [&](const auto& fn) __attribute__((always_inline)) {
            lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
                lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
                    const uint32_t at = p + uint32_t(v) * words::width;
                    float* to = scores + uint32_t(q) * attention_tile + at;
                    lanes::store(to, fn(q, v, at, to));
                });
            });
        };
        const auto scales = [&](int q, int part, uint32_t at) __attribute__((always_inline)) {
            NativeFloats k;
            lanes::load_to(k, t.scale[part] + at);
            return k * queries.scale(q, part);
        };
        sum_words<Q, V>(queries, t.keys + p, 0, first, acc);
        each([&](auto q, auto v, uint32_t at, const float*)
                 __attribute__((always_inline)) { return words::to_floats(acc[q][v]) * scales(q, 0, at); });
        if (first == end) continue;
        sum_words<Q, V>(queries, t.keys + p, first, end, acc);
        each([&](auto q, auto v, uint32_t at, const float* to) __attribute__((always_inline)) {
            NativeFloats before;
            lanes::load_to(before, to);
            return lanes::fused(before, words::to_floats(acc[q][v]), scales(q, 1, at));
        });
    }
}

/// A query's weights of a tile, as integers: two positions in a word.
struct Weights {
    alignas(64) int32_t words[position_pairs];
    float keep;  // what the sums so far are multiplied by
    float down;  // turns the integers back
};

/// scores: in, scores; out, weights as floats.
[[gnu::always_inline]] static inline void weigh(const Tile& t, const AttentionQuery& query, float* scores,
                                                Weights& to) {
    constexpr int n_vectors = int(attention_tile / lanes::width);
    to.keep = fold_softmax(scores, query.seen, *query.state);
    lanes::Floats sums = lanes::all(0.0f), top = sums;
    lanes::unrolled<n_vectors>([&](auto i) __attribute__((always_inline)) {
        float* at = scores + i * int(lanes::width);
        lanes::Floats w = lanes::load(at);
        w = lanes::multiply(w, lanes::load(t.value_scale + i * int(lanes::width)));
        lanes::store(at, w);
        sums = lanes::add(sums, w);
        top = lanes::larger(w, top);
    });
    float up = 65000.0f / lanes::sum(sums);  // half a unit for each of 64 keeps it below 65536
    const float by_largest = 32700.0f / lanes::largest(top);
    if (by_largest < up) up = by_largest;
    if (up > 0x1p100f) up = 0x1p100f;
    to.down = 1.0f / up;
    const NativeFloats scale = NativeFloats{} + up;
    for (uint32_t i = 0; i < attention_tile; i += words::width) {
        NativeFloats w;
        lanes::load_to(w, scores + i);
        const Words bits = words::rounded(w, scale);
        const auto halves = __builtin_convertvector(bits, words::Halves);
        __builtin_memcpy(to.words + i / 2, &halves, sizeof halves);
    }
}

/// out += weights times values, for V vectors of dims, whose words begin at `values`.
template <int Q, int V>
[[gnu::always_inline]] static inline void sum_values(const AttentionQuery* queries, const Weights* weights,
                                                     const int32_t* values, uint32_t pairs, uint32_t dim) {
    Words acc[Q][V];
    lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { acc[q][v] = Words{}; });
    });
    for (uint32_t i = 0; i < pairs; ++i, values += V * words::width) {
        Words value[V];
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
            value[v] = words::load(values + uint32_t(v) * words::width);
        });
        lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
            const Words x = words::everywhere(weights[q].words + i);
            lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
                acc[q][v] = words::dot2(acc[q][v], value[v], x);
            });
        });
    }
    lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
            float* out = queries[q].out + dim + uint32_t(v) * words::width;
            NativeFloats before;
            lanes::load_to(before, out);
            lanes::store(out, lanes::fused(before * weights[q].keep, words::to_floats(acc[q][v]),
                                           NativeFloats{} + weights[q].down));
        });
    });
}

/// fn(Index<Q>, first query) over n queries.
template <typename Fn>
[[gnu::always_inline]] static inline void in_groups(uint32_t n, const Fn& fn) {
    uint32_t i = 0;
    for (; i + queries_at_once <= n; i += queries_at_once) fn(lanes::Index<queries_at_once>(), i);
    switch (n - i) {
        case 5:
            return fn(lanes::Index<5>(), i);
        case 4:
            return fn(lanes::Index<4>(), i);
        case 3:
            return fn(lanes::Index<3>(), i);
        case 2:
            return fn(lanes::Index<2>(), i);
        case 1:
            return fn(lanes::Index<1>(), i);
        default:
            return;
    }
}

static inline void attend(const AttentionShape& s, const std::byte* tile, const AttentionQuery* queries,
                          uint32_t n) {
    const Tile t = tile_at(s, const_cast<std::byte*>(tile));
    alignas(64) float scores[attention_queries * attention_tile];
    Weights weights[attention_queries];
    uint32_t seen = 0;
    in_groups(
        n, [&](auto q, uint32_t i) __attribute__((always_inline)) {
            score<decltype(q)::value>(s, t, {queries + i}, scores + i * attention_tile);
        });
    for (uint32_t i = 0; i < n; ++i) {
        weigh(t, queries[i], scores + i * attention_tile, weights[i]);
        seen = queries[i].seen > seen ? queries[i].seen : seen;
    }
    const uint32_t width = attention_width(s.value_width), pairs = (seen + 1) / 2;
    for (uint32_t dim = 0; dim < width; dim += dims_at_once) {
        const int32_t* values = value_words(t.values, width, 0, dim);
        in_groups(
            n, [&](auto q, uint32_t i) __attribute__((always_inline)) {
                constexpr int Q = decltype(q)::value;
                if (width - dim >= dims_at_once)
                    sum_values<Q, vectors_at_once>(queries + i, weights + i, values, pairs, dim);
                else
                    sum_values<Q, 2>(queries + i, weights + i, values, pairs, dim);
            });
    }
}

}  // namespace sluice::portable::integers
