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

/// q: as Unpacked256::q, 64 weights each. Types without an entry are put together from halves.
template <typename B>
struct WideUnpack {
    static constexpr bool exists = false;
};

template <>
struct WideUnpack<Block256<TensorType::Q4_K>> {
    static constexpr bool exists = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            q[j] = masked(upper_shifted(b + 16 + 32 * j, 4), 15);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q5_K>> {
    static constexpr bool exists = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        const __m512i high = upper_shifted(b + 16, 1);
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            q[j] = masked(bits_from(15, upper_shifted(b + 48 + 32 * j, 4), moved<2 * j - 4>(high)), 31);
        });
    }
};

template <>
struct WideUnpack<Block256<TensorType::Q2_K>> {
    static constexpr bool exists = true;
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
    static constexpr bool exists = true;
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
    static constexpr bool exists = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, __m512i (&q)[4]) {
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const __m512i low = _mm512_loadu_si512(b + 64 * half),
                          high = upper_shifted(b + 128 + 32 * half, 2);
            q[2 * half] = masked(bits_from(15, low, moved<-4>(high)), 63);
            q[2 * half + 1] = masked(bits_from(15, moved<4>(low), high), 63);
        });
    }
};

}  // namespace sluice::portable
