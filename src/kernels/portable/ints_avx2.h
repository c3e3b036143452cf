// ints.h for AVX2, with or without VNNI: eight lanes. Included by ints.h alone.
#pragma once

#include <cstdint>

#include <immintrin.h>

namespace sluice::ints {

typedef __m256i Ints;
typedef __m256 Reals;
inline constexpr int lanes = 8;

SLUICE_INTS Ints load(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
SLUICE_INTS void store(void* p, Ints v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v);
}
SLUICE_INTS Ints zero() {
    return _mm256_setzero_si256();
}
SLUICE_INTS Ints all(int32_t x) {
    return _mm256_set1_epi32(x);
}
SLUICE_INTS Ints add(Ints a, Ints b) {
    return _mm256_add_epi32(a, b);
}
SLUICE_INTS Ints subtract(Ints a, Ints b) {
    return _mm256_sub_epi32(a, b);
}
SLUICE_INTS Ints multiply(Ints a, Ints b) {
    return _mm256_mullo_epi32(a, b);
}
/// Sums of two products of unsigned u (below 128) and signed s: 16 bits each.
SLUICE_INTS Ints pairs(Ints u, Ints s) {
    return _mm256_maddubs_epi16(u, s);
}
#if defined(__AVXVNNI__)

/// acc + two products of signed 16-bit numbers.
SLUICE_INTS Ints dot2(Ints acc, Ints a, Ints b) {
    return _mm256_dpwssd_avx_epi32(acc, a, b);
}
/// acc + four products of unsigned u and signed s.
SLUICE_INTS Ints dot4(Ints acc, Ints u, Ints s) {
    return _mm256_dpbusd_avx_epi32(acc, u, s);
}
/// Signed weights of 8 bits go through dot4 with 128 added; what that adds to a sum is 128 times the sum of
/// s.
inline constexpr int wide_zero = 128;
SLUICE_INTS Ints unsigned_of(Ints w) {
    return _mm256_xor_si256(w, _mm256_set1_epi8(-128));
}
SLUICE_INTS Ints dot4_wide(Ints acc, Ints unsigned_w, Ints s) {
    return dot4(acc, unsigned_w, s);
}

#else

/// Sums of 16-bit numbers.
SLUICE_INTS Ints add16(Ints a, Ints b) {
    // As an instruction of its own: g++ makes trees of sums, which do not fit the registers.
    asm("vpaddw %1, %0, %0" : "+x"(a) : "x"(b));
    return a;
}
/// acc + two products of signed 16-bit numbers.
SLUICE_INTS Ints dot2(Ints acc, Ints a, Ints b) {
    return add(acc, _mm256_madd_epi16(a, b));
}
/// acc + four products of unsigned u (below 128) and signed s.
SLUICE_INTS Ints dot4(Ints acc, Ints u, Ints s) {
    return dot2(acc, pairs(u, s), _mm256_set1_epi16(1));
}
/// Signed weights of 8 bits: magnitudes times s with the weights' signs.
inline constexpr int wide_zero = 0;
SLUICE_INTS Ints unsigned_of(Ints w) {
    return w;
}
SLUICE_INTS Ints pairs_wide(Ints w, Ints s) {
    return pairs(_mm256_abs_epi8(w), _mm256_sign_epi8(s, w));
}
SLUICE_INTS Ints dot4_wide(Ints acc, Ints w, Ints s) {
    return dot2(acc, pairs_wide(w, s), _mm256_set1_epi16(1));
}

#endif

/// The scales of 16 weights each: those with even numbers in the lower half, the others in the upper one.
struct Scales {
    __m256i v;
};
SLUICE_INTS Scales load_scales(const int16_t* sixteen) {
    const __m256i apart = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5,
                                           8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return {_mm256_permute4x64_epi64(_mm256_shuffle_epi8(load(sixteen), apart), 0xd8)};
}
/// For the i-th vector of weights, for sums of two products.
SLUICE_INTS Ints scales16(Scales s, int i) {
    return _mm256_shuffle_epi8(s.v, _mm256_set1_epi16(int16_t(2 * i | (2 * i + 1) << 8)));
}
/// … and as 32-bit numbers for sums of four.
SLUICE_INTS Ints scales32(Scales s, int i) {
    return _mm256_srai_epi32(scales16(s, i), 16);
}
/// acc + the products of the i-th vector of weights, scaled.
SLUICE_INTS Ints dot_scaled(Ints acc, Ints u, Ints s, Scales scales, int i) {
    return dot2(acc, pairs(u, s), scales16(scales, i));
}
SLUICE_INTS Ints dot_scaled_wide(Ints acc, Ints w, Ints s, Scales scales, int i) {
#if defined(__AVXVNNI__)
    return add(acc, multiply(dot4_wide(zero(), unsigned_of(w), s), scales32(scales, i)));
#else
    return dot2(acc, pairs_wide(w, s), scales16(scales, i));
#endif
}
/// Eight sums of two products: 16-bit numbers a and b, sixteen of each.
SLUICE_INTS void store_products_of_sixteen(int32_t* out, const int16_t* a, const int16_t* b) {
    const auto sixteen = [](const int16_t* p) __attribute__((always_inline)) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    };
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_madd_epi16(sixteen(a), sixteen(b)));
}

SLUICE_INTS Ints sums_of_two(Ints a, Ints b) {
    return add(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}
SLUICE_INTS Ints sums_of_four(Ints a, Ints b) {
    return add(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}
SLUICE_INTS Ints half_row_sums(const Ints* r) {
    return sums_of_four(sums_of_two(load(r), load(r + 1)), sums_of_two(load(r + 2), load(r + 3)));
}
/// Lane i: the sum of the lanes of r[i].
SLUICE_INTS Ints sums(const Ints* r) {
    const Ints a = half_row_sums(r), b = half_row_sums(r + 4);
    return add(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}
SLUICE_INTS int32_t* place_of_eight(int32_t* buffer, int i) {
    return buffer + 8 * i;
}
SLUICE_INTS Ints sums_of_eights(const Ints* buffer) {
    return sums(buffer);
}

/// out[k] lane r = in[r] lane k.
SLUICE_INTS void transpose(const Ints* in, Ints* out) {
    Ints a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi32(in[i], in[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32(in[i], in[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    for (int c = 0; c < 4; ++c) {
        out[c] = _mm256_permute2x128_si256(b[c], b[c + 4], 0x20);
        out[c + 4] = _mm256_permute2x128_si256(b[c], b[c + 4], 0x31);
    }
}
/// Eight dwords of each of as many rows, row(r): out[k] lane r = dword k of row r.
template <typename Row>
SLUICE_INTS void turn_eight(const Row& row, Ints* out) {
    Ints in[lanes];
    for (int i = 0; i < lanes; ++i) in[i] = load(row(i));
    transpose(in, out);
}

SLUICE_INTS Reals load_reals(const float* p) {
    return _mm256_loadu_ps(p);
}
/// The half-precision numbers in the low or high halves of the lanes.
SLUICE_INTS Reals low_halves(Ints v) {
    const __m256i halves =
        _mm256_shuffle_epi8(v, _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, 0,
                                                1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1));
    return _mm256_cvtph_ps(_mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0x08)));
}
SLUICE_INTS Reals high_halves(Ints v) {
    return low_halves(_mm256_srli_epi32(v, 16));
}
SLUICE_INTS void store_reals(float* p, Reals v) {
    _mm256_storeu_ps(p, v);
}
SLUICE_INTS Reals all_reals(float x) {
    return _mm256_set1_ps(x);
}
SLUICE_INTS Reals to_reals(Ints v) {
    return _mm256_cvtepi32_ps(v);
}
SLUICE_INTS Reals times(Reals a, Reals b) {
    return _mm256_mul_ps(a, b);
}
/// acc + a * b, rounded once.
SLUICE_INTS Reals fused(Reals acc, Reals a, Reals b) {
    return _mm256_fmadd_ps(a, b, acc);
}
/// acc - a * b, rounded once.
SLUICE_INTS Reals fused_less(Reals acc, Reals a, Reals b) {
    return _mm256_fnmadd_ps(a, b, acc);
}

}  // namespace sluice::ints
