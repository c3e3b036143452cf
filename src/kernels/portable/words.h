// Vectors of pairs of signed 16-bit numbers, a pair in each 32-bit lane, of the machine's width: what integer
// attention is made of. Products are summed exactly.
#pragma once

#include <cstddef>

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/portable/lanes.h"
#include "quant/floats.h"

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
#if defined(__AVX512F__)
    return Words(_mm512_mask_mov_epi16(__m512i(low), 0xaaaaaaaa, __m512i(high << 16)));
#elif defined(__AVX2__)
    return Words(_mm256_blend_epi16(__m256i(low), __m256i(high << 16), 0xaa));
#else
    return (low & 0xffff) | (high << 16);
#endif
}

/// Halves as floats, as many as a vector has lanes.
SLUICE_WORDS NativeFloats from_halves(const std::byte* p) {
#if defined(__AVX512F__)
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
    uint16x4_t halves;
    __builtin_memcpy(&halves, p, sizeof halves);
    return vcvt_f32_f16(vreinterpret_f16_u16(halves));
#else
    NativeFloats v;
    for (uint32_t i = 0; i < width; ++i)
        v[i] = float_from_half(load_u16(reinterpret_cast<const uint8_t*>(p) + 2 * i));
    return v;
#endif
}

SLUICE_WORDS NativeFloats to_floats(Words v) {
    return __builtin_convertvector(v, NativeFloats);
}

/// Pairs of lanes (of 32 or 64 bits) from the low or the high half of each 128 bits.
#if defined(__AVX512F__)
SLUICE_WORDS Words low32(Words a, Words b) {
    return Words(_mm512_unpacklo_epi32(__m512i(a), __m512i(b)));
}
SLUICE_WORDS Words high32(Words a, Words b) {
    return Words(_mm512_unpackhi_epi32(__m512i(a), __m512i(b)));
}
SLUICE_WORDS Words low64(Words a, Words b) {
    return Words(_mm512_unpacklo_epi64(__m512i(a), __m512i(b)));
}
SLUICE_WORDS Words high64(Words a, Words b) {
    return Words(_mm512_unpackhi_epi64(__m512i(a), __m512i(b)));
}
#elif defined(__AVX2__)
SLUICE_WORDS Words low32(Words a, Words b) {
    return Words(_mm256_unpacklo_epi32(__m256i(a), __m256i(b)));
}
SLUICE_WORDS Words high32(Words a, Words b) {
    return Words(_mm256_unpackhi_epi32(__m256i(a), __m256i(b)));
}
SLUICE_WORDS Words low64(Words a, Words b) {
    return Words(_mm256_unpacklo_epi64(__m256i(a), __m256i(b)));
}
SLUICE_WORDS Words high64(Words a, Words b) {
    return Words(_mm256_unpackhi_epi64(__m256i(a), __m256i(b)));
}
#endif

/// v[c][r] = v[r][c]
SLUICE_WORDS void transpose(Words (&v)[width]) {
#if defined(__AVX2__)
    // Within 128 bits: four rows and four columns at a time.
    lanes::unrolled<int(width / 4)>([&](auto i) __attribute__((always_inline)) {
        constexpr int r = 4 * decltype(i)::value;
        const Words a = low32(v[r], v[r + 1]), b = low32(v[r + 2], v[r + 3]);
        const Words c = high32(v[r], v[r + 1]), d = high32(v[r + 2], v[r + 3]);
        v[r] = low64(a, b);
        v[r + 1] = high64(a, b);
        v[r + 2] = low64(c, d);
        v[r + 3] = high64(c, d);
    });
    // v[4 i + j] now has, in its 128 bits k, rows 4 i … 4 i + 3 of column 4 k + j.
    lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
#if defined(__AVX512F__)
        const auto quarters = [](Words a, Words b, auto which) __attribute__((always_inline)) {
            return Words(_mm512_shuffle_i32x4(__m512i(a), __m512i(b), decltype(which)::value));
        };
        constexpr lanes::Index<0x88> even;
        constexpr lanes::Index<0xdd> odd;
        const Words a = quarters(v[j], v[j + 4], even), b = quarters(v[j + 8], v[j + 12], even);
        const Words c = quarters(v[j], v[j + 4], odd), d = quarters(v[j + 8], v[j + 12], odd);
        v[j] = quarters(a, b, even);
        v[j + 4] = quarters(c, d, even);
        v[j + 8] = quarters(a, b, odd);
        v[j + 12] = quarters(c, d, odd);
#else
        const __m256i a = __m256i(v[j]), b = __m256i(v[j + 4]);
        v[j] = Words(_mm256_permute2x128_si256(a, b, 0x20));
        v[j + 4] = Words(_mm256_permute2x128_si256(a, b, 0x31));
#endif
    });
#else
    for (uint32_t r = 0; r < width; ++r)
        for (uint32_t c = 0; c < r; ++c) {
            const int32_t kept = v[r][c];
            v[r][c] = v[c][r];
            v[c][r] = kept;
        }
#endif
}

#undef SLUICE_WORDS

}  // namespace sluice::words
