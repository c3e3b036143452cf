// Integer vectors of the machine's width for the products of quantised weights. One 32-bit lane sums four
// products of bytes. All sums are exact, so the order in which lanes are added does not matter. Each
// instruction set has a file with the same interface:
//
//   Ints, Reals, lanes                    a vector of 32-bit integers or floats, and how many it holds
//   load, store, zero, all, add, subtract, multiply
//   dot4(acc, u, s)                       acc + four products of unsigned bytes u < 128 and signed bytes s,
//   in each lane dot2(acc, a, b)                       acc + two products of signed 16-bit numbers pairs(u,
//   s)                           sums of two products of bytes, 16 bits each unsigned_of(w), dot4_wide,
//   wide_zero  signed weights of 8 bits: dot4_wide takes unsigned_of(w); what that adds to a sum
//                                         is wide_zero times the sum of s
//   Scales, load_scales, scales16         the scales of 16 weights each, spread over the i-th vector of 256
//   weights for sums
//                                         of two products
//   products_of_sixteen                   eight sums of two products: 16-bit numbers a and b, sixteen of each
//   sums(r)                               lane i: the sum of the lanes of r[i]
//   place_of_eight, sums_of_eights        where the eight lanes of row i are put, so that the second finds
//   and sums them transpose(in, out)                    out[k] lane r = in[r] lane k load_reals, store_reals,
//   all_reals, to_reals, times fused, fused_less                     acc + a * b and acc - a * b, rounded
//   once
//
// Where a set has more (scales32 and half_sums of AVX-512, pairs_wide of AVX2), products.h asks for it by
// name.
#pragma once

#if defined(__AVX2__)

#define SLUICE_INTS [[gnu::always_inline]] static inline

#if defined(__AVX512VNNI__)
#include "kernels/portable/ints_avx512.h"
#else
#include "kernels/portable/ints_avx2.h"
#endif

namespace sluice::ints {

SLUICE_INTS Ints four_bytes_everywhere(const void* p) {
    int32_t x;
    __builtin_memcpy(&x, p, 4);
    return all(x);
}

}  // namespace sluice::ints

#undef SLUICE_INTS

#endif
