// Blocks of quantised weights to bytes in their natural order, with the small integers that scale them: what
// the integer products take. A weight is
//
//   types of 256:  d * scale[i / 16] * (q[i] - zero) - dmin * min[i / 16]
//   types of 32:   d * (q[i] - zero) + m
//
// q is unsigned and below 128, so that sums of two products fit 16 bits; "wide" types need 8 bits and have
// signed q (zero is 0). Layouts: see quant/*.h, which decode the same blocks to floats.
#pragma once

#include "kernels/portable/book_entries.h"
#include "quant/floats.h"
#include "quant/grids.h"

namespace sluice::portable {

#define SLUICE_UNPACK [[gnu::always_inline]] static inline

/// A block in registers: nothing goes through memory, where a wide load would wait for the narrow stores
/// before it.
struct Unpacked256 {
    Bytes32 q[8];
    int16_t scale[16], min[16];
    float d, dmin;
};

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

/// 64 + magnitudes of the G-th 32 weights, with their signs.
template <int G>
SLUICE_UNPACK Bytes32 signed_weights(Bytes32 magnitudes, const SignsOfBlock& signs, lanes::Index<G> g) {
    const Bytes32 minus = signs.minus(g);
    return ((magnitudes ^ minus) - minus) + uint8_t(grid_zero);
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
        const Dwords8 packed = odd_dwords(b + 2);
        const SignsOfBlock signs(signs_of_dwords(packed));
        put_scales_of_32((packed >> 27 & 30) + 1, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const auto place = [&](int l) { return b[2 + 8 * g + l]; };
            u.q[g] = signed_weights(entries_of_8(quant::iq2xxs_grid, place), signs, g);
        });
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
        const SignsOfBlock signs(signs_of_words(b + 2));
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const uint64_t q = load_u64(b + 2 + 8 * g);
            const auto place = [&](int l) { return q >> 16 * l & 511; };
            u.q[g] = signed_weights(entries_of_8(quant::iq2xs_grid, place), signs, g);
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
        const uint8_t *index = b + 2, *high = b + 66;
        const SignsOfBlock signs(load32(b + 34));
        odd_scales(b + 74, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const auto place = [&](int l) {
                return index[4 * g + l] | (uint32_t(high[g]) << (8 - 2 * l) & 0x300u);
            };
            u.q[g] = signed_weights(entries_of_8(quant::iq2s_grid, place), signs, g);
        });
    }
};

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
        const Dwords8 packed = Dwords8(load32(b + 66));
        const SignsOfBlock signs(signs_of_dwords(packed));
        put_scales_of_32((packed >> 27 & 30) + 1, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const auto place = [&](int l) { return b[2 + 8 * g + l]; };
            u.q[g] = signed_weights(entries_of_4(quant::iq3xxs_grid, place), signs, g);
        });
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
        const uint8_t *index = b + 2, *high = b + 66;
        const SignsOfBlock signs(load32(b + 74));
        put_scales_of_32(2 * nibbles_of_dword(b + 106) + 1, u.scale);
        lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
            const auto place = [&](int l) {
                return index[8 * g + l] | (uint32_t(high[g]) << (8 - l) & 256u);
            };
            u.q[g] = signed_weights(entries_of_4(quant::iq3s_grid, place), signs, g);
        });
    }
};

// IQ1: entries are -1, 0 or 1, plus or minus an eighth: in eighths, from -9 to 9.
inline constexpr int iq1_zero = 9;
inline constexpr uint64_t iq1_up = 0x0a0a0a0a0a0a0a0a, iq1_down = 0x0808080808080808;  // iq1_zero + or - 1

/// Entries in eighths, plus `shift` (iq1_up or iq1_down for each 8).
SLUICE_UNPACK Bytes32 in_eighths(Bytes32 grid, Bytes32 shift) {
    return bits_moved(grid, 0, 31, 3) + shift;
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
            const auto place = [&](int l) { return (q >> 8 * l & 255) | (h >> 3 * l & 7) << 8; };
            scales |= uint64_t(2 * (h >> 12 & 7) + 1) << 8 * g;
            const uint64_t shift = h & 0x8000 ? iq1_down : iq1_up;
            u.q[g] =
                in_eighths(entries_of_8(quant::iq1s_grid, place), four_words(shift, shift, shift, shift));
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
            const auto place = [&](int l) { return (q >> 8 * l & 255) | (h >> 4 * l & 7) << 8; };
            const auto shift = [&](int l) { return h >> 4 * l & 8 ? iq1_down : iq1_up; };
            u.q[g] = in_eighths(entries_of_8(quant::iq1s_grid, place),
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
