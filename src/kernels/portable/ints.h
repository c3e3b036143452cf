// Integer vectors of the machine's width for the products of quantised weights. One 32-bit lane sums four
// products of bytes. All sums are exact, so the order in which lanes are added does not matter. Each
// instruction set has a file with the same interface:
//
//   Ints, Reals, lanes    a vector of 32-bit integers or floats, and how many it holds
//   dot4(acc, u, s)       acc + four products of unsigned bytes u < 128 and signed bytes s, in each lane
//   dot2(acc, a, b)       acc + two products of signed 16-bit numbers
//   unsigned_of(w)        signed weights of 8 bits as dot4_wide() takes them; what that adds to a sum is
//   wide_zero             times the sum of s
//   Scales, load_scales   the scales of 16 weights each
//   dot_scaled(acc, u, s, scales, i), dot_scaled_wide
//                         acc + the products of the i-th vector of 256 weights, scaled
//   store_products_of_sixteen
//                         eight sums of two products: 16-bit numbers a and b, sixteen of each
//   sums(r)               lane i: the sum of the lanes of r[i]
//   place_of_eight        where the eight lanes of row i are put for sums_of_eights()
//   transpose(in, out)    out[k] lane r = in[r] lane k
//   fused, fused_less     acc + a * b, acc - a * b, rounded once
//
// and load, store, zero, all, add, subtract, multiply, load_reals, low_halves, high_halves,
// store_reals, all_reals, to_reals, times. Where a set has more (load_halves, sums_of_halves of AVX-512,
// pairs and pairs_wide where dot4 is no instruction), products.h asks for it by name.
#pragma once

#if defined(__AVX2__) || defined(__ARM_FEATURE_DOTPROD)

// Defined where the instruction set has such vectors; SLUICE_DOT4 where dot4() is one instruction.
#define SLUICE_INTS [[gnu::always_inline]] static inline
#if !defined(__AVX2__) || defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define SLUICE_DOT4 1
#endif

#if defined(__AVX512VNNI__)
#include "kernels/portable/ints_avx512.h"
#elif defined(__AVX2__)
#include "kernels/portable/ints_avx2.h"
#else
#include "kernels/portable/ints_neon.h"
#endif

namespace sluice::ints {

#if defined(SLUICE_DOT4)
inline constexpr bool has_dot4 = true;
#else
inline constexpr bool has_dot4 = false;
#endif

SLUICE_INTS Ints four_bytes_everywhere(const void* p) {
    int32_t x;
    __builtin_memcpy(&x, p, 4);
    return all(x);
}

}  // namespace sluice::ints

#endif
