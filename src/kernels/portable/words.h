// Vectors of pairs of signed 16-bit numbers, a pair in each 32-bit lane, of the machine's width: what integer
// attention is made of. Products are summed exactly.
#pragma once

#include "kernels/portable/lanes.h"

namespace sluice::words {

#define SLUICE_WORDS [[gnu::always_inline]] static inline

using lanes::NativeFloats;
typedef lanes::NativeInts Words;
inline constexpr uint32_t width = lanes::native_width;
typedef int16_t Halves __attribute__((vector_size(lanes::native_bytes / 2)));

SLUICE_WORDS Words load(const int32_t* p) {
    Words v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
SLUICE_WORDS void store(int32_t* p, Words v) {
    __builtin_memcpy(p, &v, sizeof v);
}
/// The pair at p in all lanes.
SLUICE_WORDS Words everywhere(const int32_t* p) {
    return *p - Words{};
}

/// acc + a.low * b.low + a.high * b.high, in each lane.
SLUICE_WORDS Words dot2(Words acc, Words a, Words b) {
#if defined(__AVX512VNNI__)
    return Words(_mm512_dpwssd_epi32(__m512i(acc), __m512i(a), __m512i(b)));
#elif defined(__AVXVNNI__)
    return Words(_mm256_dpwssd_avx_epi32(__m256i(acc), __m256i(a), __m256i(b)));
#elif defined(__AVX2__)
    return acc + Words(_mm256_madd_epi16(__m256i(a), __m256i(b)));
#else
    return acc + (a >> 16) * (b >> 16) + (a << 16 >> 16) * (b << 16 >> 16);
#endif
}

/// x * scale, rounded to the nearest integer, in the low half of each lane; what is above is undefined. The
/// product must lie within 16 bits.
SLUICE_WORDS Words rounded(NativeFloats x, NativeFloats scale) {
    const NativeFloats shifted =
        lanes::fused(NativeFloats{} + 12582912.0f, x, scale);  // 1.5 * 2^23: adding it rounds
    Words bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    return bits;
}
/// The low halves of two vectors, paired.
SLUICE_WORDS Words joined(Words low, Words high) {
    return (low & 0xffff) | (high << 16);
}

SLUICE_WORDS NativeFloats to_floats(Words v) {
    return __builtin_convertvector(v, NativeFloats);
}

/// out[c][r] = in[r][c] for a square of `width` rows and columns of pairs.
SLUICE_WORDS void transpose(const int32_t* in, uint64_t in_stride, int32_t* out, uint64_t out_stride) {
#if defined(__AVX2__)
    // Four columns at a time: 128 bits of every fourth row in a vector, which are then turned 4 by 4.
    for (uint32_t c = 0; c < width; c += 4) {
        Words x[4];
        lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) {
            const auto four = [&](uint32_t j) __attribute__((always_inline)) {
                return _mm_loadu_si128(
                    reinterpret_cast<const __m128i*>(in + (4 * j + uint32_t(r)) * in_stride + c));
            };
#if defined(__AVX512F__)
            __m512i v = _mm512_castsi128_si512(four(0));
            v = _mm512_inserti32x4(v, four(1), 1);
            v = _mm512_inserti32x4(v, four(2), 2);
            x[r] = Words(_mm512_inserti32x4(v, four(3), 3));
#else
            x[r] = Words(_mm256_inserti128_si256(_mm256_castsi128_si256(four(0)), four(1), 1));
#endif
        });
#if defined(__AVX512F__)
        const auto low32 = [](Words a, Words b) __attribute__((always_inline)) {
            return _mm512_unpacklo_epi32(__m512i(a), __m512i(b));
        };
        const auto high32 = [](Words a, Words b) __attribute__((always_inline)) {
            return _mm512_unpackhi_epi32(__m512i(a), __m512i(b));
        };
        const auto low64 = [](__m512i a, __m512i b) __attribute__((always_inline)) {
            return Words(_mm512_unpacklo_epi64(a, b));
        };
        const auto high64 = [](__m512i a, __m512i b) __attribute__((always_inline)) {
            return Words(_mm512_unpackhi_epi64(a, b));
        };
#else
        const auto low32 = [](Words a, Words b) __attribute__((always_inline)) {
            return _mm256_unpacklo_epi32(__m256i(a), __m256i(b));
        };
        const auto high32 = [](Words a, Words b) __attribute__((always_inline)) {
            return _mm256_unpackhi_epi32(__m256i(a), __m256i(b));
        };
        const auto low64 = [](__m256i a, __m256i b) __attribute__((always_inline)) {
            return Words(_mm256_unpacklo_epi64(a, b));
        };
        const auto high64 = [](__m256i a, __m256i b) __attribute__((always_inline)) {
            return Words(_mm256_unpackhi_epi64(a, b));
        };
#endif
        const auto a = low32(x[0], x[1]), b = low32(x[2], x[3]);
        const auto d = high32(x[0], x[1]), e = high32(x[2], x[3]);
        store(out + c * out_stride, low64(a, b));
        store(out + (c + 1) * out_stride, high64(a, b));
        store(out + (c + 2) * out_stride, low64(d, e));
        store(out + (c + 3) * out_stride, high64(d, e));
    }
#else
    for (uint32_t r = 0; r < width; ++r)
        for (uint32_t c = 0; c < width; ++c) out[c * out_stride + r] = in[r * in_stride + c];
#endif
}

#undef SLUICE_WORDS

}  // namespace sluice::words
