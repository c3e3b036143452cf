// Products of quantised weights with quantised activations. Each element of y is computed by one fixed
// sequence, whatever the machine, the number of tokens and the neighbours (promise 1):
//
//   types of 256, for each block in order:
//       n = sum over groups g of 16: scale[g] * (sum of (q - zero) * a)          exact, in integers
//       y = fma(n, d * activation scale, y)
//       y = fma(-(sum over g of min[g] * sum of a), dmin * activation scale, y)   if the type has minima
//   types of 32, for each block in order:
//       y = fma(sum of (q - zero) * a, d * activation scale, y)
//       y = fma(m, activation scale * sum of a, y)                               if the type has minima
//
// A few tokens go one by one, the weights in the order of memory (one_token.h). For more, panels of as many
// rows as there are lanes are unpacked and turned, so that a lane is a row and four bytes of activations meet
// all of them at once.
#pragma once

#include "kernels/portable/block_products.h"
#if defined(SLUICE_INTS)
#include "kernels/portable/one_token.h"
#include "kernels/portable/turned_weights.h"
#endif

namespace sluice::portable {

#if defined(SLUICE_INTS)

inline constexpr uint32_t panel_rows = ints::lanes;

/// Rows [first, first + count) of the weights, the last one repeated to fill a panel.
struct PanelRows {
    const uint8_t* row[panel_rows];
};
[[gnu::always_inline]] static inline PanelRows rows_of(const QuantisedProduct& p, uint32_t first,
                                                       uint32_t count) {
    PanelRows r;
    for (uint32_t i = 0; i < panel_rows; ++i)
        r.row[i] = p.weights + (first + (i < count ? i : count - 1)) * p.row_bytes;
    return r;
}

/// y = y + a block's terms: see the top of the file.
template <typename B>
[[gnu::always_inline]] static inline Reals add_block(Reals y, Ints products, Ints correction, Reals d,
                                                     Reals dmin, float scale) {
    const Reals s = ints::all_reals(scale);
    if constexpr (zero_of<B> != 0)
        products = ints::subtract(products, ints::multiply(correction, ints::all(zero_of<B>)));
    y = ints::fused(y, ints::to_reals(products), ints::times(d, s));
    if constexpr (B::has_min) y = ints::fused_less(y, ints::to_reals(correction), ints::times(dmin, s));
    return y;
}

/// A panel has as many vectors of rows, and a tile as many tokens, as fill the registers with two sets of
/// accumulators and what is in flight.
inline constexpr uint32_t panel_vectors = ints::lanes == 16 ? 2 : 1,
                          tile_of_tokens = ints::lanes == 16 ? 6 : 4,
                          panel_width = panel_vectors * panel_rows;
/// Tokens whose activations stay in the second-level cache while all rows pass.
inline constexpr uint32_t tokens_at_once = 256;

/// A block whose sums of products (of a group) fit 16 bits: one instruction scales and adds them, where
/// others need a multiplication of 32 bits.
template <typename B>
inline constexpr bool is_narrow = ints::has_dot4&& B::narrow;

/// Without an instruction for four products: how many sums of two (q <= largest, |a| <= 127) 16 bits hold
/// the sum of, a power of two.
template <typename B>
inline constexpr int largest_q = 127;
template <>
inline constexpr int largest_q<Block256<TensorType::Q2_K>> = 3;
template <>
inline constexpr int largest_q<Block256<TensorType::Q3_K>> = 7;
template <>
inline constexpr int largest_q<Block256<TensorType::Q4_K>> = 15;
template <>
inline constexpr int largest_q<Block256<TensorType::Q5_K>> = 31;
template <>
inline constexpr int largest_q<Block256<TensorType::Q6_K>> = 63;
template <>
inline constexpr int largest_q<Block32<TensorType::Q4_0>> = 15;
template <>
inline constexpr int largest_q<Block32<TensorType::Q4_1>> = 15;
template <>
inline constexpr int largest_q<Block32<TensorType::Q5_0>> = 31;
template <>
inline constexpr int largest_q<Block32<TensorType::Q5_1>> = 31;
template <typename B>
inline constexpr int pairs_in_16 = largest_q<B> <= 15   ? 8
                                   : largest_q<B> <= 31 ? 4
                                   : largest_q<B> <= 63 ? 2
                                                        : 1;

/// 256 columns of a panel of rows, turned: q[k] holds columns 4 k … 4 k + 3 of each row.
struct Panel256 {
    Ints q[64][panel_vectors];
    Ints scale[16][panel_vectors];      // 32 bits; in pairs of 16 bits for AVX2, whose products come in pairs
    Ints correction[8][panel_vectors];  // minima or scales of two groups, 16 bits each
    alignas(64) float d[panel_width], dmin[panel_width];
};

/// Columns of one vector of rows into every panel_vectors-th place from out on.
template <bool Wide>
[[gnu::always_inline]] static inline void turn(const uint8_t* q, uint64_t stride, Ints* out) {
    for (uint32_t v = 0; v < vectors; ++v) {
        Ints in[panel_rows], turned[panel_rows];
        for (uint32_t i = 0; i < panel_rows; ++i) {
            in[i] = ints::load(q + i * stride + v * ints_bytes);
            if constexpr (Wide) in[i] = ints::unsigned_of(in[i]);
        }
        ints::transpose(in, turned);
        for (uint32_t i = 0; i < panel_rows; ++i) out[(v * panel_rows + i) * panel_vectors] = turned[i];
    }
}

/// A lane for each row, whose numbers the compiler computes with.
typedef int32_t Lanes __attribute__((vector_size(sizeof(Ints))));
template <typename V>
[[gnu::always_inline]] static inline void put_lanes(V v, Ints& out) {
    out = ints::load(&v);
}
/// Sixteen 16-bit numbers of each row, turned: two of them in a lane.
struct TurnedPairs {
    Lanes of[8];
    /// The first of lane i, the first of lane i + 1.
    [[gnu::always_inline]] inline Lanes firsts(uint32_t i) const {
        return (of[i] & 0xffff) | (of[i + 1] << 16);
    }
};
/// Those of the first row, and of the rows `stride` bytes apart; the same for `more` of them, if it is given.
[[gnu::always_inline]] static inline void turn_pairs(const int16_t* of_first_row, const int16_t* more,
                                                     uint64_t stride, TurnedPairs& out,
                                                     TurnedPairs& out_more) {
    const auto at = [&](const int16_t* first, uint32_t row) __attribute__((always_inline)) {
        return reinterpret_cast<const std::byte*>(first) + row * stride;
    };
    Ints in[panel_rows], turned[panel_rows];
    const auto put = [&](const Ints* from, TurnedPairs& to) __attribute__((always_inline)) {
        for (uint32_t i = 0; i < 8; ++i) ints::store(&to.of[i], from[i]);
    };
#if defined(__AVX512VNNI__)
    for (uint32_t i = 0; i < panel_rows; ++i)
        in[i] = ints::load_halves(at(of_first_row, i), at(more ? more : of_first_row, i));
    ints::transpose(in, turned);
    put(turned, out);
    if (more) put(turned + 8, out_more);
#else
    const auto turn = [&](const int16_t* first, TurnedPairs& to) __attribute__((always_inline)) {
        for (uint32_t i = 0; i < panel_rows; ++i) in[i] = ints::load(at(first, i));
        ints::transpose(in, turned);
        put(turned, to);
    };
    turn(of_first_row, out);
    if (more) turn(more, out_more);
#endif
}

template <typename B>
static inline void fill_panel_256(const PanelRows& rows, uint32_t b, Panel256& panel, uint32_t part) {
    constexpr bool corrected = B::has_min || zero_of<B> != 0;
    Unpacked256 u[panel_rows];
    for (uint32_t i = 0; i < panel_rows; ++i) {
        if constexpr (TurnedWeights<B>::there)
            B::unpack_header(rows.row[i] + b * B::bytes, u[i]);
        else
            B::unpack(rows.row[i] + b * B::bytes, u[i]);
        panel.d[part * panel_rows + i] = u[i].d;
        if constexpr (B::has_min) panel.dmin[part * panel_rows + i] = u[i].dmin;
    }
    TurnedPairs scales, minima;
    turn_pairs(u[0].scale, B::has_min ? u[0].min : nullptr, sizeof u[0], scales, minima);
    const auto scale = [&](Lanes pair, bool second) __attribute__((always_inline)) {
        const Lanes s = second ? pair >> 16 : (pair << 16) >> 16;
        return is_narrow<B> ? s & 0xffff : ints::has_dot4 ? s : (s & 0xffff) | (s << 16);
    };
    // Scales and minima of groups of 32 are there twice.
    lanes::unrolled<256 / B::group>([&](auto g) __attribute__((always_inline)) {
        constexpr int i = decltype(g)::value;
        if constexpr (B::group == 16)
            put_lanes(scale(scales.of[i / 2], i % 2), panel.scale[i][part]);
        else
            put_lanes(scale(scales.of[i], false), panel.scale[i][part]);
    });
    if constexpr (corrected) {
        const TurnedPairs& c = B::has_min ? minima : scales;
        for (uint32_t g = 0; g < 128 / B::group; ++g)
            put_lanes(B::group == 16 ? c.of[g] : c.firsts(2 * g % 8), panel.correction[g][part]);
    }
    if constexpr (TurnedWeights<B>::there)
        TurnedWeights<B>::put(
            [&](uint32_t at) __attribute__((always_inline)) {
                Ints turned[8];
                ints::turn_eight(
                    [&](int r) __attribute__((always_inline)) { return rows.row[r] + b * B::bytes + at; },
                    turned);
                TurnedDwords out;
                for (uint32_t i = 0; i < 8; ++i) ints::store(&out.of[i], turned[i]);
                return out;
            },
            [&](int k, TurnedDwords::Numbers v)
                __attribute__((always_inline)) { panel.q[k][part] = ints::load(&v); });
    else
        turn<B::wide>(reinterpret_cast<const uint8_t*>(u[0].q), sizeof u[0], &panel.q[0][part]);
}

/// fn(token, vector) for a tile's accumulators.
template <int T, typename Fn>
[[gnu::always_inline]] static inline void each_of_tile(const Fn& fn) {
    lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
        lanes::unrolled<int(panel_vectors)>([&](auto v) __attribute__((always_inline)) { fn(t, v); });
    });
}

#if !defined(SLUICE_DOT4)
/// pairs: sums of two products for each token and vector, over N quarters of columns; a(token, quarter): the
/// activations of one.
template <typename B, int N, int T, typename Activations>
[[gnu::always_inline]] static inline void sums_of_pairs(const Ints (*q)[panel_vectors], const Activations& a,
                                                        Ints (&pairs)[T][panel_vectors]) {
    lanes::unrolled<N>([&](auto i) __attribute__((always_inline)) {
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            const Ints x = ints::four_bytes_everywhere(a(t, i));
            lanes::unrolled<int(panel_vectors)>([&](auto v) __attribute__((always_inline)) {
                const Ints two = B::wide ? ints::pairs_wide(q[i][v], x) : ints::pairs(q[i][v], x);
                pairs[t][v] = i == 0 ? two : ints::add16(pairs[t][v], two);
            });
        });
    });
}
#endif

template <typename B, int T>
[[gnu::always_inline]] static inline void panel_times_tile_256(const Panel256& panel, const Activations256* a,
                                                               uint64_t stride, float* y) {
    const auto at = [&](int t) __attribute__((always_inline)) {
        return reinterpret_cast<const Activations256*>(reinterpret_cast<const std::byte*>(a) +
                                                       uint64_t(t) * stride);
    };
    constexpr int V = panel_vectors, groups = 256 / B::group, steps = B::group / 4;
    Ints sum[T][V];
    each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) { sum[t][v] = ints::zero(); });
    for (int g = 0; g < groups; ++g) {
        const Ints* scale = panel.scale[g];
        [[maybe_unused]] Ints dot[T][V];
        if constexpr (ints::has_dot4)
            each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) { dot[t][v] = ints::zero(); });
#if defined(SLUICE_DOT4)
        for (int k = steps * g; k < steps * (g + 1); ++k) {
            Ints q[V];
            lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { q[v] = panel.q[k][v]; });
            lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
                const Ints x = ints::four_bytes_everywhere(at(t)->q + 4 * k);
                lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
                    dot[t][v] = ints::dot4_wide(dot[t][v], q[v], x);
                });
            });
        }
        each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) {
            sum[t][v] = is_narrow<B> ? ints::dot2(sum[t][v], dot[t][v], scale[v])
                                     : ints::add(sum[t][v], ints::multiply(dot[t][v], scale[v]));
        });
#else
        constexpr int at_once = pairs_in_16<B> < steps ? pairs_in_16<B> : steps;
        for (int k = steps * g; k < steps * (g + 1); k += at_once) {
            Ints pairs[T][V];
            sums_of_pairs<B, at_once, T>(
                panel.q + k,
                [&](int t, int i) __attribute__((always_inline)) { return at(t)->q + 4 * (k + i); }, pairs);
            each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) {
                sum[t][v] = ints::dot2(sum[t][v], pairs[t][v], scale[v]);
            });
        }
#endif
    }
    each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) {
        const int16_t* sums = B::group == 16 ? at(t)->sums : at(t)->sums_of_32;
        Ints correction = ints::zero();
        if constexpr (B::has_min || zero_of<B> != 0)
            for (int g = 0; g < groups / 2; ++g)
                correction =
                    ints::dot2(correction, panel.correction[g][v], ints::four_bytes_everywhere(sums + 2 * g));
        float* out = y + uint64_t(t) * panel_width + v * int(panel_rows);
        const Reals d = ints::load_reals(panel.d + v * int(panel_rows)),
                    dmin =
                        B::has_min ? ints::load_reals(panel.dmin + v * int(panel_rows)) : ints::all_reals(0);
        ints::store_reals(out,
                          add_block<B>(ints::load_reals(out), sum[t][v], correction, d, dmin, at(t)->scale));
    });
}

/// As Panel256, of eight blocks.
struct Panel32 {
    Ints q[64][panel_vectors];
    alignas(64) float d[8][panel_width], m[8][panel_width];
};

template <typename B>
static inline void fill_panel_32(const PanelRows& rows, uint32_t b, uint32_t n_blocks, Panel32& panel,
                                 uint32_t part) {
    alignas(64) Bytes32 q[panel_rows][8];
    for (uint32_t i = 0; i < panel_rows; ++i)
        for (uint32_t j = 0; j < n_blocks; ++j) {
            const uint8_t* block = rows.row[i] + (b + j) * B::bytes;
            q[i][j] = B::weights(block);
            panel.d[j][part * panel_rows + i] = scale_of_32<B>(block);
            panel.m[j][part * panel_rows + i] = minimum_of_32<B>(block);
        }
    turn<B::wide>(reinterpret_cast<const uint8_t*>(q), 256, &panel.q[0][part]);
}

template <typename B, int T>
[[gnu::always_inline]] static inline void panel_times_tile_32(const Panel32& panel, uint32_t n_blocks,
                                                              const Activations32* a, uint64_t stride,
                                                              float* y) {
    const auto at = [&](int t) __attribute__((always_inline)) {
        return reinterpret_cast<const Activations32*>(reinterpret_cast<const std::byte*>(a) +
                                                      uint64_t(t) * stride);
    };
    constexpr int V = panel_vectors;
    Reals acc[T][V];
    const auto place = [&](int t, int v) __attribute__((always_inline)) {
        return y + uint64_t(t) * panel_width + v * int(panel_rows);
    };
    each_of_tile<T>([&](auto t, auto v)
                        __attribute__((always_inline)) { acc[t][v] = ints::load_reals(place(t, v)); });
    for (uint32_t j = 0; j < n_blocks; ++j) {
        Ints dot[T][V];
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            const Ints start = zero_of<B> != 0 ? ints::all(-zero_of<B> * at(t)->sums[j]) : ints::zero();
            lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { dot[t][v] = start; });
        });
#if defined(SLUICE_DOT4)
        for (uint32_t k = 8 * j; k < 8 * j + 8; ++k) {
            Ints q[V];
            lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) { q[v] = panel.q[k][v]; });
            lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
                const Ints x = ints::four_bytes_everywhere(at(t)->q + 4 * k);
                lanes::unrolled<V>([&](auto v) __attribute__((always_inline)) {
                    dot[t][v] =
                        B::wide ? ints::dot4_wide(dot[t][v], q[v], x) : ints::dot4(dot[t][v], q[v], x);
                });
            });
        }
#else
        const Ints ones = ints::all(0x00010001);
        for (int k = 8 * int(j); k < 8 * int(j) + 8; k += pairs_in_16<B>) {
            Ints pairs[T][V];
            sums_of_pairs<B, pairs_in_16<B>, T>(
                panel.q + k,
                [&](int t, int i) __attribute__((always_inline)) { return at(t)->q + 4 * (k + i); }, pairs);
            each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) {
                dot[t][v] = ints::dot2(dot[t][v], pairs[t][v], ones);
            });
        }
#endif
        each_of_tile<T>([&](auto t, auto v) __attribute__((always_inline)) {
            const Reals scale = ints::all_reals(at(t)->scale[j]),
                        d = ints::load_reals(panel.d[j] + v * int(panel_rows));
            acc[t][v] = ints::fused(acc[t][v], ints::to_reals(dot[t][v]), ints::times(d, scale));
            if constexpr (B::has_min)
                acc[t][v] = ints::fused(acc[t][v], ints::load_reals(panel.m[j] + v * int(panel_rows)),
                                        ints::all_reals(at(t)->scale[j] * float(at(t)->sums[j])));
        });
    }
    each_of_tile<T>([&](auto t, auto v)
                        __attribute__((always_inline)) { ints::store_reals(place(t, v), acc[t][v]); });
}

template <int T>
struct TileOf {
    static constexpr int tokens = T;
};

/// fn(TileOf<T>, first token) over n tokens.
template <typename Fn>
[[gnu::always_inline]] static inline void in_tiles(uint32_t n, const Fn& fn) {
    uint32_t t = 0;
    for (; t + tile_of_tokens <= n; t += tile_of_tokens) fn(TileOf<int(tile_of_tokens)>(), t);
    for (; t + 2 <= n; t += 2) fn(TileOf<2>(), t);
    if (t < n) fn(TileOf<1>(), t);
}

/// The rows of each vector of a panel: rows [first, first + count), the last one repeated.
struct PanelOfRows {
    PanelRows part[panel_vectors];
};
[[gnu::always_inline]] static inline PanelOfRows panel_of_rows(const QuantisedProduct& p, uint32_t first,
                                                               uint32_t count) {
    PanelOfRows all;
    for (uint32_t v = 0; v < panel_vectors; ++v) {
        const uint32_t before = v * panel_rows < count ? v * panel_rows : 0, left = count - before;
        all.part[v] = rows_of(p, first + before, left < panel_rows ? left : panel_rows);
    }
    return all;
}

/// y: (n, panel_width) of scratch
template <typename B>
static inline void panel_times_tokens_256(const QuantisedProduct& p, const PanelOfRows& rows, uint32_t token,
                                          uint32_t n, float* y) {
    Panel256 panel;
    for (uint32_t b = 0; b < p.cols / 256; ++b) {
        for (uint32_t v = 0; v < panel_vectors; ++v) fill_panel_256<B>(rows.part[v], b, panel, v);
        in_tiles(
            n, [&](auto tile, uint32_t t) __attribute__((always_inline)) {
                panel_times_tile_256<B, decltype(tile)::tokens>(
                    panel, activation_row<Activations256>(p, token + t) + b, p.activation_stride,
                    y + t * panel_width);
            });
    }
}

template <typename B>
static inline void panel_times_tokens_32(const QuantisedProduct& p, const PanelOfRows& rows, uint32_t token,
                                         uint32_t n, float* y) {
    Panel32 panel;
    const uint32_t n_blocks = p.cols / 32;
    for (uint32_t b = 0; b < n_blocks; b += 8) {
        const uint32_t here = n_blocks - b < 8 ? n_blocks - b : 8;
        for (uint32_t v = 0; v < panel_vectors; ++v) fill_panel_32<B>(rows.part[v], b, here, panel, v);
        in_tiles(
            n, [&](auto tile, uint32_t t) __attribute__((always_inline)) {
                panel_times_tile_32<B, decltype(tile)::tokens>(
                    panel, here, activation_row<Activations32>(p, token + t) + b / 8, p.activation_stride,
                    y + t * panel_width);
            });
    }
}

template <typename B, ActivationKind K>
static inline void multiply_quantised(const QuantisedProduct& p, uint32_t begin, uint32_t end, uint32_t n,
                                      float* scratch) {
    for (uint32_t token = 0; token < n; token += tokens_at_once) {
        const uint32_t here = n - token < tokens_at_once ? n - token : tokens_at_once;
        if (here <= one_by_one<B, K>) return rows_times_few_tokens<B, K>(p, begin, end, token, here, scratch);
        for (uint32_t r = begin; r < end; r += panel_width) {
            const uint32_t count = end - r < panel_width ? end - r : panel_width;
            __builtin_memset(scratch, 0, here * panel_width * sizeof(float));
            const PanelOfRows rows = panel_of_rows(p, r, count);
            if constexpr (K == ActivationKind::by_256)
                panel_times_tokens_256<B>(p, rows, token, here, scratch);
            else
                panel_times_tokens_32<B>(p, rows, token, here, scratch);
            for (uint32_t t = 0; t < here; ++t)
                for (uint32_t v = 0; v * panel_rows < count; ++v)
                    put_rows(ints::load_reals(scratch + t * panel_width + v * panel_rows),
                             p.y.row(token + t) + r + v * panel_rows,
                             count - v * panel_rows < panel_rows ? count - v * panel_rows : panel_rows);
        }
    }
}

#else  // one number at a time: the reference

template <typename B, ActivationKind K>
static inline void multiply_quantised(const QuantisedProduct& p, uint32_t begin, uint32_t end, uint32_t n,
                                      float*) {
    const auto weight = [](uint8_t q) { return B::wide ? int(int8_t(q)) : int(q) - B::zero; };
    for (uint32_t r = begin; r < end; ++r) {
        const uint8_t* row = p.weights + r * p.row_bytes;
        for (uint32_t t = 0; t < n; ++t) p.y.row(t)[r] = 0;
        if constexpr (K == ActivationKind::by_256) {
            for (uint32_t b = 0; b < p.cols / 256; ++b) {
                Unpacked256 u;
                B::unpack(row + b * B::bytes, u);
                for (uint32_t t = 0; t < n; ++t) {
                    const Activations256& a = activation_row<Activations256>(p, t)[b];
                    int32_t sum = 0, minima = 0;
                    for (int g = 0; g < 16; ++g) {
                        int32_t dot = 0;
                        for (int i = 16 * g; i < 16 * g + 16; ++i)
                            dot += weight(u.q[i / 32][i % 32]) * a.q[i];
                        sum += u.scale[g] * dot;
                        if constexpr (B::has_min) minima += u.min[g] * a.sums[g];
                    }
                    float& y = p.y.row(t)[r];
                    y = __builtin_fmaf(float(sum), u.d * a.scale, y);
                    if constexpr (B::has_min) y = __builtin_fmaf(-float(minima), u.dmin * a.scale, y);
                }
            }
        } else {
            for (uint32_t b = 0; b < p.cols / 32; ++b) {
                const uint8_t* block = row + b * B::bytes;
                const Bytes32 q = B::weights(block);
                const float d = scale_of_32<B>(block), m = minimum_of_32<B>(block);
                for (uint32_t t = 0; t < n; ++t) {
                    const Activations32& a = activation_row<Activations32>(p, t)[b / 8];
                    int32_t sum = 0;
                    for (int i = 0; i < 32; ++i) sum += weight(q[i]) * a.q[32 * (b % 8) + uint32_t(i)];
                    float& y = p.y.row(t)[r];
                    y = __builtin_fmaf(float(sum), d * a.scale[b % 8], y);
                    if constexpr (B::has_min) y = __builtin_fmaf(m, a.scale[b % 8] * float(a.sums[b % 8]), y);
                }
            }
        }
    }
}

#endif

static inline void matmul_quantised(const MatrixView& w, uint32_t begin, uint32_t end,
                                    const std::byte* activations, Rows y, uint32_t n, float* scratch) {
    const QuantisedProduct p{reinterpret_cast<const uint8_t*>(w.data),
                             w.row_bytes,
                             w.cols,
                             activations,
                             activation_row_bytes(w.cols),
                             y};
    switch (w.type) {
#define SLUICE_CASE_256(T) \
    case TensorType::T:    \
        return multiply_quantised<Block256<TensorType::T>, ActivationKind::by_256>(p, begin, end, n, scratch);
#define SLUICE_CASE_32(T) \
    case TensorType::T:   \
        return multiply_quantised<Block32<TensorType::T>, ActivationKind::by_32>(p, begin, end, n, scratch);
        SLUICE_CASE_256(Q2_K)
        SLUICE_CASE_256(Q3_K)
        SLUICE_CASE_256(Q4_K)
        SLUICE_CASE_256(Q5_K)
        SLUICE_CASE_256(Q6_K)
        SLUICE_CASE_256(IQ1_S)
        SLUICE_CASE_256(IQ1_M)
        SLUICE_CASE_256(IQ2_XXS)
        SLUICE_CASE_256(IQ2_XS)
        SLUICE_CASE_256(IQ2_S)
        SLUICE_CASE_256(IQ3_XXS)
        SLUICE_CASE_256(IQ3_S)
        SLUICE_CASE_256(IQ4_XS)
        SLUICE_CASE_32(Q4_0)
        SLUICE_CASE_32(Q4_1)
        SLUICE_CASE_32(Q5_0)
        SLUICE_CASE_32(Q5_1)
        SLUICE_CASE_32(Q8_0)
        SLUICE_CASE_32(IQ4_NL)
        SLUICE_CASE_32(MXFP4)
#undef SLUICE_CASE_256
#undef SLUICE_CASE_32
        case TensorType::F32:
        case TensorType::F16:
        case TensorType::BF16:
            break;  // not quantised: never called for them
    }
}

}  // namespace sluice::portable
