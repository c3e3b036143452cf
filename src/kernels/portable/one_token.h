// A product with one token (or a few, one after the other): memory is what it waits for, so the weights are
// read in the order in which they lie there. Rows are runs of blocks and follow each other without a gap: a
// lane is a block, whatever row it belongs to, and `lanes` blocks are taken at once. What a block contributes
// to its row (two numbers, or four if its type has minima) is kept, and added up row by row afterwards, in
// order of the blocks. Included by products.h alone, which says what is computed.
#pragma once

#include "kernels/portable/token_of_blocks.h"
#if defined(__AVX512VNNI__)
#include "kernels/portable/code_books_avx512.h"
#include "kernels/portable/headers_avx512.h"
#elif defined(__AVX2__)
#include "kernels/portable/code_books_avx2.h"
#endif

namespace sluice::portable {

/// What the blocks of some rows add to them: y = fma(n, s, y), then, if the type has minima, y = fma(-c, m,
/// y) for blocks of 256, or y = fma(c, m, y) for those of 32, where m is the same in all rows.
struct Terms {
    float *n, *s, *c, *m;
};

/// Rows whose terms are kept: as few as stay in the first-level cache, but a vector of them.
[[gnu::always_inline]] static inline uint32_t rows_of_terms(uint32_t blocks) {
    return blocks <= 64 ? 16 : ints::lanes;
}

/// Terms of `lanes` rows and eight blocks, turned: vector k holds those of block k.
struct TurnedTerms {
    static constexpr uint32_t blocks = 8;
    Ints block[blocks];
    [[gnu::always_inline]] inline Reals operator[](uint32_t k) const {
        return ints::load_reals(reinterpret_cast<const float*>(block + k));
    }
};
/// Rows lie `stride` apart; `count` are there.
[[gnu::always_inline]] static inline void turn_terms(const float* terms, uint32_t stride, uint32_t count,
                                                     TurnedTerms& out) {
    ints::turn_eight(
        [&](int r) __attribute__((always_inline)) {
            return terms + uint64_t(uint32_t(r) < count ? uint32_t(r) : count - 1) * stride;
        },
        out.block);
}

/// y[0, count) of rows with n blocks each. of_all: what all rows have as m, if they have the same. next: the
/// weights that follow; memory would rest if nothing were asked for meanwhile.
template <bool Minima>
static inline void add_terms(const Terms& t, const float* of_all, uint32_t n, uint32_t count, float* y,
                             const uint8_t* next) {
    for (uint32_t r = 0; r < count; r += ints::lanes) {
        const uint32_t here = count - r < uint32_t(ints::lanes) ? count - r : ints::lanes;
        Reals sum = ints::all_reals(0);
        for (uint32_t b = 0; b < n; b += TurnedTerms::blocks) {
            const uint64_t at = uint64_t(r) * n + b;
            next = prefetch_meanwhile(next);
            alignas(64) TurnedTerms products, scales, minima, of_minima;
            turn_terms(t.n + at, n, here, products);
            turn_terms(t.s + at, n, here, scales);
            if constexpr (Minima) turn_terms(t.c + at, n, here, minima);
            if constexpr (Minima) {
                if (!of_all) turn_terms(t.m + at, n, here, of_minima);
            }
            for (uint32_t k = 0; k < TurnedTerms::blocks && b + k < n; ++k) {
                sum = ints::fused(sum, products[k], scales[k]);
                if constexpr (Minima)
                    sum = of_all ? ints::fused(sum, minima[k], ints::all_reals(of_all[b + k]))
                                 : ints::fused_less(sum, minima[k], of_minima[k]);
            }
        }
        put_rows(sum, y + r, here);
    }
}

/// What is common to types of 256 and of 32: weights of a block, blocks in a vector, blocks in a group.
template <ActivationKind K>
inline constexpr uint32_t block_of = K == ActivationKind::by_256 ? 256 : 32;
template <ActivationKind K>
inline constexpr uint32_t blocks_in_vector = K == ActivationKind::by_256 ? 1 : ints_bytes / 32;
template <ActivationKind K>
inline constexpr uint32_t group_of = ints::lanes* blocks_in_vector<K>;

/// Floats that TokenOfBlocks needs for a token.
template <ActivationKind K>
[[gnu::always_inline]] static inline uint32_t token_floats(uint32_t n_blocks) {
    constexpr uint32_t each = K == ActivationKind::by_256 ? 64 + 16 + 8 + 1 : 8 + 3;
    return (each * (n_blocks + group_of<K>)+15) / 16 * 16;
}

template <typename B>
static inline TokenOfBlocks token_of_blocks(const Activations256* a, uint32_t n_blocks, float* at) {
    const uint32_t n = n_blocks + group_of<ActivationKind::by_256>;
    const TokenOfBlocks t{n_blocks,
                          n,
                          reinterpret_cast<int8_t*>(at),
                          at + 88 * n,
                          reinterpret_cast<int16_t*>(at + 80 * n),
                          reinterpret_cast<int32_t*>(at + 64 * n),
                          nullptr,
                          nullptr};
    for (uint32_t i = 0, b = 0; i < n; ++i, b = b + 1 == n_blocks ? 0 : b + 1) {
        t.scale[i] = a[b].scale;
#if defined(__AVX512VNNI__)
        SixteenBlocks<B>::put_activations(a[b], t, i);
#else
        BlockWithToken<B>::put_activations(a[b], t, i);
#endif
    }
    return t;
}
template <typename B>
static inline TokenOfBlocks token_of_blocks(const Activations32* a, uint32_t n_blocks, float* at) {
    const uint32_t n = n_blocks + group_of<ActivationKind::by_32>;
    auto* q = reinterpret_cast<int8_t*>(at);
    auto* sum = reinterpret_cast<int32_t*>(at + 9 * n);
    const TokenOfBlocks t{n_blocks, n, q, at + 8 * n, nullptr, nullptr, sum, at + 10 * n};
    for (uint32_t i = 0, b = 0; i < n; ++i, b = b + 1 == n_blocks ? 0 : b + 1) {
        __builtin_memcpy(t.q + 32 * i, a[b / 8].q + 32 * (b % 8), 32);
        t.scale[i] = a[b / 8].scale[b % 8];
        t.sum[i] = a[b / 8].sums[b % 8];
        t.scaled_sum[i] = t.scale[i] * float(t.sum[i]);
    }
    return t;
}

// Blocks of 256: a lane is a block.

/// A dword of as many blocks as there are lanes, Bytes apart: put together in registers, since a vector
/// is not found where its parts were just stored.
template <uint32_t Bytes>
[[gnu::always_inline]] static inline Ints dwords_of(const uint8_t* block) {
#if defined(__AVX512VNNI__)
    return dword_of_blocks<Bytes, 0>(block);
#elif defined(__AVX2__)
    const auto four = [](const uint8_t* p) __attribute__((always_inline)) {
        __m128i v = _mm_loadu_si32(p);
        v = _mm_insert_epi32(v, int32_t(load_u32(p + Bytes)), 1);
        v = _mm_insert_epi32(v, int32_t(load_u32(p + 2 * Bytes)), 2);
        return _mm_insert_epi32(v, int32_t(load_u32(p + 3 * Bytes)), 3);
    };
    return _mm256_setr_m128i(four(block), four(block + 4 * Bytes));
#else
    typedef uint32_t Dwords __attribute__((vector_size(sizeof(Ints))));
    Dwords v;
    lanes::unrolled<ints::lanes>([&](auto i) __attribute__((always_inline)) {
        v[int(i)] = load_u32(block + uint32_t(i) * Bytes);
    });
    return ints::load(&v);
#endif
}
/// The terms of a group of blocks, the first of which meets activations number b.
template <typename B>
[[gnu::always_inline]] static inline void terms_of_group_256(const uint8_t* block, const TokenOfBlocks& token,
                                                             uint32_t b, const Terms& out) {
    const Reals scale = ints::load_reals(token.scale + b);
#if defined(__AVX512VNNI__)
    const SixteenBlocks<B> blocks(block);
    const Ints sum = blocks.sums(block, token, b);
    Ints correction;
    if constexpr (B::has_min) correction = blocks.minima(token, b);
    const Reals d = blocks.d, dmin = blocks.dmin;
#else
    typedef BlockWithToken<B> Block;
    [[maybe_unused]] constexpr bool corrected = B::has_min || Block::zero != 0;
    alignas(64) Ints products[ints::lanes];
    alignas(64) int32_t corrections[ints::lanes * 8];
    [[maybe_unused]] alignas(64) float ds[ints::lanes];
    typename Block::Prepared prepared[ints::lanes];
    for (uint32_t i = 0; i < ints::lanes; ++i) Block::prepare(block + i * B::bytes, prepared[i]);
    each_lane<B, 1>(
        block, b, [&](const uint8_t* at, uint32_t i, uint32_t of_token) __attribute__((always_inline)) {
            if constexpr (B::d_at < 0) ds[i] = B::d_of_block(at);
            Block::multiply(at, prepared[i], token, of_token, products + i,
                            ints::place_of_eight(corrections, int(i)));
        });
    Ints sum = ints::sums(products), correction;
    if constexpr (corrected) correction = ints::sums_of_eights(reinterpret_cast<const Ints*>(corrections));
    Reals d, dmin;
    if constexpr (B::d_at < 0) {
        d = ints::load_reals(ds);
    } else {
        constexpr bool at_end = B::d_at + 4 > B::bytes;
        const Ints dwords = dwords_of<B::bytes>(block + B::d_at - 2 * at_end);
        d = at_end ? ints::high_halves(dwords) : ints::low_halves(dwords);
        if constexpr (B::d_factor != 1) d = ints::times(d, ints::all_reals(B::d_factor));
        if constexpr (B::has_min) dmin = ints::high_halves(dwords);
    }
    if constexpr (Block::zero != 0)
        sum = ints::subtract(sum, ints::multiply(correction, ints::all(Block::zero)));
#endif
    ints::store_reals(out.n, ints::to_reals(sum));
    ints::store_reals(out.s, ints::times(d, scale));
    if constexpr (B::has_min) {
        ints::store_reals(out.c, ints::to_reals(correction));
        ints::store_reals(out.m, ints::times(dmin, scale));
    }
}

// Blocks of 32: a lane is as many of them as fill a vector.

/// The weights of the blocks of a lane, as dot4 or dot4_wide take them.
template <typename B>
[[gnu::always_inline]] static inline Ints weights_of_lane(const uint8_t* first,
                                                          [[maybe_unused]] const uint8_t* second) {
#if defined(__AVX512VNNI__)
    return weights_of_two<B>(first, second);
#else
    const Bytes32 q = B::weights(first);
    const Ints w = vector_of(&q, 0);
    return B::wide ? ints::unsigned_of(w) : w;
#endif
}

/// The scales in the first dwords of blocks.
template <typename B>
[[gnu::always_inline]] static inline Reals scales_of_32(Ints dwords) {
    if constexpr (B::halves) {
        return ints::low_halves(dwords);
    } else {
        typedef int32_t Numbers __attribute__((vector_size(sizeof(Ints))));
        Numbers e;
        ints::store(&e, dwords);
        e &= 255;
        const Numbers bits = e < 2 ? (Numbers{} + 0x00200000) << e : (e - 1) << 23;  // as scale_of_32
        return ints::load_reals(reinterpret_cast<const float*>(&bits));
    }
}

template <typename B>
[[gnu::always_inline]] static inline void terms_of_group_32(const uint8_t* block, const TokenOfBlocks& token,
                                                            uint32_t b, const Terms& out) {
    constexpr int at_once = int(blocks_in_vector<ActivationKind::by_32>);
    alignas(64) Ints products[ints::lanes];
    each_lane<B, at_once>(
        block, b, [&](const uint8_t* at, uint32_t i, uint32_t of_token) __attribute__((always_inline)) {
            const Ints w = weights_of_lane<B>(at, at + B::bytes), x = ints::load(token.q + 32 * of_token);
            ints::store(products + i,
                        B::wide ? ints::dot4_wide(ints::zero(), w, x) : ints::dot4(ints::zero(), w, x));
        });
    Ints sums[at_once];
#if defined(__AVX512VNNI__)
    ints::sums_of_halves(products, sums);
#else
    sums[0] = ints::sums(products);
#endif
    lanes::unrolled<at_once>([&](auto j) __attribute__((always_inline)) {
        const uint32_t to = uint32_t(j) * ints::lanes, at = b + to;
        const Ints dwords = dwords_of<B::bytes>(block + to * B::bytes);
        if constexpr (zero_of<B> != 0)
            sums[j] =
                ints::subtract(sums[j], ints::multiply(ints::load(token.sum + at), ints::all(zero_of<B>)));
        ints::store_reals(out.n + to, ints::to_reals(sums[j]));
        ints::store_reals(out.s + to,
                          ints::times(scales_of_32<B>(dwords), ints::load_reals(token.scale + at)));
        if constexpr (B::has_min) ints::store_reals(out.c + to, ints::high_halves(dwords));
    });
}

/// Some rows, which follow each other.
template <typename B, ActivationKind K>
static inline void rows_times_token(const uint8_t* rows, uint32_t count, const TokenOfBlocks& token,
                                    const Terms& terms, float* y) {
    constexpr uint32_t group = group_of<K>;
    const auto blocks_from = [&](const uint8_t* blocks, uint32_t i) __attribute__((always_inline)) {
        const Terms out{terms.n + i, terms.s + i, terms.c + i, terms.m + i};
        if constexpr (K == ActivationKind::by_256)
            terms_of_group_256<B>(blocks, token, i % token.n_blocks, out);
        else
            terms_of_group_32<B>(blocks, token, i % token.n_blocks, out);
    };
    const uint32_t n = count * token.n_blocks;
    alignas(64) uint8_t few[group * B::bytes];
    for (uint32_t i = 0; i < n; i += group) {
        // The last group takes some of the blocks before it again; if there are none, it is filled up.
        uint32_t from = i + group <= n ? i : n < group ? 0 : n - group;
        const uint8_t* blocks = rows + uint64_t(from) * B::bytes;
        if (n < group) {
            __builtin_memset(few, 0, sizeof few);
            __builtin_memcpy(few, rows, n * B::bytes);
            blocks = few;
        }
        blocks_from(blocks, from);
    }
    add_terms<B::has_min>(terms, K == ActivationKind::by_32 ? token.scaled_sum : nullptr, token.n_blocks,
                          count, y, rows + uint64_t(n) * B::bytes);
}

/// Tokens that go one after the other through some rows: as many as their activations have room.
inline constexpr uint32_t few_tokens = 3;
/// Tokens up to which that is faster than turning panels of rows.
template <typename B, ActivationKind K>
[[gnu::always_inline]] static inline constexpr uint32_t most_one_by_one() {
#if defined(__AVX512VNNI__)
    if constexpr (K == ActivationKind::by_256) return SixteenBlocks<B>::one_by_one;
#endif
    return few_tokens;
}
template <typename B, ActivationKind K>
inline constexpr uint32_t one_by_one = most_one_by_one<B, K>();

/// Rows [begin, end) with tokens [first, first + n). scratch: 4 * cols and at least 8192 floats.
template <typename B, ActivationKind K>
static inline void rows_times_few_tokens(const QuantisedProduct& p, uint32_t begin, uint32_t end,
                                         uint32_t first, uint32_t n, float* scratch) {
    const uint32_t n_blocks = p.cols / block_of<K>, step = rows_of_terms(n_blocks),
                   entries = step * n_blocks + group_of<K>;
    const Terms terms{scratch, scratch + entries, scratch + 2 * entries, scratch + 3 * entries};
    for (uint32_t done = 0; done < n; done += few_tokens) {
        const uint32_t here = n - done < few_tokens ? n - done : few_tokens, from = first + done;
        TokenOfBlocks tokens[few_tokens];
        for (uint32_t t = 0; t < here; ++t) {
            float* place = scratch + 4 * entries + t * token_floats<K>(n_blocks);
            if constexpr (K == ActivationKind::by_256)
                tokens[t] = token_of_blocks<B>(activation_row<Activations256>(p, from + t), n_blocks, place);
            else
                tokens[t] = token_of_blocks<B>(activation_row<Activations32>(p, from + t), n_blocks, place);
        }
        for (uint32_t r = begin; r < end; r += step)
            for (uint32_t t = 0; t < here; ++t)
                rows_times_token<B, K>(p.weights + r * p.row_bytes, end - r < step ? end - r : step,
                                       tokens[t], terms, p.y.row(from + t) + r);
    }
}

}  // namespace sluice::portable
