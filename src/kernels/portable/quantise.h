// Activations to signed bytes: scale = largest magnitude / 127, rounded to nearest (ties to even).
#pragma once

#include "kernels/activations.h"
#include "kernels/portable/ints.h"
#include "kernels/portable/lanes.h"

namespace sluice::portable {

/// N values, a multiple of 16. Returns the scale.
template <uint32_t N>
[[gnu::always_inline]] static inline float quantise_run(const float* x, int8_t* q) {
    lanes::Floats most = lanes::all(0);
    for (uint32_t i = 0; i < N; i += lanes::width)
        most = lanes::larger(lanes::magnitude(lanes::load(x + i)), most);  // not a number: never larger
    const float scale = lanes::largest(most) / 127.0f, inverse = scale > 1e-30f ? 1.0f / scale : 0.0f;
    // Products are at most 127 (1 + 2^-22), which rounds to 127.
    alignas(lanes::native_bytes) int32_t rounded[N];
    lanes::NativeFloats by;
    lanes::fill(by, inverse);
    for (uint32_t i = 0; i < N; i += lanes::native_width) {
        lanes::NativeFloats v;
        lanes::load_to(v, x + i);
        const lanes::NativeInts r = lanes::rounded_product(v, by);
        __builtin_memcpy(rounded + i, &r, sizeof r);
    }
    for (uint32_t i = 0; i < N; ++i) q[i] = int8_t(rounded[i]);
    return inverse == 0.0f ? 0.0f : scale;
}

/// sums[i]: of each four of 256 bytes.
[[gnu::always_inline]] static inline void sums_of_four(const int8_t* q, int32_t* sums) {
#if defined(SLUICE_INTS)
    for (uint32_t i = 0; i < 64; i += ints::lanes)
        ints::store(sums + i, ints::dot4(ints::zero(), ints::all(0x01010101), ints::load(q + 4 * i)));
#else
    for (uint32_t i = 0; i < 64; ++i) sums[i] = q[4 * i] + q[4 * i + 1] + q[4 * i + 2] + q[4 * i + 3];
#endif
}
/// Of each sixteen of 256 bytes, and of each 32.
[[gnu::always_inline]] static inline void sums_of_sixteen(const int8_t* q, int16_t* sums, int16_t* of_32) {
    alignas(64) int32_t of_four[64];
    sums_of_four(q, of_four);
#if defined(__AVX512VNNI__)
    // Lane i of quarter c: group 4 i + c.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i v =
        _mm512_permutexvar_epi32(order, ints::quarter_sums(reinterpret_cast<const ints::Ints*>(of_four)));
    const __m256i words = _mm512_maskz_cvtepi32_epi16(0xffff, v);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), words);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(of_32),
                     _mm256_maskz_cvtepi32_epi16(0xff, _mm256_madd_epi16(words, _mm256_set1_epi16(1))));
#else
    for (int g = 0; g < 16; ++g)
        sums[g] = int16_t(of_four[4 * g] + of_four[4 * g + 1] + of_four[4 * g + 2] + of_four[4 * g + 3]);
    for (int g = 0; g < 8; ++g) of_32[g] = int16_t(sums[2 * g] + sums[2 * g + 1]);
#endif
}

[[gnu::always_inline]] static inline void quantise_block(const float* x, Activations256& out) {
    out.scale = quantise_run<256>(x, out.q);
    sums_of_sixteen(out.q, out.sums, out.sums_of_32);
}
[[gnu::always_inline]] static inline void quantise_block(const float* x, Activations32& out) {
    for (uint32_t g = 0; g < 8; ++g) out.scale[g] = quantise_run<32>(x + 32 * g, out.q + 32 * g);
    alignas(64) int32_t of_four[64];
    sums_of_four(out.q, of_four);
    for (uint32_t g = 0; g < 8; ++g) {
        int32_t sum = 0;
        for (uint32_t j = 0; j < 8; ++j) sum += of_four[8 * g + j];
        out.sums[g] = sum;
    }
}

/// n values, filled up with zeros to whole blocks.
template <typename Block>
static inline void quantise_blocks(const float* x, uint32_t n, Block* out) {
    uint32_t i = 0;
    for (; i + activation_block <= n; i += activation_block) quantise_block(x + i, *out++);
    if (i == n) return;
    alignas(64) float padded[activation_block] = {};
    __builtin_memcpy(padded, x + i, (n - i) * sizeof(float));
    quantise_block(padded, *out);
}

static inline void quantise(ActivationKind kind, const float* x, uint32_t n, std::byte* out) {
    if (kind == ActivationKind::by_256)
        quantise_blocks(x, n, reinterpret_cast<Activations256*>(out));
    else
        quantise_blocks(x, n, reinterpret_cast<Activations32*>(out));
}

}  // namespace sluice::portable
