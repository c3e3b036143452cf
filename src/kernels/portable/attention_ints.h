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
#pragma once

#include "kernels/portable/attention_tile.h"
#include "kernels/portable/softmax.h"

namespace sluice::portable::integers {

/// Queries that meet vectors of keys or values in registers.
inline constexpr int queries_at_once = 6;

static inline void prepare_query(const AttentionShape& s, const float* query, std::byte* out) {
    float* scales = reinterpret_cast<float*>(out);
    float* row = reinterpret_cast<float*>(out + 64);  // words replace it as they are made
    auto* to = reinterpret_cast<int32_t*>(row);
    const AttentionShape plain{KvFormat::f32, s.key_width, s.value_width, s.first_part, s.values_in_keys};
    decode_key(plain, reinterpret_cast<const std::byte*>(query), row);
    const uint32_t first = attention_width(s.first_part), end = attention_key_width(s);
    const Scales one = scale_of(row, first), two = scale_of(row + first, end - first);
    scales[0] = one.down[0];
    scales[1] = two.down[0];
    for (uint32_t d = 0; d < end; d += 2 * words::width) {
        NativeFloats low, high;
        lanes::load_to(low, row + d);
        lanes::load_to(high, row + d + words::width);
        const NativeFloats up = d < first ? one.up : two.up;
        words::store(to + d / 2, words::joined(words::rounded(low, up), words::rounded(high, up)));
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
                                                    uint32_t from, uint32_t to, LinesAhead& ahead,
                                                    Words (&acc)[Q][V]) {
    const int32_t* query[Q];
    lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
        query[q] = queries.words(q);
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { acc[q][v] = Words{}; });
    });
    for (uint32_t w = from; w < to; ++w) {
        ahead.ask();
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
static inline void score(const AttentionShape& s, const Tile& t, const Queries<Q>& queries, LinesAhead& ahead,
                         float* scores) {
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
        sum_words<Q, V>(queries, t.keys + p, 0, first, ahead, acc);
        each([&](auto q, auto v, uint32_t at, const float*)
                 __attribute__((always_inline)) { return words::to_floats(acc[q][v]) * scales(q, 0, at); });
        if (first == end) continue;
        sum_words<Q, V>(queries, t.keys + p, first, end, ahead, acc);
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
                                                     const int32_t* values, uint32_t pairs, uint32_t dim,
                                                     LinesAhead& ahead) {
    Words acc[Q][V];
    lanes::unrolled<Q>([&](auto q) __attribute__((always_inline)) {
        lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { acc[q][v] = Words{}; });
    });
    for (uint32_t i = 0; i < pairs; ++i, values += V * words::width) {
        ahead.ask();
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
    LinesAhead ahead = *t.ahead;
    uint32_t seen = 0;
    in_groups(
        n, [&](auto q, uint32_t i) __attribute__((always_inline)) {
            score<decltype(q)::value>(s, t, {queries + i}, ahead, scores + i * attention_tile);
        });
    for (uint32_t i = 0; i < n; ++i) {
        weigh(t, queries[i], scores + i * attention_tile, weights[i]);
        seen = queries[i].seen > seen ? queries[i].seen : seen;
    }
    const uint32_t width = attention_width(s.value_width), pairs = (seen + 1) / 2;
    for (uint32_t dim = 0; dim < width; dim += dims_at_once) {
        const int32_t* values = value_words(t.values, width, 0, dim).at;
        in_groups(
            n, [&](auto q, uint32_t i) __attribute__((always_inline)) {
                constexpr int Q = decltype(q)::value;
                if (width - dim >= dims_at_once)
                    sum_values<Q, vectors_at_once>(queries + i, weights + i, values, pairs, dim, ahead);
                else
                    sum_values<Q, 2>(queries + i, weights + i, values, pairs, dim, ahead);
            });
    }
}

}  // namespace sluice::portable::integers
