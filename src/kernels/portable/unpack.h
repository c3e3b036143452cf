// Blocks of quantised weights to bytes in their natural order, with the small integers that scale them: what
// the integer products take. A weight is
//
//   types of 256:  d * scale[i / 16] * (q[i] - zero) - dmin * min[i / 16]
//   types of 32:   d * (q[i] - zero) + m
//
// q is unsigned and below 128, so that sums of two products fit 16 bits; "wide" types need 8 bits and have
// signed q (zero is 0). Layouts: see quant/*.h, which decode the same blocks to floats.
#pragma once

#include "kernels/portable/lanes.h"
#include "quant/floats.h"
#include "quant/grids.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sluice::portable {

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
typedef uint8_t Bytes32 __attribute__((vector_size(32)));

/// A block in registers: nothing goes through memory, where a wide load would wait for the narrow stores
/// before it.
struct Unpacked256 {
    Bytes32 q[8];
    int16_t scale[16], min[16];
    float d, dmin;
};

#define SLUICE_UNPACK [[gnu::always_inline]] static inline

SLUICE_UNPACK Bytes32 load32(const uint8_t* p) {
    Bytes32 v;
    __builtin_memcpy(&v, p, 32);
    return v;
}
SLUICE_UNPACK uint64_t load_u64(const void* p) {
    uint64_t x;
    __builtin_memcpy(&x, p, 8);
    return x;
}

/// (b >> shift) & mask for each byte. mask must fit 8 - shift bits.
SLUICE_UNPACK Bytes32 bits_of(Bytes32 b, int shift, uint8_t mask) {
    typedef uint16_t Words __attribute__((vector_size(32)));
    return Bytes32(Words(b) >> uint16_t(shift)) & mask;
}
/// As bits_of, moved up.
SLUICE_UNPACK Bytes32 bits_moved(Bytes32 b, int shift, uint8_t mask, int up) {
    typedef uint16_t Words __attribute__((vector_size(32)));
    return Bytes32(Words(bits_of(b, shift, mask)) << uint16_t(up));
}

SLUICE_UNPACK Bytes32 four_words(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    typedef uint64_t Words __attribute__((vector_size(32)));
    return Bytes32(Words{a, b, c, d});
}

/// 0xff in byte i where bit i is set.
SLUICE_UNPACK Bytes32 spread_bits(uint32_t bits) {
    const Bytes32 bit =
        four_words(0x8040201008040201u, 0x8040201008040201u, 0x8040201008040201u, 0x8040201008040201u);
#if defined(__AVX2__)
    const __m256i each = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const Bytes32 byte = Bytes32(_mm256_shuffle_epi8(_mm256_set1_epi32(int(bits)), each));
#else
    constexpr uint64_t ones = 0x0101010101010101u;
    const Bytes32 byte = four_words((bits & 255) * ones, (bits >> 8 & 255) * ones, (bits >> 16 & 255) * ones,
                                    (bits >> 24) * ones);
#endif
    return Bytes32((byte & bit) == bit);
}

/// 16 bytes of nibbles: low halves, then high ones.
SLUICE_UNPACK Bytes32 nibbles(const uint8_t* p) {
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
SLUICE_UNPACK Bytes32 look_up(const int8_t* book, Bytes32 indices) {
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
SLUICE_UNPACK void widen(uint64_t low, uint64_t high, int16_t add, int16_t* out) {
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
SLUICE_UNPACK void each_twice(uint64_t eight, int16_t* out) {
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

/// The 6-bit scales and minima of Q4_K and Q5_K.
SLUICE_UNPACK void unpack_k_scales(const uint8_t* packed, Unpacked256& u) {
    const uint32_t a = load_u32(packed), b = load_u32(packed + 4), c = load_u32(packed + 8);
    constexpr uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, two = 0x03030303;
    each_twice((a & six) | uint64_t((c & four) | (a >> 6 & two) << 4) << 32, u.scale);
    each_twice((b & six) | uint64_t((c >> 4 & four) | (b >> 6 & two) << 4) << 32, u.min);
}

/// group: weights that share a scale. narrow: the sum of q times activations over a group fits 16 bits (its
/// largest magnitude is group * 127 * the largest q).
template <TensorType T>
struct Block256;

template <>
struct Block256<TensorType::Q4_K> {
    static constexpr uint32_t bytes = 144;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack_header(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        u.dmin = float_from_half(load_u16(b + 2));
        unpack_k_scales(b + 4, u);
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        unpack_header(b, u);
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            const Bytes32 q = load32(b + 16 + 32 * j);
            u.q[2 * j] = q & uint8_t(15);
            u.q[2 * j + 1] = bits_of(q, 4, 15);
        });
    }
};

template <>
struct Block256<TensorType::Q5_K> {
    static constexpr uint32_t bytes = 176;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack_header(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        u.dmin = float_from_half(load_u16(b + 2));
        unpack_k_scales(b + 4, u);
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        unpack_header(b, u);
        Bytes32 high = load32(b + 16);
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            const Bytes32 q = load32(b + 48 + 32 * j);
            u.q[2 * j] = (q & uint8_t(15)) | bits_moved(high, 0, 1, 4);
            u.q[2 * j + 1] = bits_of(q, 4, 15) | bits_moved(high, 1, 1, 4);
            high = bits_of(high, 2, 63);
        });
    }
};

template <>
struct Block256<TensorType::Q2_K> {
    static constexpr uint32_t bytes = 84;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = true;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    static constexpr int d_at = 80;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack_header(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 80));
        u.dmin = float_from_half(load_u16(b + 82));
        constexpr uint64_t four = 0x0f0f0f0f0f0f0f0f;
        const uint64_t s0 = load_u64(b), s1 = load_u64(b + 8);
        widen(s0 & four, s1 & four, 0, u.scale);
        widen(s0 >> 4 & four, s1 >> 4 & four, 0, u.min);
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        unpack_header(b, u);
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const Bytes32 q = load32(b + 16 + 32 * half);
            u.q[4 * half] = q & uint8_t(3);
            u.q[4 * half + 1] = bits_of(q, 2, 3);
            u.q[4 * half + 2] = bits_of(q, 4, 3);
            u.q[4 * half + 3] = bits_of(q, 6, 3);
        });
    }
};

template <>
struct Block256<TensorType::Q3_K> {
    static constexpr uint32_t bytes = 110;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = true;
    static constexpr int zero = 4;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 108;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack_header(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 108));
        constexpr uint32_t four = 0x0f0f0f0f, two = 0x03030303;
        const uint32_t l0 = load_u32(b + 96), l1 = load_u32(b + 100), h = load_u32(b + 104);
        const uint64_t low = ((l0 & four) | (h & two) << 4) | uint64_t((l1 & four) | (h >> 2 & two) << 4)
                                                                  << 32;
        const uint64_t high_scales =
            ((l0 >> 4 & four) | (h >> 4 & two) << 4) | uint64_t((l1 >> 4 & four) | (h >> 6 & two) << 4) << 32;
        widen(low, high_scales, -32, u.scale);
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        unpack_header(b, u);
        Bytes32 high = load32(b);
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const Bytes32 q = load32(b + 32 + 32 * half);
            u.q[4 * half] = (q & uint8_t(3)) | bits_moved(high, 0, 1, 2);
            u.q[4 * half + 1] = bits_of(q, 2, 3) | bits_moved(high, 1, 1, 2);
            u.q[4 * half + 2] = bits_of(q, 4, 3) | bits_moved(high, 2, 1, 2);
            u.q[4 * half + 3] = bits_of(q, 6, 3) | bits_moved(high, 3, 1, 2);
            high = bits_of(high, 4, 15);
        });
    }
};

template <>
struct Block256<TensorType::Q6_K> {
    static constexpr uint32_t bytes = 210;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = false;
    static constexpr int zero = 32;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 208;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack_header(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 208));
        widen(load_u64(b + 192), load_u64(b + 200), 0, u.scale);
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        unpack_header(b, u);
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const Bytes32 q1 = load32(b + 64 * half), q2 = load32(b + 64 * half + 32),
                          high = load32(b + 128 + 32 * half);
            u.q[4 * half] = (q1 & uint8_t(15)) | bits_moved(high, 0, 3, 4);
            u.q[4 * half + 1] = (q2 & uint8_t(15)) | bits_moved(high, 2, 3, 4);
            u.q[4 * half + 2] = bits_of(q1, 4, 15) | bits_moved(high, 4, 3, 4);
            u.q[4 * half + 3] = bits_of(q2, 4, 15) | bits_moved(high, 6, 3, 4);
        });
    }
};

template <>
struct Block256<TensorType::IQ4_XS> {
    static constexpr uint32_t bytes = 136;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        const uint32_t high = load_u16(b + 2), low = load_u32(b + 4);
        uint64_t scales = 0;
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint32_t scale = (low >> 4 * g & 15) | (high >> 2 * g & 3) << 4;
            scales |= uint64_t(uint8_t(scale - 32)) << 8 * g;
            u.q[g] = look_up(quant::kvalues_iq4nl, nibbles(b + 8 + 16 * g));
        });
        each_twice(scales, u.scale);
    }
};

// The code-book types: entries of 8 magnitudes (or two of 4) with a bit of sign for each; zero is 64, because
// magnitudes are below 64.
inline constexpr int grid_zero = 64;

/// 64 + (grid, negated where a bit of signs is set), byte by byte.
SLUICE_UNPACK Bytes32 with_signs(Bytes32 grid, uint32_t signs) {
    const Bytes32 minus = spread_bits(signs);
    return ((grid ^ minus) - minus) + uint8_t(grid_zero);
}

/// Four 7-bit indices of sign patterns.
SLUICE_UNPACK uint32_t four_signs(uint32_t packed) {
    const auto signs = [&](int l) { return uint32_t(quant::ksigns_iq2xs[packed >> 7 * l & 127]) << 8 * l; };
    return signs(0) | signs(1) | signs(2) | signs(3);
}

template <>
struct Block256<TensorType::IQ2_XXS> {
    static constexpr uint32_t bytes = 66;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 0.125f;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        uint64_t scales = 0;
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint8_t* i = b + 2 + 8 * g;
            const uint32_t packed = load_u32(i + 4);
            const auto& grid = quant::iq2xxs_grid;
            scales |= uint64_t(2 * (packed >> 28) + 1) << 8 * g;
            u.q[g] =
                with_signs(four_words(grid[i[0]], grid[i[1]], grid[i[2]], grid[i[3]]), four_signs(packed));
        });
        each_twice(scales, u.scale);
    }
};

/// Sixteen 4-bit scales s, as 2 s + 1.
SLUICE_UNPACK void odd_scales(const uint8_t* packed, int16_t* out) {
    constexpr uint64_t four = 0x0f0f0f0f0f0f0f0f, ones = 0x0101010101010101;
    const uint64_t s = load_u64(packed), low = 2 * (s & four) + ones, high = 2 * (s >> 4 & four) + ones;
#if defined(__AVX2__)
    const __m128i both = _mm_unpacklo_epi8(_mm_cvtsi64_si128(int64_t(low)), _mm_cvtsi64_si128(int64_t(high)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepi8_epi16(both));
#elif defined(__aarch64__)
    const int16x8_t a = vmovl_s8(vcreate_s8(low)), b = vmovl_s8(vcreate_s8(high));
    vst1q_s16(out, vzip1q_s16(a, b));
    vst1q_s16(out + 8, vzip2q_s16(a, b));
#else
    for (int i = 0; i < 8; ++i) {
        out[2 * i] = int16_t(low >> 8 * i & 255);
        out[2 * i + 1] = int16_t(high >> 8 * i & 255);
    }
#endif
}

template <>
struct Block256<TensorType::IQ2_XS> {
    static constexpr uint32_t bytes = 74;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = false;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 0.125f;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        odd_scales(b + 66, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint64_t q = load_u64(b + 2 + 8 * g);
            const auto grid = [&](int l) { return quant::iq2xs_grid[q >> 16 * l & 511]; };
            const auto sign = [&](int l) {
                return uint32_t(quant::ksigns_iq2xs[q >> (16 * l + 9) & 127]) << 8 * l;
            };
            u.q[g] = with_signs(four_words(grid(0), grid(1), grid(2), grid(3)),
                                sign(0) | sign(1) | sign(2) | sign(3));
        });
    }
};

template <>
struct Block256<TensorType::IQ2_S> {
    static constexpr uint32_t bytes = 82;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = false;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 0.125f;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        const uint8_t *index = b + 2, *signs = b + 34, *high = b + 66;
        odd_scales(b + 74, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const auto grid = [&](int l) {
                return quant::iq2s_grid[index[4 * g + l] | (uint32_t(high[g]) << (8 - 2 * l) & 0x300u)];
            };
            u.q[g] = with_signs(four_words(grid(0), grid(1), grid(2), grid(3)), load_u32(signs + 4 * g));
        });
    }
};

/// Two entries of 4 weights.
SLUICE_UNPACK uint64_t two_entries(const uint32_t* grid, uint32_t first, uint32_t second) {
    return grid[first] | uint64_t(grid[second]) << 32;
}

template <>
struct Block256<TensorType::IQ3_XXS> {
    static constexpr uint32_t bytes = 98;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 0.25f;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.25f;
        uint64_t scales = 0;
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint8_t* i = b + 2 + 8 * g;
            const uint32_t packed = load_u32(b + 66 + 4 * g);
            const auto grid = [&](int l) { return two_entries(quant::iq3xxs_grid, i[2 * l], i[2 * l + 1]); };
            scales |= uint64_t(2 * (packed >> 28) + 1) << 8 * g;
            u.q[g] = with_signs(four_words(grid(0), grid(1), grid(2), grid(3)), four_signs(packed));
        });
        each_twice(scales, u.scale);
    }
};

template <>
struct Block256<TensorType::IQ3_S> {
    static constexpr uint32_t bytes = 110;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 1;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        const uint8_t *index = b + 2, *high = b + 66, *signs = b + 74;
        const uint32_t packed = load_u32(b + 106);
        uint64_t scales = 0;
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            scales |= uint64_t(1 + 2 * (packed >> 4 * g & 15)) << 8 * g;
            const auto grid = [&](int l) {
                const uint32_t h = high[g];
                return two_entries(quant::iq3s_grid, index[8 * g + 2 * l] | (h << (8 - 2 * l) & 256u),
                                   index[8 * g + 2 * l + 1] | (h << (7 - 2 * l) & 256u));
            };
            u.q[g] = with_signs(four_words(grid(0), grid(1), grid(2), grid(3)), load_u32(signs + 4 * g));
        });
        each_twice(scales, u.scale);
    }
};

// IQ1: entries are -1, 0 or 1, plus or minus an eighth: in eighths, from -9 to 9.
inline constexpr int iq1_zero = 9;
inline constexpr uint64_t iq1_up = 0x0a0a0a0a0a0a0a0a, iq1_down = 0x0808080808080808;  // iq1_zero + or - 1

/// Entries in eighths, plus `shift` (iq1_up or iq1_down for each 8).
SLUICE_UNPACK Bytes32 in_eighths(Bytes32 grid, Bytes32 shift) {
    return (bits_moved(grid, 0, 31, 3) & uint8_t(0xf8)) + shift;
}

template <>
struct Block256<TensorType::IQ1_S> {
    static constexpr uint32_t bytes = 50;
    static constexpr uint32_t group = 32;
    static constexpr bool narrow = false;
    static constexpr int zero = iq1_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = 0;
    static constexpr float d_factor = 0.125f;
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        uint64_t scales = 0;
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint32_t h = load_u16(b + 34 + 2 * g), q = load_u32(b + 2 + 4 * g);
            const auto grid = [&](int l) {
                return quant::iq1s_grid[(q >> 8 * l & 255) | (h >> 3 * l & 7) << 8];
            };
            scales |= uint64_t(2 * (h >> 12 & 7) + 1) << 8 * g;
            const uint64_t shift = h & 0x8000 ? iq1_down : iq1_up;
            u.q[g] = in_eighths(four_words(grid(0), grid(1), grid(2), grid(3)),
                                four_words(shift, shift, shift, shift));
        });
        each_twice(scales, u.scale);
    }
};

template <>
struct Block256<TensorType::IQ1_M> {
    static constexpr uint32_t bytes = 56;
    static constexpr uint32_t group = 16;
    static constexpr bool narrow = false;
    static constexpr int zero = iq1_zero;
    static constexpr bool has_min = false, wide = false;
    static constexpr int d_at = -1;  // in four places
    static constexpr float d_factor = 0.125f;
    SLUICE_UNPACK float d_of_block(const uint8_t* b) {
        const uint64_t s = load_u64(b + 48);
        const auto half =
            uint16_t((s >> 12 & 15) | (s >> 24 & 0xf0) | (s >> 36 & 0xf00) | (s >> 48 & 0xf000));
        return float_from_half(half) * d_factor;
    }
    SLUICE_UNPACK void unpack(const uint8_t* b, Unpacked256& u) {
        const uint64_t s = load_u64(b + 48);
        u.d = d_of_block(b);
        for (int i = 0; i < 16; ++i)  // three bits each, five of them to 16 bits
            u.scale[i] = int16_t(2 * (s >> (16 * (i / 4) + 3 * (i % 4)) & 7) + 1);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint32_t h = load_u16(b + 32 + 2 * g), q = load_u32(b + 4 * g);
            const auto grid = [&](int l) {
                return quant::iq1s_grid[(q >> 8 * l & 255) | (h >> 4 * l & 7) << 8];
            };
            const auto shift = [&](int l) { return h >> 4 * l & 8 ? iq1_down : iq1_up; };
            u.q[g] = in_eighths(four_words(grid(0), grid(1), grid(2), grid(3)),
                                four_words(shift(0), shift(1), shift(2), shift(3)));
        });
    }
};

/// Blocks of 32: their weights, the half-precision number each begins with (d), and for types with minima the
/// one behind it (m).
template <TensorType T>
struct Block32;

template <>
struct Block32<TensorType::Q8_0> {
    static constexpr uint32_t bytes = 34;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) { return load32(b + 2); }
};

template <>
struct Block32<TensorType::Q4_0> {
    static constexpr uint32_t bytes = 18;
    static constexpr int zero = 8;
    static constexpr bool has_min = false, wide = false, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) { return nibbles(b + 2); }
};

template <>
struct Block32<TensorType::Q4_1> {
    static constexpr uint32_t bytes = 20;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) { return nibbles(b + 4); }
};

template <>
struct Block32<TensorType::Q5_0> {
    static constexpr uint32_t bytes = 22;
    static constexpr int zero = 16;
    static constexpr bool has_min = false, wide = false, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) {
        return nibbles(b + 6) | (spread_bits(load_u32(b + 2)) & uint8_t(16));
    }
};

template <>
struct Block32<TensorType::Q5_1> {
    static constexpr uint32_t bytes = 24;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) {
        return nibbles(b + 8) | (spread_bits(load_u32(b + 4)) & uint8_t(16));
    }
};

template <>
struct Block32<TensorType::IQ4_NL> {
    static constexpr uint32_t bytes = 18;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true, halves = true;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) { return look_up(quant::kvalues_iq4nl, nibbles(b + 2)); }
};

static constexpr int8_t mxfp4_book[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

template <>
struct Block32<TensorType::MXFP4> {
    static constexpr uint32_t bytes = 17;
    static constexpr int zero = 12;  // of the doubled E2M1 values, shifted to be unsigned
    static constexpr bool has_min = false, wide = false, halves = false;
    SLUICE_UNPACK Bytes32 weights(const uint8_t* b) { return look_up(mxfp4_book, nibbles(b + 1)); }
};

template <typename B>
SLUICE_UNPACK float scale_of_32(const uint8_t* b) {
    if constexpr (B::halves)
        return float_from_half(load_u16(b));
    else  // MXFP4: half of a power of two
        return float_of_bits(b[0] < 2 ? 0x00200000u << b[0] : uint32_t(b[0] - 1) << 23);
}
template <typename B>
SLUICE_UNPACK float minimum_of_32(const uint8_t* b) {
    return B::has_min ? float_from_half(load_u16(b + 2)) : 0.0f;
}

#undef SLUICE_UNPACK

}  // namespace sluice::portable
