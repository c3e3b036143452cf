// Vectors of bytes, and what is taken out of them: bits, halves, entries of small tables.
#pragma once

#include "kernels/portable/lanes.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sluice::portable {

#define SLUICE_BYTES [[gnu::always_inline]] static inline

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
typedef uint8_t Bytes32 __attribute__((vector_size(32)));
typedef uint16_t Words16 __attribute__((vector_size(32)));
typedef uint32_t Dwords8 __attribute__((vector_size(32)));

SLUICE_BYTES Bytes32 load32(const uint8_t* p) {
    Bytes32 v;
    __builtin_memcpy(&v, p, 32);
    return v;
}
SLUICE_BYTES uint64_t load_u64(const void* p) {
    uint64_t x;
    __builtin_memcpy(&x, p, 8);
    return x;
}

/// (b >> shift) & mask for each byte. mask must fit 8 - shift bits.
SLUICE_BYTES Bytes32 bits_of(Bytes32 b, int shift, uint8_t mask) {
    return Bytes32(Words16(b) >> uint16_t(shift)) & mask;
}
/// As bits_of, moved up.
SLUICE_BYTES Bytes32 bits_moved(Bytes32 b, int shift, uint8_t mask, int up) {
    return Bytes32(Words16(bits_of(b, shift, mask)) << uint16_t(up));
}

SLUICE_BYTES Bytes32 four_words(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    typedef uint64_t Words __attribute__((vector_size(32)));
    return Bytes32(Words{a, b, c, d});
}

/// Byte i: bit i % 8 alone.
SLUICE_BYTES Bytes32 bit_of_each() {
    return four_words(0x8040201008040201u, 0x8040201008040201u, 0x8040201008040201u, 0x8040201008040201u);
}
#if defined(__AVX2__)
/// 0xff in byte i where bit i of the four bytes from `first` on is set, which both halves of `bytes` hold.
SLUICE_BYTES Bytes32 spread_bits(__m256i bytes, int8_t first) {
    const __m256i in_order =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i each = _mm256_add_epi8(in_order, _mm256_set1_epi8(first));
    return Bytes32((Bytes32(_mm256_shuffle_epi8(bytes, each)) & bit_of_each()) == bit_of_each());
}
#endif
/// 0xff in byte i where bit i is set.
SLUICE_BYTES Bytes32 spread_bits(uint32_t bits) {
#if defined(__AVX2__)
    return spread_bits(_mm256_set1_epi32(int(bits)), 0);
#else
    constexpr uint64_t ones = 0x0101010101010101u;
    const Bytes32 byte = four_words((bits & 255) * ones, (bits >> 8 & 255) * ones, (bits >> 16 & 255) * ones,
                                    (bits >> 24) * ones);
    return Bytes32((byte & bit_of_each()) == bit_of_each());
#endif
}

/// 16 bytes of nibbles: low halves, then high ones.
SLUICE_BYTES Bytes32 nibbles(const uint8_t* p) {
    Bytes16 q;
    __builtin_memcpy(&q, p, 16);
#if defined(__AVX2__)
    const __m128i v = __m128i(q);
    return Bytes32(_mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(v, 4), v), _mm256_set1_epi8(15)));
#else
    const Bytes16 halves[2] = {q & uint8_t(15), q >> uint8_t(4)};
    Bytes32 both;
    __builtin_memcpy(&both, halves, 32);
    return both;
#endif
}

/// The code book's values of 32 indices below 16.
SLUICE_BYTES Bytes32 look_up(const int8_t* book, Bytes32 indices) {
#if defined(__AVX2__)
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(book)));
    return Bytes32(_mm256_shuffle_epi8(table, __m256i(indices)));
#elif defined(__aarch64__)
    uint8_t bytes[32];
    __builtin_memcpy(bytes, &indices, 32);
    const int8x16_t table = vld1q_s8(book);
    vst1q_s8(reinterpret_cast<int8_t*>(bytes), vqtbl1q_s8(table, vld1q_u8(bytes)));
    vst1q_s8(reinterpret_cast<int8_t*>(bytes + 16), vqtbl1q_s8(table, vld1q_u8(bytes + 16)));
    return load32(bytes);
#else
    Bytes32 out;
    for (int i = 0; i < 32; ++i) out[i] = uint8_t(book[indices[i]]);
    return out;
#endif
}

/// Sixteen signed bytes (two words), plus `add`, as 16-bit numbers.
SLUICE_BYTES void widen(uint64_t low, uint64_t high, int16_t add, int16_t* out) {
#if defined(__AVX2__)
    const __m256i v = _mm256_cvtepi8_epi16(_mm_set_epi64x(int64_t(high), int64_t(low)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_add_epi16(v, _mm256_set1_epi16(add)));
#elif defined(__aarch64__)
    const int16x8_t more = vdupq_n_s16(add);
    vst1q_s16(out, vaddq_s16(vmovl_s8(vcreate_s8(low)), more));
    vst1q_s16(out + 8, vaddq_s16(vmovl_s8(vcreate_s8(high)), more));
#else
    for (int i = 0; i < 8; ++i) {
        out[i] = int16_t(int8_t(low >> 8 * i) + add);
        out[i + 8] = int16_t(int8_t(high >> 8 * i) + add);
    }
#endif
}
/// Eight small numbers for 32 weights each, as sixteen for 16 each.
SLUICE_BYTES void each_twice(uint64_t eight, int16_t* out) {
#if defined(__AVX2__)
    const __m128i v = _mm_cvtsi64_si128(int64_t(eight));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(v, v)));
#elif defined(__aarch64__)
    const int16x8_t v = vmovl_s8(vcreate_s8(eight));
    vst1q_s16(out, vzip1q_s16(v, v));
    vst1q_s16(out + 8, vzip2q_s16(v, v));
#else
    for (int i = 0; i < 16; ++i) out[i] = int8_t(eight >> 8 * (i / 2));
#endif
}

#undef SLUICE_BYTES

}  // namespace sluice::portable
