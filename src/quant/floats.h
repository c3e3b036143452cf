// Half precision, bfloat16 and plain floats. Everything in the family headers of quant/ is `static inline` on
// raw pointers without std:: calls: kernels/ compiles them again for each instruction set, and the copies
// must not meet.
#pragma once

#include <cstdint>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace sluice {

[[gnu::always_inline]] static inline uint16_t load_u16(const uint8_t* p) {
    uint16_t x;
    __builtin_memcpy(&x, p, 2);
    return x;
}

[[gnu::always_inline]] static inline uint32_t load_u32(const uint8_t* p) {
    uint32_t x;
    __builtin_memcpy(&x, p, 4);
    return x;
}

[[gnu::always_inline]] static inline float float_of_bits(uint32_t bits) {
    float f;
    __builtin_memcpy(&f, &bits, 4);
    return f;
}

[[gnu::always_inline]] static inline uint32_t bits_of_float(float f) {
    uint32_t bits;
    __builtin_memcpy(&bits, &f, 4);
    return bits;
}

[[gnu::always_inline]] static inline float float_from_half(uint16_t h) {
#if defined(__F16C__)
    return _cvtsh_ss(h);
#elif defined(__aarch64__)
    __fp16 f;
    __builtin_memcpy(&f, &h, 2);
    return f;
#else
    const uint32_t sign = uint32_t(h & 0x8000u) << 16, rest = h & 0x7fffu;
    if (rest >= 0x7c00u) return float_of_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);  // infinity, NaN
    if (rest >= 0x0400u) return float_of_bits(sign | ((rest << 13) + 0x38000000u));
    return float_of_bits(sign | bits_of_float(float(rest) * 0x1p-24f));  // subnormal or zero
#endif
}

/// To nearest, ties to even.
[[gnu::always_inline]] static inline uint16_t half_from_float(float f) {
#if defined(__F16C__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"  // clang's intrinsic is a macro with a compound literal
    return uint16_t(_cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#pragma GCC diagnostic pop
#elif defined(__aarch64__)
    const __fp16 h = __fp16(f);
    uint16_t bits;
    __builtin_memcpy(&bits, &h, 2);
    return bits;
#else
    const uint32_t bits = bits_of_float(f), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) return uint16_t(sign | 0x7e00u);
    if (rest >= 0x477ff000u) return uint16_t(sign | 0x7c00u);  // rounds to 65536 or beyond
    if (rest < 0x38800000u) {                                  // subnormal: adding 0.5 aligns the last bit
        const uint32_t aligned = bits_of_float(float_of_bits(rest) + 0.5f);
        return uint16_t(sign | (aligned - 0x3f000000u));
    }
    const uint32_t odd = rest >> 13 & 1;
    return uint16_t(sign | ((rest + 0xc8000fffu + odd) >> 13));
#endif
}

[[gnu::always_inline]] static inline float float_from_bf16(uint16_t b) {
    return float_of_bits(uint32_t(b) << 16);
}

/// To nearest, ties to even; NaN stays NaN.
[[gnu::always_inline]] static inline uint16_t bf16_from_float(float f) {
    const uint32_t bits = bits_of_float(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40u);
    return uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline void decode_f32(const uint8_t* src, float* dst, uint64_t n) {
    __builtin_memcpy(dst, src, n * 4);
}

static inline void decode_f16(const uint8_t* src, float* dst, uint64_t n) {
    uint64_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(dst + i,
                         _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(src + 2 * i))));
#elif defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i,
                         _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + 2 * i))));
#endif
    for (; i < n; ++i) dst[i] = float_from_half(load_u16(src + 2 * i));
}

static inline void decode_bf16(const uint8_t* src, float* dst, uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) dst[i] = float_from_bf16(load_u16(src + 2 * i));
}

}  // namespace sluice
