// Sixteen blocks of a code-book type with one token, AVX-512 (VBMI, GFNI). A book's entry is read as two
// bytes of levels (quant/grids.h) by instructions that look up 64 at once; the signs' bits are put beside the
// levels, and another look-up makes of both a weight plus a zero that is subtracted afterwards: the sums of
// activations that it needs are made once a token. A vector holds one weight of each entry, and a dword those
// of four entries that follow each other. Included by one_token.h alone.
#pragma once

#include "kernels/portable/headers_avx512.h"
#include "quant/grids.h"

namespace sluice::portable {
namespace {  // its constants are in no other object

/// Bit `bit` of each byte.
[[gnu::always_inline]] static inline __mmask64 bit_of_bytes(__m512i v, int bit) {
    return _mm512_test_epi8_mask(v, each_byte(int8_t(1 << bit)));
}

/// Places in a table of 128 << N bytes, 64 of them: their low seven bits (the eighth is not looked at), and
/// the others as masks.
template <int N>
struct Places {
    __m512i low;
    __mmask64 bits[N > 0 ? N : 1];
};
/// The bytes in some 64 places each: what is read of the table serves all of them.
template <int N, int From = N, int Count>
[[gnu::always_inline]] static inline void looked_up_in(const uint8_t* table, const Places<N> (&places)[Count],
                                                       __m512i (&out)[Count]) {
    if constexpr (From == 0) {
        const __m512i low = _mm512_load_si512(table), high = _mm512_load_si512(table + 64);
        lanes::unrolled<Count>([&](auto i) __attribute__((always_inline)) {
            out[i] = _mm512_permutex2var_epi8(low, places[i].low, high);
        });
    } else {
        __m512i upper[Count];
        looked_up_in<N, From - 1>(table, places, out);
        looked_up_in<N, From - 1>(table + (64 << From), places, upper);
        lanes::unrolled<Count>([&](auto i) __attribute__((always_inline)) {
            out[i] = _mm512_mask_blend_epi8(places[i].bits[From - 1], out[i], upper[i]);
        });
    }
}

/// The levels of 64 entries, for some vectors.
template <int Count>
struct Levels {
    __m512i first[Count], second[Count];
};
template <int N, typename Codes, int Count>
[[gnu::always_inline]] static inline void find_levels(const Codes& codes, const Places<N> (&places)[Count],
                                                      Levels<Count>& out) {
    looked_up_in(codes.first, places, out.first);
    looked_up_in(codes.second, places, out.second);
}

/// Byte i of each qword: eight of its bits, from bit fn(i) on.
template <typename Fn>
constexpr Bytes64 places_in_qword(Fn fn) {
    return bytes64([=](int i) { return fn(i % 8) & 63; });
}
[[gnu::always_inline]] static inline __m512i bits_from_places(const Bytes64& places, __m512i v) {
    return _mm512_multishift_epi64_epi8(places, v);
}
/// (v & mask) + 1 in each lane, where bit 0 is not in the mask.
[[gnu::always_inline]] static inline __m512i masked_and_one(__m512i v, int32_t mask, __m512i one) {
    return _mm512_ternarylogic_epi32(v, _mm512_set1_epi32(mask), one, 0xea);
}
/// Eight bytes of each of two blocks, four times.
[[gnu::always_inline]] static inline __m512i four_times_eight(const uint8_t* low, const uint8_t* high) {
    return _mm512_mask_set1_epi64(_mm512_set1_epi64(int64_t(load_u64(low))), 0xf0, int64_t(load_u64(high)));
}
/// 32 bytes, of which each eight bytes' worth of the result gets four.
[[gnu::always_inline]] static inline __m512i spread_dwords(const uint8_t* low, const uint8_t* high) {
    const auto sixteen = [](const uint8_t* p) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    };
    return _mm512_cvtepu32_epi64(_mm256_setr_m128i(sixteen(low), sixteen(high)));
}

/// Sums of sixteen blocks, two to a vector, AtOnce vectors at a time: fn(first block, place among the token's
/// blocks, lanes) gives lanes, the lower eight of a vector are those of its first block.
template <typename B, int AtOnce, typename Fn>
[[gnu::always_inline]] static inline __m512i sums_of_pairs(const uint8_t* blocks, uint32_t b, const Fn& fn) {
    alignas(64) ints::Ints products[ints::lanes / 2];
    each_lane<B, 2, ints::lanes / 2, AtOnce>(
        blocks, b, [&](const uint8_t* at, Lane i, uint32_t of_token) __attribute__((always_inline)) {
            __m512i out[AtOnce];
            fn(at, of_token, out);
            lanes::unrolled<AtOnce>([&](auto r) __attribute__((always_inline)) {
                ints::store(products + i + r, out[r]);
            });
        });
    return ints::sums_of_eight_halves(products);
}
/// A block to a vector.
template <typename B, int AtOnce, typename Fn>
[[gnu::always_inline]] static inline __m512i sums_of_single(const uint8_t* blocks, uint32_t b, const Fn& fn) {
    alignas(64) ints::Ints products[ints::lanes];
    each_lane<B, 1, ints::lanes, AtOnce>(
        blocks, b, [&](const uint8_t* at, Lane i, uint32_t of_token) __attribute__((always_inline)) {
            __m512i out[AtOnce];
            fn(at, of_token, out);
            lanes::unrolled<AtOnce>([&](auto r) __attribute__((always_inline)) {
                ints::store(products + i + r, out[r]);
            });
        });
    return ints::sums(products);
}

/// d at the beginning of a block, times a power of two.
template <typename B>
struct DOfBlocks : NoMinima {
    [[gnu::always_inline]] inline DOfBlocks(const uint8_t* blocks, float factor) {
        d = _mm512_mul_ps(ints::low_halves(dword_of_blocks<B::bytes, 0>(blocks)), _mm512_set1_ps(factor));
    }
};

// Entries of eight weights, two blocks at a time.

/// Activations of entry i: weight j of each of its 32 entries, 32 bytes, at 32 * (j * entries + i), so that
/// 64 bytes from there on are those of two blocks.
[[gnu::always_inline]] static inline void put_by_weight_of_8(const Activations256& a, const TokenOfBlocks& t,
                                                             uint32_t i) {
    static constexpr Bytes64 by_weight = bytes64([](int k) { return k % 8 * 8 + k / 8; });
    __m512i v[4];  // qword j of v[k]: weight j of entries 8 k to 8 k + 7
    for (int k = 0; k < 4; ++k) v[k] = _mm512_permutexvar_epi8(by_weight, ints::load(a.q + 64 * k));
    alignas(64) uint64_t qwords[4][8];
    for (int k = 0; k < 4; ++k) _mm512_store_si512(qwords[k], v[k]);
    for (uint32_t j = 0; j < 8; ++j)
        for (uint32_t k = 0; k < 4; ++k)
            __builtin_memcpy(t.q + 32 * (j * t.entries + i) + 8 * k, &qwords[k][j], 8);
}
[[gnu::always_inline]] static inline __m512i activations_of_weight(const TokenOfBlocks& t, uint32_t i,
                                                                   int j) {
    return ints::load(t.q + 32 * (uint32_t(j) * t.entries + i));
}

/// Weights plus zero_of_8 for two levels in bits 0 to 3 and two signs in bits 4 and 5.
inline constexpr int zero_of_8 = 64;
constexpr Bytes64 signed_level(int which) {
    return bytes64([=](int i) {
        constexpr int value[4] = {8, 25, 43, 43};
        const int v = value[i >> 2 * which & 3];
        return zero_of_8 + (i >> (4 + which) & 1 ? -v : v);
    });
}
/// fn(weight's number, weights) for the eight weights of 64 entries, whose signs are a byte each.
template <typename Fn>
[[gnu::always_inline]] static inline void each_signed_weight(__m512i first, __m512i second, __m512i signs,
                                                             const Fn& fn) {
    static constexpr Bytes64 even = signed_level(0), odd = signed_level(1);
    const auto two = [&](auto j, __m512i of_levels, __m512i of_signs) __attribute__((always_inline)) {
        const __m512i both = bits_from(15, of_levels, of_signs);
        fn(j, _mm512_permutexvar_epi8(both, even));
        fn(j + 1, _mm512_permutexvar_epi8(both, odd));
    };
    two(lanes::Index<0>(), first, moved<-4>(signs));
    two(lanes::Index<2>(), moved<4>(first), moved<-2>(signs));
    two(lanes::Index<4>(), second, signs);
    two(lanes::Index<6>(), moved<4>(second), moved<2>(signs));
}
/// The eighth sign of seven in the low bits, or in the high ones, makes their number even.
inline constexpr uint64_t even_signs = bit_matrix({1, 2, 4, 8, 16, 32, 64, 127}),
                          even_signs_of_high = bit_matrix({2, 4, 8, 16, 32, 64, 128, 254});

template <>
struct SixteenBlocks<Block256<TensorType::IQ2_XXS>> : DOfBlocks<Block256<TensorType::IQ2_XXS>> {
    typedef Block256<TensorType::IQ2_XXS> B;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 0.125f) {}
    static constexpr Bytes64 sevens = places_in_qword([](int i) { return 32 * (i / 4) + 7 * (i % 4); });
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        constexpr int at_once = 2;
        return sums_of_pairs<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // Groups are four indices, then a dword: four times seven signs, and a scale.
                __m512i packed[at_once];
                Places<1> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t* pair = block + 2 * B::bytes * r + 2;
                    const __m512i one = read_once(pair), two = read_once(pair + B::bytes);
                    const __m512i even =
                        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                    places[r].low = _mm512_permutex2var_epi32(one, even, two);
                    places[r].bits[0] = _mm512_movepi8_mask(places[r].low);
                    packed[r] =
                        _mm512_permutex2var_epi32(one, _mm512_add_epi32(even, _mm512_set1_epi32(1)), two);
                });
                Levels<at_once> levels;
                find_levels(quant::iq2xxs_codes, places, levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const __m512i signs =
                        transformed(bits_from_places(sevens, packed[r]), _mm512_set1_epi64(even_signs));
                    const uint32_t of_token = i + 2 * uint32_t(r);
                    __m512i acc = ints::load(token.for_header + 8 * of_token);
                    each_signed_weight(
                        levels.first[r], levels.second[r],
                        signs, [&](auto j, __m512i w) __attribute__((always_inline)) {
                            acc = ints::dot4(acc, w, activations_of_weight(token, of_token, j));
                        });
                    const __m512i scales =
                        _mm512_or_si512(_mm512_srli_epi32(packed[r], 27), _mm512_set1_epi32(1));
                    out[r] = ints::multiply(acc, scales);
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_by_weight_of_8(a, t, i);
        for (uint32_t g = 0; g < 8; ++g) t.for_header[8 * i + g] = -zero_of_8 * a.sums_of_32[g];
    }
};

/// 2 s + 1 for sixteen groups of each of two blocks, of s with Bits bits; words of four groups hold them.
template <int Bits>
[[gnu::always_inline]] static inline __m512i odd_scales_of_words(const uint8_t* low, const uint8_t* high) {
    static constexpr Bytes64 all = bytes64([](int i) {
        const int group = i / 2 % 16;
        return i % 2 ? 0 : (Bits == 4 ? 4 * group - 1 : 16 * (group / 4) + 3 * (group % 4) - 1) & 63;
    });
    return masked_and_one(bits_from_places(all, four_times_eight(low, high)),
                          Bits == 4 ? 0x001e001e : 0x000e000e, _mm512_set1_epi16(1));
}

/// Products of two blocks with groups of sixteen weights.
[[gnu::always_inline]] static inline __m512i signed_products_of_16(__m512i first, __m512i second,
                                                                   __m512i signs, __m512i scales,
                                                                   const TokenOfBlocks& token, uint32_t i) {
    const __m512i zeros = ints::dot2(ints::zero(), scales, ints::load(token.sums + 16 * i));
    __m512i acc = ints::zero();
    each_signed_weight(
        first, second, signs, [&](auto j, __m512i w) __attribute__((always_inline)) {
            acc = ints::dot2(acc, ints::pairs(w, activations_of_weight(token, i, j)), scales);
        });
    static_assert(zero_of_8 == 64);
    return ints::subtract(acc, _mm512_slli_epi32(zeros, 6));
}
[[gnu::always_inline]] static inline void put_with_sums(const Activations256& a, const TokenOfBlocks& t,
                                                        uint32_t i) {
    put_by_weight_of_8(a, t, i);
    __builtin_memcpy(t.sums + 16 * i, a.sums, 32);
}

template <>
struct SixteenBlocks<Block256<TensorType::IQ2_XS>> : DOfBlocks<Block256<TensorType::IQ2_XS>> {
    typedef Block256<TensorType::IQ2_XS> B;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 0.125f) {}
    static constexpr Bytes64 low_bytes = bytes64([](int i) { return 2 * i; }),
                             high_bytes = bytes64([](int i) { return 2 * i + 1; });
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        constexpr int at_once = 2;
        return sums_of_pairs<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // Words: nine bits of index, seven of signs.
                __m512i high[at_once];
                Places<2> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t* pair = block + 2 * B::bytes * r + 2;
                    const __m512i one = read_once(pair), two = read_once(pair + B::bytes);
                    places[r].low = _mm512_permutex2var_epi8(one, low_bytes, two);
                    high[r] = _mm512_permutex2var_epi8(one, high_bytes, two);
                    places[r].bits[0] = _mm512_movepi8_mask(places[r].low);
                    places[r].bits[1] = bit_of_bytes(high[r], 0);
                });
                Levels<at_once> levels;
                find_levels(quant::iq2xs_codes, places, levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t* scales = block + 2 * B::bytes * r + 66;
                    out[r] = signed_products_of_16(
                        levels.first[r], levels.second[r],
                        transformed(high[r], _mm512_set1_epi64(int64_t(even_signs_of_high))),
                        odd_scales_of_words<4>(scales, scales + B::bytes), token, i + 2 * uint32_t(r));
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_with_sums(a, t, i);
    }
};

template <>
struct SixteenBlocks<Block256<TensorType::IQ2_S>> : DOfBlocks<Block256<TensorType::IQ2_S>> {
    typedef Block256<TensorType::IQ2_S> B;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 0.125f) {}
    static constexpr Bytes64 twos = bytes64([](int i) { return 2 * (i % 32); });
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        constexpr int at_once = 2;
        return sums_of_pairs<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // 32 low bytes of indices, 32 of signs, 32 pairs of high bits, sixteen scales.
                Places<3> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two = one + B::bytes;
                    places[r].low = ints::load_halves(one + 2, two + 2);
                    const __m512i high = bits_from_places(twos, four_times_eight(one + 66, two + 66));
                    places[r].bits[0] = _mm512_movepi8_mask(places[r].low);
                    places[r].bits[1] = bit_of_bytes(high, 0);
                    places[r].bits[2] = bit_of_bytes(high, 1);
                });
                Levels<at_once> levels;
                find_levels(quant::iq2s_codes, places, levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two = one + B::bytes;
                    out[r] = signed_products_of_16(
                        levels.first[r], levels.second[r], ints::load_halves(one + 34, two + 34),
                        odd_scales_of_words<4>(one + 74, two + 74), token, i + 2 * uint32_t(r));
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_with_sums(a, t, i);
    }
};

// IQ1: levels -1, 0, 1 in eighths, plus or minus an eighth.

/// Eight times one of three levels in a byte's low six bits, plus eight.
constexpr Bytes64 eighths_of_three(int which) {
    return bytes64([=](int i) { return 8 * (i >> 2 * which & 3); });
}
/// Of two levels, an eighth up or (bit 4) down, plus iq1_zero.
constexpr Bytes64 eighths_of_two(int which) {
    return bytes64([=](int i) { return 8 * (i >> 2 * which & 3) + (i & 16 ? 0 : 2); });
}

/// The place of 64 entries: eight bits of each index in `low`, three in `high`.
[[gnu::always_inline]] static inline Places<4> places_of_iq1(__m512i low, __m512i high) {
    return {low,
            {_mm512_movepi8_mask(low), bit_of_bytes(high, 0), bit_of_bytes(high, 1), bit_of_bytes(high, 2)}};
}
/// The second halves of the same.
[[gnu::always_inline]] static inline __m512i second_levels_of_iq1(__m512i low, __m512i high) {
    const Places<0> sixteen[] = {{bits_from(15, moved<4>(low), moved<-4>(high)), {}}};
    __m512i change[1], before[1], after[1];
    looked_up_in(quant::iq1_codes.changes_at, sixteen, change);
    looked_up_in(quant::iq1_codes.before, sixteen, before);
    looked_up_in(quant::iq1_codes.after, sixteen, after);
    return _mm512_mask_blend_epi8(_mm512_cmpge_epu8_mask(masked(low, 15), change[0]), before[0], after[0]);
}

template <>
struct SixteenBlocks<Block256<TensorType::IQ1_S>> : DOfBlocks<Block256<TensorType::IQ1_S>> {
    typedef Block256<TensorType::IQ1_S> B;
    static constexpr uint32_t one_by_one = 4;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 0.125f) {}
    static constexpr Bytes64 threes = places_in_qword([](int i) { return 16 * (i / 4) + 3 * (i % 4); });
    static constexpr Bytes64 first = eighths_of_three(0), second = eighths_of_three(1),
                             third = eighths_of_three(2);
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        constexpr int at_once = 2;
        return sums_of_pairs<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // A word a group: three bits of each of four indices, three of scale, one that says down.
                __m512i high[at_once], first_levels[at_once];
                Places<4> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two = one + B::bytes;
                    high[r] = bits_from_places(threes, spread_dwords(one + 34, two + 34));
                    places[r] = places_of_iq1(ints::load_halves(one + 2, two + 2), high[r]);
                });
                looked_up_in(quant::iq1_codes.first, places, first_levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two = one + B::bytes;
                    const __m512i group = _mm512_cvtepu16_epi32(two_sixteens(one + 34, two + 34));
                    const __mmask16 down = _mm512_test_epi32_mask(group, _mm512_set1_epi32(0x8000));
                    const uint32_t of_token = i + 2 * uint32_t(r);
                    const int32_t* zeros = token.for_header + 8 * of_token;
                    __m512i acc = _mm512_mask_loadu_epi32(ints::load(zeros), down, zeros + 8 * token.entries);
                    const auto four = [&](__m512i codes, int j) __attribute__((always_inline)) {
                        const auto add = [&](__m512i c, const Bytes64& table, int w)
                            __attribute__((always_inline)) {
                            acc = ints::dot4(acc, _mm512_permutexvar_epi8(c, table),
                                             activations_of_weight(token, of_token, w));
                        };
                        add(codes, first, j);
                        add(codes, second, j + 1);
                        add(codes, third, j + 2);
                        add(moved<6>(codes), first, j + 3);
                    };
                    four(first_levels[r], 0);
                    four(second_levels_of_iq1(places[r].low, high[r]), 4);
                    out[r] =
                        ints::multiply(acc, masked_and_one(_mm512_srli_epi32(group, 11), 14, ints::all(1)));
                });
            });
    }
    /// Behind what the levels' zero takes away: that with an eighth up, then with an eighth down.
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_by_weight_of_8(a, t, i);
        for (uint32_t g = 0; g < 8; ++g) {
            t.for_header[8 * i + g] = -7 * a.sums_of_32[g];
            t.for_header[8 * (t.entries + i) + g] = -9 * a.sums_of_32[g];
        }
    }

  private:
    [[gnu::always_inline]] static inline __m256i two_sixteens(const uint8_t* low, const uint8_t* high) {
        return _mm256_setr_m128i(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low)),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)));
    }
};

template <>
struct SixteenBlocks<Block256<TensorType::IQ1_M>> : NoMinima {
    typedef Block256<TensorType::IQ1_M> B;
    static constexpr uint32_t one_by_one = 4;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) {
        // d: the upper nibbles of the four words of scales.
        const FourDwords h = dwords_of_blocks<B::bytes, 40>(blocks);
        const auto nibble = [](__m512i v, int down, int32_t mask) __attribute__((always_inline)) {
            return _mm512_and_si512(_mm512_srli_epi32(v, unsigned(down)), _mm512_set1_epi32(mask));
        };
        const __m512i half =
            _mm512_or_si512(_mm512_or_si512(nibble(h.at[2], 12, 0xf), nibble(h.at[2], 24, 0xf0)),
                            _mm512_or_si512(nibble(h.at[3], 4, 0xf00), nibble(h.at[3], 16, 0xf000)));
        d = _mm512_mul_ps(ints::low_halves(half), _mm512_set1_ps(0.125f));
    }
    static constexpr Bytes64 nibbles = places_in_qword([](int i) { return 4 * i; }),
                             to_bit4 = places_in_qword([](int i) { return 4 * i - 1; });
    static constexpr Bytes64 even = eighths_of_two(0), odd = eighths_of_two(1);
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        static_assert(iq1_zero == 9);
        constexpr int at_once = 2;
        return sums_of_pairs<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // 32 low bytes of indices, a nibble for each (three bits of index, one that says down),
                // scales.
                __m512i packed[at_once], high[at_once], first_levels[at_once];
                Places<4> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two = one + B::bytes;
                    packed[r] = spread_dwords(one + 32, two + 32);
                    high[r] = bits_from_places(nibbles, packed[r]);
                    places[r] = places_of_iq1(ints::load_halves(one, two), high[r]);
                });
                looked_up_in(quant::iq1_codes.first, places, first_levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t *one = block + 2 * B::bytes * r, *two_ = one + B::bytes;
                    const __m512i down = bits_from_places(to_bit4, packed[r]),
                                  scales = odd_scales_of_words<3>(one + 48, two_ + 48);
                    const uint32_t of_token = i + 2 * uint32_t(r);
                    __m512i acc = ints::dot2(ints::zero(), scales, ints::load(token.sums + 16 * of_token));
                    const auto two = [&](__m512i codes, int j) __attribute__((always_inline)) {
                        const __m512i both = bits_from(15, codes, down);
                        const auto add = [&](const Bytes64& table, int w) __attribute__((always_inline)) {
                            const __m512i weights = _mm512_permutexvar_epi8(both, table);
                            acc = ints::dot2(
                                acc, ints::pairs(weights, activations_of_weight(token, of_token, w)), scales);
                        };
                        add(even, j);
                        add(odd, j + 1);
                    };
                    const __m512i second = second_levels_of_iq1(places[r].low, high[r]);
                    two(first_levels[r], 0);
                    two(moved<4>(first_levels[r]), 2);
                    two(second, 4);
                    two(moved<4>(second), 6);
                    out[r] = acc;
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_by_weight_of_8(a, t, i);
        for (uint32_t g = 0; g < 16; ++g) t.sums[16 * i + g] = int16_t(-iq1_zero * a.sums[g]);
    }
};

// Entries of four weights, a block at a time.

/// A level in the low three bits, its sign behind it: weight plus Zero. Scaled: IQ3_XXS, else IQ3_S.
template <bool Scaled>
constexpr Bytes64 signed_level_of_4(int zero) {
    return bytes64([=](int i) {
        constexpr int scaled[8] = {4, 12, 20, 28, 36, 44, 52, 62};
        const int v = Scaled ? scaled[i % 8] : 2 * (i % 8) + 1;
        return zero + (i & 8 ? -v : v);
    });
}
/// acc + the products of 64 entries, their signs at bits 3 and 7, with activations that put_by_weight_of_4
/// laid out.
[[gnu::always_inline]] static inline __m512i products_of_4(__m512i acc, __m512i first, __m512i second,
                                                           __m512i table, const int8_t* a) {
    const auto two = [&](__m512i both, int j) __attribute__((always_inline)) {
        acc = ints::dot4(acc, _mm512_permutexvar_epi8(both, table), ints::load(a + 64 * j));
        acc = ints::dot4(acc, _mm512_permutexvar_epi8(moved<4>(both), table), ints::load(a + 64 * (j + 1)));
    };
    two(first, 0);
    two(second, 2);
    return acc;
}
/// Which of sixteen entries is the k-th.
struct InOrder {
    constexpr int operator()(int k) const { return k; }
};
/// The even ones, then the odd ones: their signs are the low and the high halves of bytes.
struct EvenThenOdd {
    constexpr int operator()(int k) const { return 2 * (k % 8) + k / 8; }
};
/// Activations of entry i: weight j of each of its 64 entries at 64 j; and what the weights' zero takes away.
template <int Zero, typename Entry>
[[gnu::always_inline]] static inline void put_by_weight_of_4(const Activations256& a, const TokenOfBlocks& t,
                                                             uint32_t i, Entry) {
    static constexpr Bytes64 by_weight = bytes64([](int k) { return Entry()(k % 16) * 4 + k / 16; });
    int8_t* q = t.q + 256 * i;
    for (int k = 0; k < 4; ++k) {
        alignas(64) int8_t sixteen[4][16];
        _mm512_store_si512(sixteen, _mm512_permutexvar_epi8(by_weight, ints::load(a.q + 64 * k)));
        for (int j = 0; j < 4; ++j) __builtin_memcpy(q + 64 * j + 16 * k, sixteen[j], 16);
    }
    __m512i sums = ints::zero();
    for (int j = 0; j < 4; ++j) sums = ints::dot4(sums, each_byte(Zero), ints::load(q + 64 * j));
    ints::store(t.for_header + 16 * i, ints::subtract(ints::zero(), sums));
}

template <>
struct SixteenBlocks<Block256<TensorType::IQ3_XXS>> : DOfBlocks<Block256<TensorType::IQ3_XXS>> {
    typedef Block256<TensorType::IQ3_XXS> B;
    static constexpr int zero = 64;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 0.25f) {}
    static constexpr Bytes64 order = bytes64([](int i) { return EvenThenOdd()(i % 16); });
    static constexpr Bytes64 sevens = places_in_qword([](int i) { return 32 * (i / 4) + 7 * (i % 4); });
    static constexpr Bytes64 table = signed_level_of_4<true>(zero);
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        // Of seven signs: two of an even entry, two of an odd one, to bits 3 and 7.
        constexpr uint64_t even1 = bit_matrix({0, 0, 0, 1, 0, 0, 0, 2}),
                           odd1 = bit_matrix({0, 0, 0, 16, 0, 0, 0, 32}),
                           even2 = bit_matrix({0, 0, 0, 4, 0, 0, 0, 8}),
                           odd2 = bit_matrix({0, 0, 0, 64, 0, 0, 0, 127});
        const auto alternating = [](uint64_t even, uint64_t odd) __attribute__((always_inline)) {
            return _mm512_broadcast_i32x4(_mm_set_epi64x(int64_t(odd), int64_t(even)));
        };
        constexpr int at_once = 2;
        return sums_of_single<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                Places<1> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    places[r].low = _mm512_shuffle_epi8(ints::load(block + B::bytes * r + 2), order);
                    places[r].bits[0] = _mm512_movepi8_mask(places[r].low);
                });
                Levels<at_once> levels;
                find_levels(quant::iq3xxs_codes, places, levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    // Two groups' dwords, twice: four times seven signs, and a scale.
                    const __m512i packed = _mm512_permutexvar_epi64(
                        _mm512_setr_epi64(0, 0, 1, 1, 2, 2, 3, 3),
                        _mm512_castsi256_si512(
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + B::bytes * r + 66))));
                    const __m512i signs = bits_from_places(sevens, packed);
                    const uint32_t of_token = i + uint32_t(r);
                    const __m512i acc = products_of_4(
                        ints::load(token.for_header + 16 * of_token),
                        _mm512_or_si512(levels.first[r], transformed(signs, alternating(even1, odd1))),
                        _mm512_or_si512(levels.second[r], transformed(signs, alternating(even2, odd2))),
                        table, token.q + 256 * of_token);
                    out[r] = ints::multiply(
                        acc, _mm512_or_si512(_mm512_srli_epi32(packed, 27), _mm512_set1_epi32(1)));
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_by_weight_of_4<zero>(a, t, i, EvenThenOdd());
    }
};

template <>
struct SixteenBlocks<Block256<TensorType::IQ3_S>> : DOfBlocks<Block256<TensorType::IQ3_S>> {
    typedef Block256<TensorType::IQ3_S> B;
    static constexpr int zero = 16;
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : DOfBlocks(blocks, 1.0f) {}
    static constexpr Bytes64 fours = places_in_qword([](int i) { return 4 * i; });
    static constexpr Bytes64 table = signed_level_of_4<false>(zero);
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        constexpr uint64_t first = bit_matrix({0, 0, 0, 1, 0, 0, 0, 2}),
                           second = bit_matrix({0, 0, 0, 4, 0, 0, 0, 8});
        // To bit 1, from bit 4 g of a dword.
        const __m512i rotate = _mm512_setr_epi32(31, 31, 3, 3, 7, 7, 11, 11, 15, 15, 19, 19, 23, 23, 27, 27);
        constexpr int at_once = 2;
        return sums_of_single<B, at_once>(
            blocks,
            b, [&](const uint8_t* block, uint32_t i, __m512i(&out)[at_once]) __attribute__((always_inline)) {
                // 64 low bytes of indices, as many high bits, 32 bytes of signs, eight scales.
                Places<2> places[at_once];
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t* one = block + B::bytes * r;
                    places[r].low = ints::load(one + 2);
                    places[r].bits[0] = _mm512_movepi8_mask(places[r].low);
                    places[r].bits[1] = load_u64(one + 66);
                });
                Levels<at_once> levels;
                find_levels(quant::iq3s_codes, places, levels);
                lanes::unrolled<at_once>([&](auto r) __attribute__((always_inline)) {
                    const uint8_t* one = block + B::bytes * r;
                    const __m512i signs = bits_from_places(fours, spread_dwords(one + 74, one + 90));
                    const uint32_t of_token = i + uint32_t(r);
                    const __m512i acc =
                        products_of_4(ints::load(token.for_header + 16 * of_token),
                                      _mm512_or_si512(levels.first[r],
                                                      transformed(signs, _mm512_set1_epi64(int64_t(first)))),
                                      _mm512_or_si512(levels.second[r],
                                                      transformed(signs, _mm512_set1_epi64(int64_t(second)))),
                                      table, token.q + 256 * of_token);
                    const __m512i packed = _mm512_set1_epi32(int32_t(load_u32(one + 106)));
                    out[r] = ints::multiply(
                        acc, masked_and_one(_mm512_rorv_epi32(packed, rotate), 0x1e, ints::all(1)));
                });
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_by_weight_of_4<zero>(a, t, i, InOrder());
    }
};

}  // namespace
}  // namespace sluice::portable
