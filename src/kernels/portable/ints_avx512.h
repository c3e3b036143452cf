// ints.h for AVX-512 with VNNI: sixteen lanes. Included by ints.h alone.
#pragma once

#include <cstdint>

#include <immintrin.h>

namespace sluice::ints {

typedef __m512i Ints;
typedef __m512 Reals;
inline constexpr int lanes = 16;

SLUICE_INTS Ints load(const void* p) {
    return _mm512_loadu_si512(p);
}
/// 32 bytes of each.
SLUICE_INTS Ints load_halves(const void* low, const void* high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256(static_cast<const __m256i*>(low))),
                              _mm256_loadu_si256(static_cast<const __m256i*>(high)), 1);
}
SLUICE_INTS void store(void* p, Ints v) {
    _mm512_storeu_si512(p, v);
}
SLUICE_INTS Ints zero() {
    return _mm512_setzero_si512();
}
SLUICE_INTS Ints all(int32_t x) {
    return _mm512_set1_epi32(x);
}
SLUICE_INTS Ints add(Ints a, Ints b) {
    return _mm512_add_epi32(a, b);
}
SLUICE_INTS Ints subtract(Ints a, Ints b) {
    return _mm512_sub_epi32(a, b);
}
SLUICE_INTS Ints multiply(Ints a, Ints b) {
    return _mm512_mullo_epi32(a, b);
}
/// acc + four products of unsigned u (below 128 unless the machine has an instruction for it) and signed s.
SLUICE_INTS Ints dot4(Ints acc, Ints u, Ints s) {
    // As an instruction of its own: g++ copies the accumulator before and after the built-in one.
    asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(u), "v"(s));
    return acc;
}
/// acc + two products of signed 16-bit numbers.
SLUICE_INTS Ints dot2(Ints acc, Ints a, Ints b) {
    asm("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
    return acc;
}
/// Sums of two products of unsigned u (below 128) and signed s: 16 bits each.
SLUICE_INTS Ints pairs(Ints u, Ints s) {
    return _mm512_maddubs_epi16(u, s);
}
/// Signed weights of 8 bits go through dot4 with 128 added; what that adds to a sum is 128 times the sum of
/// s.
inline constexpr int wide_zero = 128;
SLUICE_INTS Ints unsigned_of(Ints w) {
    return _mm512_xor_si512(w, _mm512_set1_epi8(-128));
}
SLUICE_INTS Ints dot4_wide(Ints acc, Ints unsigned_w, Ints s) {
    return dot4(acc, unsigned_w, s);
}

/// The scales of 16 weights each, for the i-th vector of weights: as 16-bit numbers for sums of two products…
struct Scales {
    __m512i v;
};
SLUICE_INTS Scales load_scales(const int16_t* sixteen) {
    return {_mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(sixteen)))};
}
SLUICE_INTS Ints scales16(Scales s, int i) {
    const __m512i first = _mm512_set_epi64(0x0003000300030003, 0x0003000300030003, 0x0002000200020002,
                                           0x0002000200020002, 0x0001000100010001, 0x0001000100010001, 0, 0);
    return _mm512_permutexvar_epi16(_mm512_add_epi16(first, _mm512_set1_epi16(int16_t(4 * i))), s.v);
}
/// acc + the products of the i-th vector of weights, scaled.
SLUICE_INTS Ints dot_scaled(Ints acc, Ints u, Ints s, Scales scales, int i) {
    return dot2(acc, pairs(u, s), scales16(scales, i));
}
SLUICE_INTS Ints sums_of_two(Ints a, Ints b) {
    return add(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}
SLUICE_INTS Ints sums_of_four(Ints a, Ints b) {
    return add(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}
/// In each quarter: the sums of that quarter of r[0], r[1], r[2], r[3].
SLUICE_INTS Ints quarter_sums(const Ints* r) {
    return sums_of_four(sums_of_two(load(r), load(r + 1)), sums_of_two(load(r + 2), load(r + 3)));
}
SLUICE_INTS Ints add_neighbours(Ints a, Ints b) {
    return add(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}
/// Lane i: the sum of the lanes of r[i].
SLUICE_INTS Ints sums(const Ints* r) {
    return add_neighbours(add_neighbours(quarter_sums(r), quarter_sums(r + 4)),
                          add_neighbours(quarter_sums(r + 8), quarter_sums(r + 12)));
}
/// The sums of both halves of r[0], r[1], … r[7], in that order.
SLUICE_INTS Ints sums_of_eight_halves(const Ints* r) {
    const Ints order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    return _mm512_permutexvar_epi32(order, add_neighbours(quarter_sums(r), quarter_sums(r + 4)));
}
/// The same of sixteen.
SLUICE_INTS void sums_of_halves(const Ints* r, Ints* out) {
    out[0] = sums_of_eight_halves(r);
    out[1] = sums_of_eight_halves(r + 8);
}
/// Four dwords of each of 16 rows and so on: out[k] lane r = in[r] lane k.
SLUICE_INTS void transpose(const Ints* in, Ints* out) {
    Ints a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {  // b[i + c]: column c of each quarter, rows i..i+3
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    for (int c = 0; c < 4; ++c) {
        const Ints even_low = _mm512_shuffle_i32x4(b[c], b[c + 4], 0x88),  // quarters 0, 2 of rows 0-7
            odd_low = _mm512_shuffle_i32x4(b[c], b[c + 4], 0xdd),          // quarters 1, 3
            even_high = _mm512_shuffle_i32x4(b[c + 8], b[c + 12], 0x88),   // of rows 8-15
            odd_high = _mm512_shuffle_i32x4(b[c + 8], b[c + 12], 0xdd);
        out[c] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        out[c + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        out[c + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        out[c + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

/// Eight dwords of each of 16 rows, row(r): out[k] lane r = dword k of row r.
template <typename Row>
SLUICE_INTS void turn_eight(const Row& row, Ints* out) {
    Ints v[8], a[8];
    for (int i = 0; i < 8; ++i) v[i] = load_halves(row(i % 4 + 8 * (i / 4)), row(i % 4 + 8 * (i / 4) + 4));
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int c = 0; c < 4; ++c) {  // columns c and c + 4 of four rows in each quarter
        const auto four = [&](int i) __attribute__((always_inline)) {
            return c % 2 ? _mm512_unpackhi_epi64(a[i + c / 2], a[i + 2 + c / 2])
                         : _mm512_unpacklo_epi64(a[i + c / 2], a[i + 2 + c / 2]);
        };
        const Ints low = four(0), high = four(4);
        out[c] = _mm512_shuffle_i32x4(low, high, 0x88);
        out[c + 4] = _mm512_shuffle_i32x4(low, high, 0xdd);
    }
}

SLUICE_INTS Reals load_reals(const float* p) {
    return _mm512_loadu_ps(p);
}
/// The half-precision numbers in the low or high halves of the lanes.
SLUICE_INTS Reals low_halves(Ints v) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
}
SLUICE_INTS Reals high_halves(Ints v) {
    return low_halves(_mm512_srli_epi32(v, 16));
}
SLUICE_INTS void store_reals(float* p, Reals v) {
    _mm512_storeu_ps(p, v);
}
SLUICE_INTS Reals all_reals(float x) {
    return _mm512_set1_ps(x);
}
SLUICE_INTS Reals to_reals(Ints v) {
    return _mm512_cvtepi32_ps(v);
}
SLUICE_INTS Reals times(Reals a, Reals b) {
    return _mm512_mul_ps(a, b);
}
/// acc + a * b, rounded once.
SLUICE_INTS Reals fused(Reals acc, Reals a, Reals b) {
    return _mm512_fmadd_ps(a, b, acc);
}
/// acc - a * b, rounded once.
SLUICE_INTS Reals fused_less(Reals acc, Reals a, Reals b) {
    return _mm512_fnmadd_ps(a, b, acc);
}

}  // namespace sluice::ints
