// Integer vectors of the machine's width for the products of quantised weights. One 32-bit lane sums four
// products of bytes. All sums are exact, so the order in which lanes are added does not matter. Each
// instruction set has a file with the same interface:
//
//   Ints, Reals, lanes    a vector of 32-bit integers or floats, and how many it holds
//   dot4(acc, u, s)       acc + four products of unsigned bytes u < 128 and signed bytes s, in each lane
//   dot2(acc, a, b)       acc + two products of signed 16-bit numbers
//   pairs(u, s)           sums of two products of bytes, 16 bits each
//   unsigned_of(w)        signed weights of 8 bits as dot4_wide() takes them; what that adds to a sum is
//   wide_zero             times the sum of s
//   Scales, scales16      the scales of 16 weights each, spread over the i-th vector of 256 weights
//   products_of_sixteen   eight sums of two products: 16-bit numbers a and b, sixteen of each
//   sums(r)               lane i: the sum of the lanes of r[i]
//   place_of_eight        where the eight lanes of row i are put for sums_of_eights()
//   transpose(in, out)    out[k] lane r = in[r] lane k
//   fused, fused_less     acc + a * b, acc - a * b, rounded once
//
// and load, store, zero, all, add, subtract, multiply, load_reals, store_reals, all_reals, to_reals, times.
// Where a set has more (scales32 of VNNI, half_sums of AVX-512, pairs_wide of AVX2 alone), products.h asks
// for it by name.
#pragma once

#if defined(__AVX2__)

// Four products of bytes in one instruction.
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
#define SLUICE_VNNI 1
#endif

#define SLUICE_INTS [[gnu::always_inline]] static inline

#if defined(__AVX512VNNI__)
#include "kernels/portable/ints_avx512.h"
#else
#include "kernels/portable/ints_avx2.h"
#endif

namespace sluice::ints {

#if defined(SLUICE_VNNI)
inline constexpr bool has_vnni = true;
#else
inline constexpr bool has_vnni = false;
#endif

SLUICE_INTS Ints four_bytes_everywhere(const void* p) {
    int32_t x;
    __builtin_memcpy(&x, p, 4);
    return all(x);
}

}  // namespace sluice::ints

#undef SLUICE_INTS

#endif
