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
// One token goes row by row through the registers (memory is what it waits for). For more tokens, panels of
// as many rows as there are lanes are unpacked and turned, so that a lane is a row and four bytes of
// activations meet all of them at once.
#pragma once

#include "kernels/activations.h"
#include "kernels/kernel_table.h"
#include "kernels/portable/ints.h"
#include "kernels/portable/lanes.h"
#include "kernels/portable/unpack.h"

namespace sluice::portable {

/// What one call multiplies.
struct QuantisedProduct {
    const uint8_t* weights;
    uint64_t row_bytes;
    uint32_t cols;
    const std::byte* activations;  // (n, stride)
    uint64_t activation_stride;
    Rows y;
};

template <typename Block>
[[gnu::always_inline]] static inline const Block* activation_row(const QuantisedProduct& p, uint32_t token) {
    return reinterpret_cast<const Block*>(p.activations + token * p.activation_stride);
}

#if defined(SLUICE_INTS)

using ints::Ints;
using ints::Reals;
inline constexpr uint32_t panel_rows = ints::lanes, ints_bytes = sizeof(Ints), vectors = 256 / ints_bytes;

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

[[gnu::always_inline]] static inline void put_rows(Reals y, float* out, uint32_t count) {
    if (count == panel_rows) return ints::store_reals(out, y);
    float all[panel_rows];
    ints::store_reals(all, y);
    for (uint32_t i = 0; i < count; ++i) out[i] = all[i];
}

/// The i-th vector of unpacked weights.
[[gnu::always_inline]] static inline Ints vector_of(const Bytes32* q, int i) {
#if defined(__AVX512VNNI__)
    return _mm512_inserti64x4(_mm512_castsi256_si512(__m256i(q[2 * i])), __m256i(q[2 * i + 1]), 1);
#elif defined(__AVX2__)
    return __m256i(q[i]);
#else
    return ints::load(q + i);
#endif
}

/// Products of 256 weights with activations, scaled, as lanes that are still to be added up.
template <typename B>
[[gnu::always_inline]] static inline Ints scaled_products(const Unpacked256& u, const int8_t* a) {
    const ints::Scales scales = ints::load_scales(u.scale);
    Ints acc = ints::zero();
    lanes::unrolled<int(vectors)>([&](auto i) __attribute__((always_inline)) {
        const Ints q = vector_of(u.q, i), x = ints::load(a + i * ints_bytes);
        acc = B::wide ? ints::dot_scaled_wide(acc, q, x, scales, i) : ints::dot_scaled(acc, q, x, scales, i);
    });
    return acc;
}

template <typename B>
inline constexpr int zero_of = B::wide ? ints::wide_zero : B::zero;

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

template <typename B>
static inline void rows_times_token_256(const QuantisedProduct& p, uint32_t first, uint32_t count,
                                        uint32_t token) {
    constexpr bool corrected = B::has_min || zero_of<B> != 0;
    const PanelRows rows = rows_of(p, first, count);
    const auto* a = activation_row<Activations256>(p, token);
    alignas(64) Ints products[panel_rows];
    alignas(64) int32_t corrections[panel_rows * 8];
    alignas(64) float d[panel_rows], dmin[panel_rows];
    Reals y = ints::all_reals(0.0f);
    for (uint32_t b = 0; b < p.cols / 256; ++b, ++a) {
        for (uint32_t i = 0; i < panel_rows; ++i) {
            Unpacked256 u;
            const uint8_t* block = rows.row[i] + b * B::bytes;
            __builtin_prefetch(block + panel_rows * p.row_bytes);
            __builtin_prefetch(block + panel_rows * p.row_bytes + 64);
            B::unpack(block, u);
            ints::store(products + i, scaled_products<B>(u, a->q));
            d[i] = u.d;
            if constexpr (B::has_min) dmin[i] = u.dmin;
            if constexpr (corrected)
                ints::store_products_of_sixteen(ints::place_of_eight(corrections, int(i)),
                                                B::has_min ? u.min : u.scale, a->sums);
        }
        const Ints correction =
            corrected ? ints::sums_of_eights(reinterpret_cast<const Ints*>(corrections)) : ints::zero();
        y = add_block<B>(y, ints::sums(products), correction, ints::load_reals(d),
                         B::has_min ? ints::load_reals(dmin) : ints::all_reals(0), a->scale);
    }
    put_rows(y, p.y.row(token) + first, count);
}

template <typename B>
static inline void rows_times_token_32(const QuantisedProduct& p, uint32_t first, uint32_t count,
                                       uint32_t token) {
    const PanelRows rows = rows_of(p, first, count);
    const auto* a = activation_row<Activations32>(p, token);
    constexpr uint32_t at_once = ints_bytes / 32;  // blocks in a vector
    alignas(64) Ints products[panel_rows];
    alignas(64) float d[at_once][panel_rows], m[at_once][panel_rows];
    Reals y = ints::all_reals(0.0f);
    const uint32_t n_blocks = p.cols / 32;
    for (uint32_t b = 0; b < n_blocks; b += at_once) {
        const uint32_t in_row = b % 8, here = n_blocks - b < at_once ? n_blocks - b : at_once;
        const Activations32& x = a[b / 8];
        const Ints xv = ints::load(x.q + 32 * in_row);
        for (uint32_t i = 0; i < panel_rows; ++i) {
            Bytes32 q[at_once];
            const uint8_t* block = rows.row[i] + b * B::bytes;
            __builtin_prefetch(block + panel_rows * p.row_bytes);
            lanes::unrolled<int(at_once)>([&](auto j) __attribute__((always_inline)) {
                // A missing block's activations are zero: any weights do.
                B::unpack(block + (uint32_t(j) < here ? j : 0) * B::bytes, q[j], d[j][i], m[j][i]);
            });
            const Ints w = vector_of(q, 0);
            ints::store(products + i, B::wide ? ints::dot4_wide(ints::zero(), ints::unsigned_of(w), xv)
                                              : ints::dot4(ints::zero(), w, xv));
        }
        Ints sums[at_once];
#if defined(__AVX512VNNI__)
        ints::half_sums(products, sums);
#else
        sums[0] = ints::sums(products);
#endif
        for (uint32_t j = 0; j < here; ++j) {
            const float scale = x.scale[in_row + j];
            const int32_t sum = x.sums[in_row + j];
            if constexpr (zero_of<B> != 0) sums[j] = ints::subtract(sums[j], ints::all(zero_of<B> * sum));
            y = ints::fused(y, ints::to_reals(sums[j]),
                            ints::times(ints::load_reals(d[j]), ints::all_reals(scale)));
            if constexpr (B::has_min)
                y = ints::fused(y, ints::load_reals(m[j]), ints::all_reals(scale * float(sum)));
        }
    }
    put_rows(y, p.y.row(token) + first, count);
}

/// Tokens of a tile: two sets of accumulators for each, and what is in flight, fill the registers.
inline constexpr uint32_t tile_of_tokens = ints::lanes == 16 ? 12 : 4;
/// Tokens whose activations stay in the second-level cache while all rows pass.
inline constexpr uint32_t tokens_at_once = 256;

/// 256 columns of a panel of rows, turned: q[k] holds columns 4 k … 4 k + 3 of each row.
struct Panel256 {
    Ints q[64];
    Ints scale[16];      // 32 bits; in pairs of 16 bits without VNNI, whose products of bytes come in pairs
    Ints correction[8];  // minima or scales of two groups, 16 bits each
    alignas(64) float d[panel_rows], dmin[panel_rows];
};

template <bool Wide>
[[gnu::always_inline]] static inline void turn(const uint8_t* q, uint64_t stride, Ints* out) {
    for (uint32_t v = 0; v < vectors; ++v) {
        Ints in[panel_rows];
        for (uint32_t i = 0; i < panel_rows; ++i) {
            in[i] = ints::load(q + i * stride + v * ints_bytes);
            if constexpr (Wide) in[i] = ints::unsigned_of(in[i]);
        }
        ints::transpose(in, out + v * panel_rows);
    }
}

template <typename B>
static inline void fill_panel_256(const PanelRows& rows, uint32_t b, Panel256& panel) {
    constexpr bool corrected = B::has_min || zero_of<B> != 0;
    Unpacked256 u[panel_rows];
    auto* scale = reinterpret_cast<int32_t*>(panel.scale);
    auto* correction = reinterpret_cast<int32_t*>(panel.correction);
    for (uint32_t i = 0; i < panel_rows; ++i) {
        B::unpack(rows.row[i] + b * B::bytes, u[i]);
        panel.d[i] = u[i].d;
        if constexpr (B::has_min) panel.dmin[i] = u[i].dmin;
        for (uint32_t g = 0; g < 16; ++g) {
            const int32_t s = u[i].scale[g];
#if defined(SLUICE_DOT4)
            scale[g * panel_rows + i] = s;
#else
            scale[g * panel_rows + i] = int32_t(uint32_t(s) << 16 | (uint32_t(s) & 0xffff));
#endif
        }
        if constexpr (corrected)
            for (uint32_t g = 0; g < 8; ++g)
                __builtin_memcpy(correction + g * panel_rows + i,
                                 (B::has_min ? u[i].min : u[i].scale) + 2 * g, 4);
    }
    turn<B::wide>(reinterpret_cast<const uint8_t*>(u[0].q), sizeof u[0], panel.q);
}

template <typename B, int T>
[[gnu::always_inline]] static inline void panel_times_tile_256(const Panel256& panel, const Activations256* a,
                                                               uint64_t stride, float* y) {
    const auto at = [&](int t) __attribute__((always_inline)) {
        return reinterpret_cast<const Activations256*>(reinterpret_cast<const std::byte*>(a) +
                                                       uint64_t(t) * stride);
    };
    Ints sum[T];
    lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) { sum[t] = ints::zero(); });
    for (int g = 0; g < 16; ++g) {
        const Ints scale = panel.scale[g];
        Ints dot[T];
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) { dot[t] = ints::zero(); });
        for (int k = 4 * g; k < 4 * g + 4; ++k) {
            const Ints q = panel.q[k];
            lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
                const Ints x = ints::four_bytes_everywhere(at(t)->q + 4 * k);
#if defined(SLUICE_DOT4)
                dot[t] = ints::dot4_wide(dot[t], q, x);
#else
                sum[t] = ints::dot2(sum[t], B::wide ? ints::pairs_wide(q, x) : ints::pairs(q, x), scale);
#endif
            });
        }
#if defined(SLUICE_DOT4)
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            sum[t] = ints::add(sum[t], ints::multiply(dot[t], scale));
        });
#endif
    }
    const Reals d = ints::load_reals(panel.d),
                dmin = B::has_min ? ints::load_reals(panel.dmin) : ints::all_reals(0);
    lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
        Ints correction = ints::zero();
        if constexpr (B::has_min || zero_of<B> != 0)
            for (int g = 0; g < 8; ++g)
                correction = ints::dot2(correction, panel.correction[g],
                                        ints::four_bytes_everywhere(at(t)->sums + 2 * g));
        float* out = y + uint64_t(t) * panel_rows;
        ints::store_reals(out,
                          add_block<B>(ints::load_reals(out), sum[t], correction, d, dmin, at(t)->scale));
    });
}

/// As Panel256, of eight blocks.
struct Panel32 {
    Ints q[64];
    alignas(64) float d[8][panel_rows], m[8][panel_rows];
};

template <typename B>
static inline void fill_panel_32(const PanelRows& rows, uint32_t b, uint32_t n_blocks, Panel32& panel) {
    alignas(64) Bytes32 q[panel_rows][8];
    for (uint32_t i = 0; i < panel_rows; ++i)
        for (uint32_t j = 0; j < n_blocks; ++j)
            B::unpack(rows.row[i] + (b + j) * B::bytes, q[i][j], panel.d[j][i], panel.m[j][i]);
    turn<B::wide>(reinterpret_cast<const uint8_t*>(q), 256, panel.q);
}

template <typename B, int T>
[[gnu::always_inline]] static inline void panel_times_tile_32(const Panel32& panel, uint32_t n_blocks,
                                                              const Activations32* a, uint64_t stride,
                                                              float* y) {
    const auto at = [&](int t) __attribute__((always_inline)) {
        return reinterpret_cast<const Activations32*>(reinterpret_cast<const std::byte*>(a) +
                                                      uint64_t(t) * stride);
    };
    Reals acc[T];
    lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
        acc[t] = ints::load_reals(y + uint64_t(t) * panel_rows);
    });
    for (uint32_t j = 0; j < n_blocks; ++j) {
        Ints dot[T];
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            dot[t] = zero_of<B> != 0 ? ints::all(-zero_of<B> * at(t)->sums[j]) : ints::zero();
        });
        for (uint32_t k = 8 * j; k < 8 * j + 8; ++k) {
            const Ints q = panel.q[k];
            lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
                const Ints x = ints::four_bytes_everywhere(at(t)->q + 4 * k);
                dot[t] = B::wide ? ints::dot4_wide(dot[t], q, x) : ints::dot4(dot[t], q, x);
            });
        }
        const Reals d = ints::load_reals(panel.d[j]);
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            const float scale = at(t)->scale[j];
            acc[t] = ints::fused(acc[t], ints::to_reals(dot[t]), ints::times(d, ints::all_reals(scale)));
            if constexpr (B::has_min)
                acc[t] = ints::fused(acc[t], ints::load_reals(panel.m[j]),
                                     ints::all_reals(scale * float(at(t)->sums[j])));
        });
    }
    lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
        ints::store_reals(y + uint64_t(t) * panel_rows, acc[t]);
    });
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
    if constexpr (tile_of_tokens > 4)
        for (; t + 4 <= n; t += 4) fn(TileOf<4>(), t);
    for (; t < n; ++t) fn(TileOf<1>(), t);
}

/// y: (n, panel_rows) of scratch
template <typename B>
static inline void panel_times_tokens_256(const QuantisedProduct& p, const PanelRows& rows, uint32_t token,
                                          uint32_t n, float* y) {
    Panel256 panel;
    for (uint32_t b = 0; b < p.cols / 256; ++b) {
        fill_panel_256<B>(rows, b, panel);
        in_tiles(
            n, [&](auto tile, uint32_t t) __attribute__((always_inline)) {
                panel_times_tile_256<B, decltype(tile)::tokens>(
                    panel, activation_row<Activations256>(p, token + t) + b, p.activation_stride,
                    y + t * panel_rows);
            });
    }
}

template <typename B>
static inline void panel_times_tokens_32(const QuantisedProduct& p, const PanelRows& rows, uint32_t token,
                                         uint32_t n, float* y) {
    Panel32 panel;
    const uint32_t n_blocks = p.cols / 32;
    for (uint32_t b = 0; b < n_blocks; b += 8) {
        const uint32_t here = n_blocks - b < 8 ? n_blocks - b : 8;
        fill_panel_32<B>(rows, b, here, panel);
        in_tiles(
            n, [&](auto tile, uint32_t t) __attribute__((always_inline)) {
                panel_times_tile_32<B, decltype(tile)::tokens>(
                    panel, here, activation_row<Activations32>(p, token + t) + b / 8, p.activation_stride,
                    y + t * panel_rows);
            });
    }
}

/// Fewer tokens than this go one by one: turning a panel would cost more than it saves.
inline constexpr uint32_t least_for_panels = 4;

template <typename B, ActivationKind K>
static inline void multiply_quantised(const QuantisedProduct& p, uint32_t begin, uint32_t end, uint32_t n,
                                      float* scratch) {
    for (uint32_t token = 0; token < n; token += tokens_at_once) {
        const uint32_t here = n - token < tokens_at_once ? n - token : tokens_at_once;
        for (uint32_t r = begin; r < end; r += panel_rows) {
            const uint32_t count = end - r < panel_rows ? end - r : panel_rows;
            if (here < least_for_panels) {
                for (uint32_t t = token; t < token + here; ++t) {
                    if constexpr (K == ActivationKind::by_256)
                        rows_times_token_256<B>(p, r, count, t);
                    else
                        rows_times_token_32<B>(p, r, count, t);
                }
                continue;
            }
            __builtin_memset(scratch, 0, here * panel_rows * sizeof(float));
            const PanelRows rows = rows_of(p, r, count);
            if constexpr (K == ActivationKind::by_256)
                panel_times_tokens_256<B>(p, rows, token, here, scratch);
            else
                panel_times_tokens_32<B>(p, rows, token, here, scratch);
            for (uint32_t t = 0; t < here; ++t)
                put_rows(ints::load_reals(scratch + t * panel_rows), p.y.row(token + t) + r, count);
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
                Bytes32 q;
                float d = 0, m = 0;
                B::unpack(row + b * B::bytes, q, d, m);
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
