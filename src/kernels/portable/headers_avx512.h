// The scales and minima of sixteen blocks at once, a block to a lane: what one_token.h needs of a K type
// costs a few instructions a block so, where block by block it would be more than the products. Included by
// one_token.h alone.
#pragma once

#include "kernels/portable/block_products.h"

namespace sluice::portable {

/// What lies Offset bytes into each of sixteen blocks of Bytes: four dwords a block, dword c of block i in
/// lane i of [c].
struct FourDwords {
    __m512i at[4];
};
template <uint32_t Bytes, int Offset>
[[gnu::always_inline]] static inline FourDwords dwords_of_blocks(const uint8_t* blocks) {
    const auto four = [&](int i) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + uint32_t(i) * Bytes + Offset));
    };
    __m512i x[4];  // x[r]: blocks r, 4 + r, 8 + r, 12 + r
    lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) {
        __m512i v = _mm512_castsi128_si512(four(r));
        v = _mm512_inserti32x4(v, four(4 + r), 1);
        v = _mm512_inserti32x4(v, four(8 + r), 2);
        x[r] = _mm512_inserti32x4(v, four(12 + r), 3);
    });
    const __m512i a = _mm512_unpacklo_epi32(x[0], x[1]), b = _mm512_unpackhi_epi32(x[0], x[1]),
                  c = _mm512_unpacklo_epi32(x[2], x[3]), d = _mm512_unpackhi_epi32(x[2], x[3]);
    return {{_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c), _mm512_unpacklo_epi64(b, d),
             _mm512_unpackhi_epi64(b, d)}};
}

/// The half-precision numbers in the low or high halves of sixteen dwords.
[[gnu::always_inline]] static inline __m512 low_halves(__m512i v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}
[[gnu::always_inline]] static inline __m512 high_halves(__m512i v) {
    return low_halves(_mm512_srli_epi32(v, 16));
}
[[gnu::always_inline]] static inline __m512i each_byte(int8_t x) {
    return _mm512_set1_epi8(x);
}
/// The bits of each dword moved right by By, left if it is negative; the mask is that of bytes in their new
/// place.
template <int By>
[[gnu::always_inline]] static inline __m512i bits_at(__m512i v, int8_t mask) {
    if constexpr (By >= 0)
        return masked(_mm512_srli_epi32(v, By), mask);
    else
        return masked(_mm512_slli_epi32(v, -By), mask);
}

/// Two sums of activations, as a lane's two signed 16-bit numbers.
[[gnu::always_inline]] static inline int32_t pair_of(int16_t low, int16_t high) {
    return int32_t(uint32_t(uint16_t(low)) | uint32_t(uint16_t(high)) << 16);
}
/// The sums of groups 4 i, 4 i + 2 and of 4 i + 1, 4 i + 3, for the N / 4 dwords that hold a byte for each of
/// N groups.
template <int N>
[[gnu::always_inline]] static inline void pairs_for_bytes(const int16_t* sums, int32_t* out,
                                                          uint32_t stride) {
    for (int i = 0; i < N; i += 4) {
        out[(i / 2) * stride] = pair_of(sums[i], sums[i + 2]);
        out[(i / 2 + 1) * stride] = pair_of(sums[i + 1], sums[i + 3]);
    }
}
/// The bytes of v, unsigned, times the activations' sums that pairs_for_bytes laid out, added to acc.
[[gnu::always_inline]] static inline __m512i dot_bytes(__m512i acc, __m512i v, const int32_t* sums,
                                                       uint32_t stride) {
    const __m512i even = _mm512_and_si512(v, _mm512_set1_epi32(0x00ff00ff)),
                  odd = _mm512_and_si512(_mm512_srli_epi16(v, 8), _mm512_set1_epi32(0x00ff00ff));
    acc = ints::dot2(acc, even, ints::load(sums));
    return ints::dot2(acc, odd, ints::load(sums + stride));
}

/// The scales of vector j's weights: each 128 bits of `bytes` hold all of the block's; both 16-bit numbers of
/// a dword get the one of its four weights.
template <uint32_t Group>
[[gnu::always_inline]] static inline __m512i spread_scales(__m512i bytes, int j) {
    if constexpr (Group == 32) {
        const __m512i first =
            _mm512_set_epi64(0x8001800180018001, 0x8001800180018001, 0x8001800180018001, 0x8001800180018001,
                             0x8000800080008000, 0x8000800080008000, 0x8000800080008000, 0x8000800080008000);
        return _mm512_shuffle_epi8(bytes, _mm512_add_epi16(first, _mm512_set1_epi16(int16_t(2 * j))));
    } else {
        const __m512i first =
            _mm512_set_epi64(0x8003800380038003, 0x8003800380038003, 0x8002800280028002, 0x8002800280028002,
                             0x8001800180018001, 0x8001800180018001, 0x8000800080008000, 0x8000800080008000);
        return _mm512_shuffle_epi8(bytes, _mm512_add_epi16(first, _mm512_set1_epi16(int16_t(4 * j))));
    }
}

/// Products of a block's weights and activations with unsigned scales of a byte.
template <typename B>
[[gnu::always_inline]] static inline __m512i products_with_bytes(const uint8_t* block, const int8_t* a,
                                                                 __m512i scales) {
    __m512i q[4], acc = ints::zero();
    WideUnpack<B>::unpack(block, q);
    lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
        acc = ints::dot2(acc, ints::pairs(q[j], ints::load(a + 64 * j)), spread_scales<B::group>(scales, j));
    });
    return acc;
}
/// The same with signed 16-bit scales, less `zero` times the activations' scaled sums.
template <typename B, int ZeroBits>
[[gnu::always_inline]] static inline __m512i products_with_words(const uint8_t* block, const int8_t* a,
                                                                 const int16_t* sums, __m256i scales) {
    __m512i q[4];
    WideUnpack<B>::unpack(block, q);
    const __m256i sixteen = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
    const __m512i zeros =
        _mm512_zextsi256_si512(_mm256_madd_epi16(_mm256_slli_epi16(scales, ZeroBits), sixteen));
    const ints::Scales s{_mm512_castsi256_si512(scales)};
    __m512i acc = _mm512_sub_epi32(_mm512_setzero_si512(), zeros);
    lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
        acc = ints::dot_scaled(acc, q[j], ints::load(a + 64 * j), s, j);
    });
    return acc;
}

/// For a type: d and dmin of sixteen blocks, products of each with activations (less what the weights' zero
/// contributes), and what the minima contribute. pair_sums: how a token's sums must lie for that.
template <typename B>
struct LaneHeader;

/// Q4_K and Q5_K: d, dmin, and twelve bytes of 6-bit scales and minima.
template <typename B>
struct LaneHeaderOfSixBits {
    __m512 d, dmin;
    __m512i minima[2];
    alignas(64) uint64_t scales[16];

    [[gnu::always_inline]] inline LaneHeaderOfSixBits(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 0>(blocks);
        const __m512i a = h.at[1], b = h.at[2], c = h.at[3];
        d = low_halves(h.at[0]);
        dmin = high_halves(h.at[0]);
        const __m512i low = masked(a, 0x3f), high = _mm512_or_si512(masked(c, 15), bits_at<2>(a, 0x30));
        minima[0] = masked(b, 0x3f);
        minima[1] = _mm512_or_si512(bits_at<4>(c, 15), bits_at<2>(b, 0x30));
        const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        _mm512_store_si512(scales, _mm512_permutex2var_epi32(low, first, high));
        _mm512_store_si512(
            scales + 8, _mm512_permutex2var_epi32(low, _mm512_add_epi32(first, _mm512_set1_epi32(8)), high));
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t i, const int8_t* a,
                                                   const int16_t*) const {
        return products_with_bytes<B>(block, a, _mm512_set1_epi64(int64_t(scales[i])));
    }
    [[gnu::always_inline]] inline __m512i correction(const int32_t* sums, uint32_t stride) const {
        return dot_bytes(dot_bytes(ints::zero(), minima[0], sums, stride), minima[1], sums + 2 * stride,
                         stride);
    }
    [[gnu::always_inline]] static inline void pair_sums(const Activations256& a, int32_t* out,
                                                        uint32_t stride) {
        pairs_for_bytes<8>(a.sums_of_32, out, stride);
    }
};
template <>
struct LaneHeader<Block256<TensorType::Q4_K>> : LaneHeaderOfSixBits<Block256<TensorType::Q4_K>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : LaneHeaderOfSixBits(blocks) {}
};
template <>
struct LaneHeader<Block256<TensorType::Q5_K>> : LaneHeaderOfSixBits<Block256<TensorType::Q5_K>> {
    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) : LaneHeaderOfSixBits(blocks) {}
};

template <>
struct LaneHeader<Block256<TensorType::Q2_K>> {
    typedef Block256<TensorType::Q2_K> B;
    __m512 d, dmin;
    FourDwords both;  // scales in the low halves of bytes, minima in the high ones

    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks)
        : both(dwords_of_blocks<B::bytes, 0>(blocks)) {
        const __m512i halves = dwords_of_blocks<B::bytes, 68>(blocks).at[3];
        d = low_halves(halves);
        dmin = high_halves(halves);
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t*) const {
        const __m512i scales =
            _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block)));
        return products_with_bytes<B>(block, a, masked(scales, 15));
    }
    [[gnu::always_inline]] inline __m512i correction(const int32_t* sums, uint32_t stride) const {
        __m512i acc = ints::zero();
        lanes::unrolled<4>([&](auto i) __attribute__((always_inline)) {
            acc = dot_bytes(acc, bits_at<4>(both.at[i], 15), sums + uint32_t(i) * 2 * stride, stride);
        });
        return acc;
    }
    [[gnu::always_inline]] static inline void pair_sums(const Activations256& a, int32_t* out,
                                                        uint32_t stride) {
        pairs_for_bytes<16>(a.sums, out, stride);
    }
};

/// Types without minima.
struct NoMinima {
    __m512 d, dmin = _mm512_setzero_ps();
    [[gnu::always_inline]] inline __m512i correction(const int32_t*, uint32_t) const { return ints::zero(); }
    [[gnu::always_inline]] static inline void pair_sums(const Activations256&, int32_t*, uint32_t) {}
};

/// Twelve bytes of 6-bit scales at 96, d behind them.
template <>
struct LaneHeader<Block256<TensorType::Q3_K>> : NoMinima {
    typedef Block256<TensorType::Q3_K> B;
    alignas(64) int8_t scales[4][4][16];  // block 4 c + r at [r][c]

    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 94>(blocks);  // two bytes of weights first
        const auto dword = [&](int i) __attribute__((always_inline)) {
            return _mm512_or_si512(_mm512_srli_epi32(h.at[i], 16), _mm512_slli_epi32(h.at[i + 1], 16));
        };
        const __m512i a = dword(0), b = dword(1), c = dword(2);
        d = high_halves(h.at[3]);
        const auto scale = [](__m512i low, __m512i high) __attribute__((always_inline)) {
            return _mm512_sub_epi8(_mm512_or_si512(low, high), each_byte(32));
        };
        const __m512i s0 = scale(masked(a, 15), bits_at<-4>(c, 0x30)),
                      s1 = scale(masked(b, 15), bits_at<-2>(c, 0x30)),
                      s2 = scale(bits_at<4>(a, 15), bits_at<0>(c, 0x30)),
                      s3 = scale(bits_at<4>(b, 15), bits_at<2>(c, 0x30));
        const __m512i t0 = _mm512_unpacklo_epi32(s0, s1), t1 = _mm512_unpackhi_epi32(s0, s1),
                      t2 = _mm512_unpacklo_epi32(s2, s3), t3 = _mm512_unpackhi_epi32(s2, s3);
        _mm512_store_si512(scales[0], _mm512_unpacklo_epi64(t0, t2));
        _mm512_store_si512(scales[1], _mm512_unpackhi_epi64(t0, t2));
        _mm512_store_si512(scales[2], _mm512_unpacklo_epi64(t1, t3));
        _mm512_store_si512(scales[3], _mm512_unpackhi_epi64(t1, t3));
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t i, const int8_t* a,
                                                   const int16_t* sums) const {
        const auto* s = reinterpret_cast<const __m128i*>(scales[i % 4][i / 4]);
        return products_with_words<B, 2>(block, a, sums, _mm256_cvtepi8_epi16(_mm_load_si128(s)));
    }
};

template <>
struct LaneHeader<Block256<TensorType::Q6_K>> : NoMinima {
    typedef Block256<TensorType::Q6_K> B;

    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) {
        d = high_halves(dwords_of_blocks<B::bytes, 194>(blocks).at[3]);
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t, const int8_t* a,
                                                   const int16_t* sums) const {
        const auto* s = reinterpret_cast<const __m128i*>(block + 192);
        return products_with_words<B, 5>(block, a, sums, _mm256_cvtepi8_epi16(_mm_loadu_si128(s)));
    }
};

/// d, then 6-bit scales of groups of 32: their upper bits, their lower ones.
template <>
struct LaneHeader<Block256<TensorType::IQ4_XS>> {
    typedef Block256<TensorType::IQ4_XS> B;
    __m512 d, dmin = _mm512_setzero_ps();
    __m512i even, odd;  // groups 0, 2, 4, 6 and 1, 3, 5, 7: scales + 32
    alignas(64) uint64_t scales[16];

    [[gnu::always_inline]] inline LaneHeader(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 0>(blocks);
        const __m512i low = h.at[1], high = _mm512_srli_epi32(h.at[0], 16);
        d = low_halves(h.at[0]);
        // Two bits of each group: those of group g lie at 2 g, and belong at 4 of byte g / 2.
        const auto upper = [&](int down_to_group) __attribute__((always_inline)) {
            const __m512i v = _mm512_srli_epi32(high, unsigned(down_to_group));
            const auto bits = [&](unsigned up, int32_t mask) __attribute__((always_inline)) {
                return _mm512_and_si512(_mm512_slli_epi32(v, up), _mm512_set1_epi32(mask));
            };
            return _mm512_or_si512(_mm512_or_si512(bits(4, 0x30), bits(8, 0x3000)),
                                   _mm512_or_si512(bits(12, 0x300000), bits(16, 0x30000000)));
        };
        even = _mm512_or_si512(masked(low, 15), upper(0));
        odd = _mm512_or_si512(bits_at<4>(low, 15), upper(2));
        const __m512i e = _mm512_sub_epi8(even, each_byte(32)), o = _mm512_sub_epi8(odd, each_byte(32));
        const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        _mm512_store_si512(scales, _mm512_permutex2var_epi32(e, first, o));
        _mm512_store_si512(scales + 8,
                           _mm512_permutex2var_epi32(e, _mm512_add_epi32(first, _mm512_set1_epi32(8)), o));
    }
    [[gnu::always_inline]] inline __m512i products(const uint8_t* block, uint32_t i, const int8_t* a,
                                                   const int16_t*) const {
        __m512i q[4], acc = ints::zero();
        WideUnpack<B>::unpack(block, q);
        // Groups 0, 2, 4, 6, 1, 3, 5, 7.
        const __m512i each =
            _mm512_castsi256_si512(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(int64_t(scales[i]))));
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            const __m512i of_groups = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4);
            const __m512i scale =
                _mm512_permutexvar_epi32(_mm512_add_epi32(of_groups, _mm512_set1_epi32(j)), each);
            const __m512i dot = ints::dot4(ints::zero(), ints::unsigned_of(q[j]), ints::load(a + 64 * j));
            acc = ints::add(acc, ints::multiply(dot, scale));
        });
        return acc;
    }
    /// Of scales + 32, and what the 32 are too much.
    [[gnu::always_inline]] inline __m512i correction(const int32_t* sums, uint32_t stride) const {
        const __m512i all = ints::load(sums + 4 * stride);
        return ints::subtract(
            dot_bytes(dot_bytes(ints::zero(), even, sums, stride), odd, sums + 2 * stride, stride),
            _mm512_slli_epi32(all, 5));
    }
    [[gnu::always_inline]] static inline void pair_sums(const Activations256& a, int32_t* out,
                                                        uint32_t stride) {
        const int16_t* s = a.sums_of_32;
        const int16_t apart[8] = {s[0], s[2], s[4], s[6], s[1], s[3], s[5], s[7]};
        pairs_for_bytes<8>(apart, out, stride);
        int32_t all = 0;
        for (int g = 0; g < 8; ++g) all += s[g];
        out[4 * stride] = all;
    }
};

}  // namespace sluice::portable
