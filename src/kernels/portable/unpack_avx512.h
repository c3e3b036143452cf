// The weights of some blocks straight into vectors of 64: a broadcast of 32 packed bytes, whose upper half is
// shifted, instead of two halves put together. Included by products.h alone.
#pragma once

#include "kernels/portable/unpack.h"

namespace sluice::portable {

/// 32 bytes twice, the second time with 16-bit words shifted right.
[[gnu::always_inline]] static inline __m512i upper_shifted(const uint8_t* p, int shift) {
    const __m512i v = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_mask_srli_epi16(v, 0xffff0000u, v, unsigned(shift));
}
[[gnu::always_inline]] static inline __m512i masked(__m512i v, int8_t mask) {
    return _mm512_and_si512(v, _mm512_set1_epi8(mask));
}
/// Bits of a where the mask has ones, else of b.
[[gnu::always_inline]] static inline __m512i bits_from(int8_t mask, __m512i a, __m512i b) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi8(mask), a, b, 0xca);
}
/// Shifted right by `by`, left if it is negative.
template <int By>
[[gnu::always_inline]] static inline __m512i moved(__m512i v) {
    if constexpr (By > 0)
        return _mm512_srli_epi16(v, By);
    else if constexpr (By < 0)
        return _mm512_slli_epi16(v, -By);
    else
        return v;
}

/// Sixteen bytes, the same shifted right by 4, and the same of sixteen others: low halves of their bytes.
[[gnu::always_inline]] static inline __m512i nibbles_of_two(const uint8_t* first, const uint8_t* second) {
    const auto at = [](const uint8_t* p) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    };
    const __m512i v = _mm512_mask_broadcast_i32x4(_mm512_broadcast_i32x4(at(first)), 0xff00, at(second));
    return masked(_mm512_mask_srli_epi16(v, 0xff00ff00u, v, 4), 15);
}
/// Values of a code book of bytes.
[[gnu::always_inline]] static inline __m512i looked_up(const int8_t* book, __m512i indices) {
    return _mm512_shuffle_epi8(
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(book))), indices);
}

/// Weights of two blocks of 32 as dot4 takes them: unsigned, wide ones with wide_zero added.
template <typename B>
[[gnu::always_inline]] static inline __m512i weights_of_two(const uint8_t* first, const uint8_t* second) {
    constexpr bool q4_0 = B::bytes == 18 && !B::wide, q4_1 = B::bytes == 20,
                   q5 = B::bytes == 22 || B::bytes == 24;
    if constexpr (q4_0 || q4_1) {
        return nibbles_of_two(first + B::bytes - 16, second + B::bytes - 16);
    } else if constexpr (q5) {
        const __m512i low = nibbles_of_two(first + B::bytes - 16, second + B::bytes - 16);
        const uint64_t high = load_u32(first + B::bytes - 20) | uint64_t(load_u32(second + B::bytes - 20))
                                                                    << 32;
        return _mm512_mask_add_epi8(low, high, low, _mm512_set1_epi8(16));
    } else if constexpr (B::bytes == 18) {  // IQ4_NL
        return ints::unsigned_of(looked_up(quant::kvalues_iq4nl, nibbles_of_two(first + 2, second + 2)));
    } else if constexpr (B::bytes == 17) {  // MXFP4
        return looked_up(mxfp4_book, nibbles_of_two(first + 1, second + 1));
    } else {  // Q8_0
        return ints::unsigned_of(_mm512_inserti64x4(_mm512_castsi256_si512(__m256i(B::weights(first))),
                                                    __m256i(B::weights(second)), 1));
    }
}

/// q: as Unpacked256::q, 64 weights each.
template <typename B>
struct WideUnpack;

template <>
struct WideUnpack<Block256<TensorType::Q4_K>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            q[j] = masked(upper_shifted(b + 16 + 32 * j, 4), 15);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q5_K>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        const __m512i high = upper_shifted(b + 16, 1);
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            q[j] = masked(bits_from(15, upper_shifted(b + 48 + 32 * j, 4), moved<2 * j - 4>(high)), 31);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q2_K>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const __m512i v = upper_shifted(b + 16 + 32 * half, 2);
            q[2 * half] = masked(v, 3);
            q[2 * half + 1] = masked(moved<4>(v), 3);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q3_K>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        const __m512i high = upper_shifted(b, 1);
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const __m512i v = upper_shifted(b + 32 + 32 * half, 2);
            q[2 * half] = masked(bits_from(3, v, moved<4 * half - 2>(high)), 7);
            q[2 * half + 1] = masked(bits_from(3, moved<4>(v), moved<4 * half>(high)), 7);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q6_K>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const __m512i low = _mm512_loadu_si512(b + 64 * half),
                          high = upper_shifted(b + 128 + 32 * half, 2);
            q[2 * half] = masked(bits_from(15, low, moved<-4>(high)), 63);
            q[2 * half + 1] = masked(bits_from(15, moved<4>(low), high), 63);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::IQ4_XS>> {
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            q[j] = looked_up(quant::kvalues_iq4nl, nibbles_of_two(b + 8 + 32 * j, b + 24 + 32 * j));
        });
    }
};

}  // namespace sluice::portable
