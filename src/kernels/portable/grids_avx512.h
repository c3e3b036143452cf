// The code-book types for one token with AVX-512: entries are read straight into vectors, a lane at a time,
// as magnitudes; signs go to the activations, so that nothing has to be subtracted afterwards. Included by
// one_token.h alone.
#pragma once

#include "kernels/portable/headers_avx512.h"

namespace sluice::portable {

/// Eight entries of 8 bytes: entry(i) tells where the i-th lies. A masked load for each lane of half a
/// vector: fewer instructions than putting pairs together.
template <typename Entry>
[[gnu::always_inline]] static inline __m512i eight_entries(const Entry& entry) {
    const auto half = [&](int first) __attribute__((always_inline)) {
        const auto at = [&](int i) __attribute__((always_inline)) {
            return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(entry(first + i)));
        };
        __m256i v = _mm256_broadcastq_epi64(at(0));
        v = _mm256_mask_broadcastq_epi64(v, 2, at(1));
        v = _mm256_mask_broadcastq_epi64(v, 4, at(2));
        return _mm256_mask_broadcastq_epi64(v, 8, at(3));
    };
    return _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(4), 1);
}
/// Sixteen entries of 4 bytes.
template <typename Entry>
[[gnu::always_inline]] static inline __m512i sixteen_entries(const Entry& entry) {
    const auto quarter = [&](int first) __attribute__((always_inline)) {
        const auto at = [&](int i) __attribute__((always_inline)) {
            return _mm_loadu_si32(entry(first + i));
        };
        __m128i v = at(0);
        v = _mm_mask_broadcastd_epi32(v, 2, at(1));
        v = _mm_mask_broadcastd_epi32(v, 4, at(2));
        return _mm_mask_broadcastd_epi32(v, 8, at(3));
    };
    __m512i v = _mm512_castsi128_si512(quarter(0));
    v = _mm512_inserti32x4(v, quarter(4), 1);
    v = _mm512_inserti32x4(v, quarter(8), 2);
    return _mm512_inserti32x4(v, quarter(12), 3);
}

/// 32 places in IQ1_S's code book, in general registers: a byte each, and three bits of a word for each four.
struct Indices {
    uint64_t four[8];
    [[gnu::always_inline]] inline uint32_t operator[](int i) const {
        return uint16_t(four[i / 4] >> 16 * (i % 4));
    }
};
[[gnu::always_inline]] static inline Indices iq1_indices(const uint8_t* low, __m128i words) {
    const __m512i bytes = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(low)));
    const __m256i two = _mm256_setr_m128i(_mm_unpacklo_epi16(words, words), _mm_unpackhi_epi16(words, words));
    const __m512i half = _mm512_cvtepu32_epi64(two),
                  each = _mm512_or_si512(half, _mm512_slli_epi64(half, 32));
    const __m512i high = _mm512_and_si512(_mm512_srlv_epi16(each, _mm512_set1_epi64(0x0009000600030000)),
                                          _mm512_set1_epi16(7));
    const __m512i indices = _mm512_or_si512(bytes, _mm512_slli_epi16(high, 8));
    Indices r;
    lanes::unrolled<4>([&](auto i) __attribute__((always_inline)) {
        const __m128i eight = _mm512_extracti32x4_epi32(indices, i);
        r.four[2 * i] = uint64_t(_mm_cvtsi128_si64(eight));
        r.four[2 * i + 1] = uint64_t(_mm_extract_epi64(eight, 1));
    });
    return r;
}

/// 7-bit sign patterns to bytes of 8: the eighth sign makes their number even.
[[gnu::always_inline]] static inline __m256i even_signs(__m256i seven) {
    const __m256i parity = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -128, -128, 0, -128, 0, 0, -128, -128, 0, 0, -128, 0, -128, -128, 0));
    const __m256i folded =
        _mm256_and_si256(_mm256_xor_si256(seven, _mm256_srli_epi16(seven, 4)), _mm256_set1_epi8(15));
    return _mm256_or_si256(seven, _mm256_shuffle_epi8(parity, folded));
}
/// Four 7-bit patterns in each dword to bytes.
[[gnu::always_inline]] static inline __m256i bytes_of_seven(__m256i v) {
    const auto at = [&](int up, int32_t mask) __attribute__((always_inline)) {
        return _mm256_and_si256(_mm256_slli_epi32(v, up), _mm256_set1_epi32(mask));
    };
    return _mm256_or_si256(_mm256_or_si256(at(0, 0x7f), at(1, 0x7f00)),
                           _mm256_or_si256(at(2, 0x7f0000), at(3, 0x7f000000)));
}

/// Signs of 256 weights, a bit each.
struct Signs {
    alignas(32) uint64_t of[4];
};
[[gnu::always_inline]] static inline __m512i signed_by(uint64_t signs, const int8_t* a) {
    const __m512i v = ints::load(a);
    return _mm512_mask_sub_epi8(v, signs, _mm512_setzero_si512(), v);
}

/// Magnitudes times activations with the weights' signs, scaled. scale(j): 16-bit scales for vector j.
template <typename Magnitudes, typename Scale>
[[gnu::always_inline]] static inline __m512i signed_products(const Magnitudes& magnitudes, const Signs& signs,
                                                             const int8_t* a, const Scale& scale) {
    __m512i acc = ints::zero();
    lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
        acc = ints::dot2(acc, ints::pairs(magnitudes(j), signed_by(signs.of[j], a + 64 * j)), scale(j));
    });
    return acc;
}

/// d at the beginning of a block, times a power of two.
template <typename B>
struct GridHeader : NoMinima {
    [[gnu::always_inline]] inline GridHeader(const uint8_t* blocks, float factor) {
        d = _mm512_mul_ps(low_halves(dwords_of_blocks<B::bytes, 0>(blocks).at[0]), _mm512_set1_ps(factor));
    }
};

/// Eight dwords' upper four bits s, as 2 s + 1 in both halves of a dword; and how vector j spreads them.
[[gnu::always_inline]] static inline __m256i odd_scales_of_dwords(__m256i packed) {
    const __m256i s = _mm256_srli_epi32(packed, 28),
                  odd = _mm256_add_epi32(_mm256_add_epi32(s, s), _mm256_set1_epi32(1));
    return _mm256_or_si256(odd, _mm256_slli_epi32(odd, 16));
}
[[gnu::always_inline]] static inline __m512i spread_of_dwords(__m256i eight, int j) {
    const __m512i halves = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    return _mm512_permutexvar_epi32(_mm512_add_epi32(halves, _mm512_set1_epi32(2 * j)),
                                    _mm512_castsi256_si512(eight));
}

template <>
struct LaneHeader<Block256<TensorType::IQ2_XXS>> : GridHeader<Block256<TensorType::IQ2_XXS>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 0.125f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        // Groups are four indices, then a dword of signs and scale.
        const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 0, 0, 0, 0, 0, 0, 0, 0);
        const __m256i packed = _mm512_castsi512_si256(_mm512_permutexvar_epi32(odd, ints::load(block + 2)));
        Signs signs;
        _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of), even_signs(bytes_of_seven(packed)));
        const __m256i scales = odd_scales_of_dwords(packed);
        return signed_products(
            [&](int j) __attribute__((always_inline)) {
                const uint8_t* index = block + 2 + 16 * j;
                return eight_entries([&](int i) __attribute__((always_inline)) {
                    return &quant::iq2xxs_grid[index[8 * (i / 4) + i % 4]];
                });
            },
            signs, a, [&](int j) __attribute__((always_inline)) { return spread_of_dwords(scales, j); });
    }
};

/// Sixteen 4-bit scales s as 16-bit numbers 2 s + 1.
[[gnu::always_inline]] static inline ints::Scales sixteen_odd_scales(const uint8_t* packed) {
    alignas(32) int16_t scales[16];
    odd_scales(packed, scales);
    return ints::load_scales(scales);
}

template <>
struct LaneHeader<Block256<TensorType::IQ2_XS>> : GridHeader<Block256<TensorType::IQ2_XS>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 0.125f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        const uint8_t* words = block + 2;  // 9 bits of index, 7 of signs
        Signs signs;
        _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of),
                           even_signs(_mm512_cvtepi16_epi8(_mm512_srli_epi16(ints::load(words), 9))));
        const ints::Scales scales = sixteen_odd_scales(block + 66);
        return signed_products(
            [&](int j) __attribute__((always_inline)) {
                return eight_entries([&](int i) __attribute__((always_inline)) {
                    return &quant::iq2xs_grid[load_u16(words + 16 * j + 2 * i) & 511];
                });
            },
            signs, a, [&](int j) __attribute__((always_inline)) { return ints::scales16(scales, j); });
    }
};

template <>
struct LaneHeader<Block256<TensorType::IQ2_S>> : GridHeader<Block256<TensorType::IQ2_S>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 0.125f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        const uint8_t *index = block + 2, *high = block + 66;
        Signs signs;
        __builtin_memcpy(signs.of, block + 34, 32);
        const ints::Scales scales = sixteen_odd_scales(block + 74);
        return signed_products(
            [&](int j) __attribute__((always_inline)) {
                return eight_entries([&](int i) __attribute__((always_inline)) {
                    const uint32_t h = high[2 * j + i / 4];
                    return &quant::iq2s_grid[index[8 * j + i] | (h << (8 - 2 * (i % 4)) & 0x300u)];
                });
            },
            signs, a, [&](int j) __attribute__((always_inline)) { return ints::scales16(scales, j); });
    }
};

template <>
struct LaneHeader<Block256<TensorType::IQ3_XXS>> : GridHeader<Block256<TensorType::IQ3_XXS>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 0.25f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        const __m256i packed = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 66));
        Signs signs;
        _mm256_store_si256(reinterpret_cast<__m256i*>(signs.of), even_signs(bytes_of_seven(packed)));
        const __m256i scales = odd_scales_of_dwords(packed);
        return signed_products(
            [&](int j) __attribute__((always_inline)) {
                const uint8_t* index = block + 2 + 16 * j;
                return sixteen_entries([&](int i) __attribute__((always_inline)) {
                    return &quant::iq3xxs_grid[index[i]];
                });
            },
            signs, a, [&](int j) __attribute__((always_inline)) { return spread_of_dwords(scales, j); });
    }
};

template <>
struct LaneHeader<Block256<TensorType::IQ3_S>> : GridHeader<Block256<TensorType::IQ3_S>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 1.0f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        const uint8_t *index = block + 2, *high = block + 66;
        Signs signs;
        __builtin_memcpy(signs.of, block + 74, 32);
        // Eight scales of 4 bits, in the upper bits of a dword each.
        const __m256i up = _mm256_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0);
        const __m256i scales =
            odd_scales_of_dwords(_mm256_sllv_epi32(_mm256_set1_epi32(int32_t(load_u32(block + 106))), up));
        return signed_products(
            [&](int j) __attribute__((always_inline)) {
                return sixteen_entries([&](int i) __attribute__((always_inline)) {
                    const uint32_t h = high[2 * j + i / 8];
                    return &quant::iq3s_grid[index[16 * j + i] | (h << (8 - i % 8) & 256u)];
                });
            },
            signs, a, [&](int j) __attribute__((always_inline)) { return spread_of_dwords(scales, j); });
    }
};

/// Entries -1, 0, 1 in eighths plus iq1_zero, plus or minus an eighth (plus where `up` has a bit): 0 to 18.
[[gnu::always_inline]] static inline __m512i in_unsigned_eighths(__m512i entries, __mmask8 down) {
    const __m512i eighths = masked(_mm512_slli_epi16(entries, 3), int8_t(0xf8));
    const __m512i shift = _mm512_mask_blend_epi64(down, each_byte(iq1_zero + 1), each_byte(iq1_zero - 1));
    return _mm512_add_epi8(eighths, shift);
}
/// Products of such weights, less what their zero contributes.
template <typename Weights, typename Scale>
[[gnu::always_inline]] static inline __m512i iq1_products(const Weights& weights, const int8_t* a,
                                                          const Scale& scale, __m512i zeros) {
    __m512i acc = _mm512_sub_epi32(_mm512_setzero_si512(), zeros);
    lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
        acc = ints::dot2(acc, ints::pairs(weights(j), ints::load(a + 64 * j)), scale(j));
    });
    return acc;
}

template <>
struct LaneHeader<Block256<TensorType::IQ1_S>> : GridHeader<Block256<TensorType::IQ1_S>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : GridHeader(blocks, 0.125f) {}
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t* sums) const {
        // A word a group: three bits of each of four indices, three of scale, one that says down.
        const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 34));
        const __m128i s = _mm_and_si128(_mm_srli_epi16(words, 12), _mm_set1_epi16(7));
        const __m128i odd = _mm_add_epi16(_mm_add_epi16(s, s), _mm_set1_epi16(1));
        const __m256i twice = _mm256_setr_m128i(_mm_unpacklo_epi16(odd, odd), _mm_unpackhi_epi16(odd, odd));
        const ints::Scales scales{_mm512_castsi256_si512(twice)};
        const __m256i nine = _mm256_add_epi16(_mm256_slli_epi16(twice, 3), twice);
        const __m256i sixteen = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
        const uint32_t downs = _pdep_u32(_mm_movepi16_mask(words), 0x11111111u) * 15;  // four bits a group
        const Indices indices = iq1_indices(block + 2, words);
        return iq1_products(
            [&](int j) __attribute__((always_inline)) {
                const __m512i entries = eight_entries([&](int i) __attribute__((always_inline)) {
                    return &quant::iq1s_grid[indices[8 * j + i]];
                });
                return in_unsigned_eighths(entries, __mmask8(downs >> 8 * j));
            },
            a, [&](int j) __attribute__((always_inline)) { return ints::scales16(scales, j); },
            _mm512_zextsi256_si512(_mm256_madd_epi16(nine, sixteen)));
    }
};

template <>
struct LaneHeader<Block256<TensorType::IQ1_M>> : NoMinima {
    typedef Block256<TensorType::IQ1_M> B;
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) {
        // d: the upper nibbles of the four words of scales.
        const FourDwords h = dwords_of_blocks<B::bytes, 40>(blocks);
        const auto nibble = [](__m512i v, int down, int32_t mask) __attribute__((always_inline)) {
            return _mm512_and_si512(_mm512_srli_epi32(v, unsigned(down)), _mm512_set1_epi32(mask));
        };
        const __m512i half =
            _mm512_or_si512(_mm512_or_si512(nibble(h.at[2], 12, 0xf), nibble(h.at[2], 24, 0xf0)),
                            _mm512_or_si512(nibble(h.at[3], 4, 0xf00), nibble(h.at[3], 16, 0xf000)));
        d = _mm512_mul_ps(low_halves(half), _mm512_set1_ps(0.125f));
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t* sums) const {
        // Sixteen scales of three bits, four to a word.
        const __m256i words = _mm256_set1_epi64x(int64_t(load_u64(block + 48)));
        const __m256i each =
            _mm256_shuffle_epi8(words, _mm256_setr_epi8(0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4, 5,
                                                        4, 5, 4, 5, 4, 5, 6, 7, 6, 7, 6, 7, 6, 7));
        const __m256i down = _mm256_set1_epi64x(0x0009000600030000);
        const __m256i s = _mm256_and_si256(_mm256_srlv_epi16(each, down), _mm256_set1_epi16(7));
        const __m256i odd = _mm256_add_epi16(_mm256_add_epi16(s, s), _mm256_set1_epi16(1));
        const ints::Scales scales{_mm512_castsi256_si512(odd)};
        const __m256i nine = _mm256_add_epi16(_mm256_slli_epi16(odd, 3), odd);
        const __m256i sixteen = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
        return iq1_products(
            [&](int j) __attribute__((always_inline)) {
                const uint32_t bits = load_u32(block + 32 + 4 * j);  // of two groups: a nibble an entry
                const __m512i entries = eight_entries([&](int i) __attribute__((always_inline)) {
                    return &quant::iq1s_grid[block[8 * j + i] | (bits >> 4 * i & 7) << 8];
                });
                return in_unsigned_eighths(entries, __mmask8(_pext_u32(bits, 0x88888888u)));
            },
            a, [&](int j) __attribute__((always_inline)) { return ints::scales16(scales, j); },
            _mm512_zextsi256_si512(_mm256_madd_epi16(nine, sixteen)));
    }
};

}  // namespace sluice::portable
