// What a block of quantised weights and one of activations have in common: vectors of the weights, and their
// products. See products.h.
#pragma once

#include "kernels/activations.h"
#include "kernels/kernel_table.h"
#include "kernels/portable/ints.h"
#include "kernels/portable/lanes.h"
#include "kernels/portable/unpack.h"
#if defined(__AVX512VNNI__)
#include "kernels/portable/unpack_avx512.h"
#endif

namespace sluice::portable {

/// What one call multiplies.
struct QuantisedProduct {
    const uint8_t* weights;
    uint64_t row_bytes;
    uint32_t cols;
    const std::byte* activations;  // (n, stride)
    uint64_t activation_stride;
    Rows y;
};

template <typename Block>
[[gnu::always_inline]] static inline const Block* activation_row(const QuantisedProduct& p, uint32_t token) {
    return reinterpret_cast<const Block*>(p.activations + token * p.activation_stride);
}

#if defined(SLUICE_INTS)

using ints::Ints;
using ints::Reals;
inline constexpr uint32_t ints_bytes = sizeof(Ints), vectors = 256 / ints_bytes;

/// A vector's first `count` numbers.
[[gnu::always_inline]] static inline void put_rows(Reals y, float* out, uint32_t count) {
    if (count == uint32_t(ints::lanes)) return ints::store_reals(out, y);
    float all[uint32_t(ints::lanes)];
    ints::store_reals(all, y);
    for (uint32_t i = 0; i < count; ++i) out[i] = all[i];
}

/// The i-th vector of unpacked weights.
[[gnu::always_inline]] static inline Ints vector_of(const Bytes32* q, int i) {
#if defined(__AVX512VNNI__)
    return _mm512_inserti64x4(_mm512_castsi256_si512(__m256i(q[2 * i])), __m256i(q[2 * i + 1]), 1);
#elif defined(__AVX2__)
    return __m256i(q[i]);
#else
    return ints::load(q + i);
#endif
}

#if !defined(__AVX512VNNI__)
/// Products of 256 weights with activations, scaled, as lanes that are still to be added up.
template <typename B>
[[gnu::always_inline]] static inline Ints scaled_products(const Unpacked256& u, const int8_t* a) {
    const ints::Scales scales = ints::load_scales(u.scale);
    Ints acc = ints::zero();
    lanes::unrolled<int(vectors)>([&](auto i) __attribute__((always_inline)) {
        const Ints w = vector_of(u.q, i), x = ints::load(a + i * ints_bytes);
        acc = B::wide ? ints::dot_scaled_wide(acc, w, x, scales, i) : ints::dot_scaled(acc, w, x, scales, i);
    });
    return acc;
}
#endif

template <typename B>
inline constexpr int zero_of = B::wide ? ints::wide_zero : B::zero;

#endif

}  // namespace sluice::portable
