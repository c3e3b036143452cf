// Blocks of quantised weights to bytes in their natural order, with the small integers that scale them: what
// the integer products take. A weight is
//
//   types of 256:  d * scale[i / 16] * (q[i] - zero) - dmin * min[i / 16]
//   types of 32:   d * (q[i] - zero) + m
//
// q is unsigned and below 128, so that sums of two products fit 16 bits; "wide" types need 8 bits and have
// signed q (zero is 0). Layouts: see quant/*.h, which decode the same blocks to floats.
#pragma once

#include "quant/floats.h"
#include "quant/grids.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace sluice::portable {

struct alignas(64) Unpacked256 {
    uint8_t q[256];
    int16_t scale[16], min[16];
    float d, dmin;
};

// K-quants keep consecutive runs of 32 weights in different bits of the same bytes.
typedef uint8_t Bytes32 __attribute__((vector_size(32)));

[[gnu::always_inline]] static inline Bytes32 load32(const uint8_t* p) {
    Bytes32 v;
    __builtin_memcpy(&v, p, 32);
    return v;
}
[[gnu::always_inline]] static inline void store32(uint8_t* p, Bytes32 v) {
    __builtin_memcpy(p, &v, 32);
}

/// (b >> shift) & mask for each byte. mask must fit 8 - shift bits.
[[gnu::always_inline]] static inline Bytes32 bits_of(Bytes32 b, int shift, uint8_t mask) {
    typedef uint16_t Words __attribute__((vector_size(32)));
    Words w;
    __builtin_memcpy(&w, &b, 32);
    w = w >> uint16_t(shift);
    __builtin_memcpy(&b, &w, 32);
    return b & mask;
}
/// As bits_of, moved up.
[[gnu::always_inline]] static inline Bytes32 bits_moved(Bytes32 b, int shift, uint8_t mask, int up) {
    typedef uint16_t Words __attribute__((vector_size(32)));
    b = bits_of(b, shift, mask);
    Words w;
    __builtin_memcpy(&w, &b, 32);
    w = w << uint16_t(up);
    __builtin_memcpy(&b, &w, 32);
    return b;
}

/// Eight small numbers for 32 weights each, as sixteen for 16 each.
[[gnu::always_inline]] static inline void each_twice(const uint8_t* eight, int16_t* out) {
#if defined(__AVX2__)
    const __m128i v = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(eight));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(v, v)));
#else
    for (int i = 0; i < 16; ++i) out[i] = eight[i / 2];
#endif
}

/// The 6-bit scales and minima of Q4_K and Q5_K.
[[gnu::always_inline]] static inline void unpack_k_scales(const uint8_t* packed, Unpacked256& u) {
    const uint32_t a = load_u32(packed), b = load_u32(packed + 4), c = load_u32(packed + 8);
    constexpr uint32_t six = 0x3f3f3f3f, four = 0x0f0f0f0f, two = 0x03030303;
    const uint32_t scales[2] = {a & six, (c & four) | (a >> 6 & two) << 4};
    const uint32_t mins[2] = {b & six, (c >> 4 & four) | (b >> 6 & two) << 4};
    uint8_t bytes[8];
    __builtin_memcpy(bytes, scales, 8);
    each_twice(bytes, u.scale);
    __builtin_memcpy(bytes, mins, 8);
    each_twice(bytes, u.min);
}

template <TensorType T>
struct Block256;

template <>
struct Block256<TensorType::Q4_K> {
    static constexpr uint32_t bytes = 144;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        u.dmin = float_from_half(load_u16(b + 2));
        unpack_k_scales(b + 4, u);
        for (int j = 0; j < 4; ++j) {
            const Bytes32 q = load32(b + 16 + 32 * j);
            store32(u.q + 64 * j, q & uint8_t(15));
            store32(u.q + 64 * j + 32, bits_of(q, 4, 15));
        }
    }
};

template <>
struct Block256<TensorType::Q5_K> {
    static constexpr uint32_t bytes = 176;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        u.dmin = float_from_half(load_u16(b + 2));
        unpack_k_scales(b + 4, u);
        Bytes32 high = load32(b + 16);
        for (int j = 0; j < 4; ++j) {
            const Bytes32 q = load32(b + 48 + 32 * j);
            store32(u.q + 64 * j, (q & uint8_t(15)) | bits_moved(high, 0, 1, 4));
            store32(u.q + 64 * j + 32, bits_of(q, 4, 15) | bits_moved(high, 1, 1, 4));
            high = bits_of(high, 2, 63);
        }
    }
};

template <>
struct Block256<TensorType::Q2_K> {
    static constexpr uint32_t bytes = 84;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 80));
        u.dmin = float_from_half(load_u16(b + 82));
        for (int i = 0; i < 16; ++i) u.scale[i] = int16_t(b[i] & 15);
        for (int i = 0; i < 16; ++i) u.min[i] = int16_t(b[i] >> 4);
        for (int half = 0; half < 2; ++half) {
            const Bytes32 q = load32(b + 16 + 32 * half);
            uint8_t* out = u.q + 128 * half;
            store32(out, q & uint8_t(3));
            store32(out + 32, bits_of(q, 2, 3));
            store32(out + 64, bits_of(q, 4, 3));
            store32(out + 96, bits_of(q, 6, 3));
        }
    }
};

template <>
struct Block256<TensorType::Q3_K> {
    static constexpr uint32_t bytes = 110;
    static constexpr int zero = 4;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 108));
        const uint8_t* packed = b + 96;
        for (int i = 0; i < 8; ++i) {
            u.scale[i] = int16_t(((packed[i] & 15) | (packed[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32);
            u.scale[8 + i] =
                int16_t((packed[i] >> 4 | (packed[8 + i % 4] >> (4 + 2 * (i / 4)) & 3) << 4) - 32);
        }
        Bytes32 high = load32(b);
        for (int half = 0; half < 2; ++half) {
            const Bytes32 q = load32(b + 32 + 32 * half);
            uint8_t* out = u.q + 128 * half;
            store32(out, (q & uint8_t(3)) | bits_moved(high, 0, 1, 2));
            store32(out + 32, bits_of(q, 2, 3) | bits_moved(high, 1, 1, 2));
            store32(out + 64, bits_of(q, 4, 3) | bits_moved(high, 2, 1, 2));
            store32(out + 96, bits_of(q, 6, 3) | bits_moved(high, 3, 1, 2));
            high = bits_of(high, 4, 15);
        }
    }
};

template <>
struct Block256<TensorType::Q6_K> {
    static constexpr uint32_t bytes = 210;
    static constexpr int zero = 32;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b + 208));
        for (int i = 0; i < 16; ++i) u.scale[i] = int8_t(b[192 + i]);
        for (int half = 0; half < 2; ++half) {
            const Bytes32 q1 = load32(b + 64 * half), q2 = load32(b + 64 * half + 32),
                          high = load32(b + 128 + 32 * half);
            uint8_t* out = u.q + 128 * half;
            store32(out, (q1 & uint8_t(15)) | bits_moved(high, 0, 3, 4));
            store32(out + 32, (q2 & uint8_t(15)) | bits_moved(high, 2, 3, 4));
            store32(out + 64, bits_of(q1, 4, 15) | bits_moved(high, 4, 3, 4));
            store32(out + 96, bits_of(q2, 4, 15) | bits_moved(high, 6, 3, 4));
        }
    }
};

/// 16 nibbles -> the code book's values: low halves, then high ones.
[[gnu::always_inline]] static inline void look_up_nibbles(const uint8_t* src, const int8_t* book,
                                                          uint8_t* out) {
#if defined(__AVX2__)
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(book)),
                  q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src)), mask = _mm_set1_epi8(15);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(table, _mm_and_si128(q, mask)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16),
                     _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(q, 4), mask)));
#else
    for (int i = 0; i < 16; ++i) {
        out[i] = uint8_t(book[src[i] & 15]);
        out[16 + i] = uint8_t(book[src[i] >> 4]);
    }
#endif
}

template <>
struct Block256<TensorType::IQ4_XS> {
    static constexpr uint32_t bytes = 136;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        const uint16_t high = load_u16(b + 2);
        for (int g = 0; g < 8; ++g) {
            const int scale = ((b[4 + g / 2] >> 4 * (g % 2) & 15) | (high >> 2 * g & 3) << 4) - 32;
            u.scale[2 * g] = u.scale[2 * g + 1] = int16_t(scale);
            look_up_nibbles(b + 8 + 16 * g, quant::kvalues_iq4nl, u.q + 32 * g);
        }
    }
};

// The code-book types: entries of 8 magnitudes (or two of 4) with a bit of sign for each; zero is 64, because
// magnitudes are below 64.
inline constexpr int grid_zero = 64;

/// 64 + (grid, negated where a bit of signs is set), byte by byte.
[[gnu::always_inline]] static inline uint64_t with_signs(uint64_t grid, uint32_t signs) {
    // Each sign bit spread to its byte: 0xff where set.
    constexpr uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    const uint64_t bit = ((signs & 0xff) * ones) & 0x8040201008040201u;      // byte i holds bit i alone
    const uint64_t set = (((bit + 0x7f7f7f7f7f7f7f7fu) | bit) & high) >> 7;  // 1 in bytes that are not zero
    const uint64_t mask = set * 0xff;
    // No byte overflows or borrows, since magnitudes are below 64.
    const uint64_t zeros = ones * grid_zero;
    return ((zeros + grid) & ~mask) | ((zeros - grid) & mask);
}

[[gnu::always_inline]] static inline void put_grid(uint8_t* out, uint64_t grid, uint32_t signs) {
    const uint64_t q = with_signs(grid, signs);
    __builtin_memcpy(out, &q, 8);
}

template <>
struct Block256<TensorType::IQ2_XXS> {
    static constexpr uint32_t bytes = 66;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        for (int g = 0; g < 8; ++g) {
            const uint8_t* index = b + 2 + 8 * g;
            const uint32_t packed = load_u32(index + 4);
            u.scale[2 * g] = u.scale[2 * g + 1] = int16_t(2 * (packed >> 28) + 1);
            for (int l = 0; l < 4; ++l)
                put_grid(u.q + 32 * g + 8 * l, quant::iq2xxs_grid[index[l]],
                         quant::ksigns_iq2xs[packed >> 7 * l & 127]);
        }
    }
};

template <>
struct Block256<TensorType::IQ2_XS> {
    static constexpr uint32_t bytes = 74;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        for (int g = 0; g < 8; ++g) {
            const uint8_t s = b[66 + g];
            u.scale[2 * g] = int16_t(2 * (s & 15) + 1);
            u.scale[2 * g + 1] = int16_t(2 * (s >> 4) + 1);
            for (int l = 0; l < 4; ++l) {
                const uint16_t q = load_u16(b + 2 + 8 * g + 2 * l);
                put_grid(u.q + 32 * g + 8 * l, quant::iq2xs_grid[q & 511], quant::ksigns_iq2xs[q >> 9]);
            }
        }
    }
};

template <>
struct Block256<TensorType::IQ2_S> {
    static constexpr uint32_t bytes = 82;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        const uint8_t *index = b + 2, *signs = b + 34, *high = b + 66, *scales = b + 74;
        for (int g = 0; g < 8; ++g) {
            u.scale[2 * g] = int16_t(2 * (scales[g] & 15) + 1);
            u.scale[2 * g + 1] = int16_t(2 * (scales[g] >> 4) + 1);
            for (int l = 0; l < 4; ++l) {
                const uint32_t at = index[4 * g + l] | (uint32_t(high[g]) << (8 - 2 * l) & 0x300u);
                put_grid(u.q + 32 * g + 8 * l, quant::iq2s_grid[at], signs[4 * g + l]);
            }
        }
    }
};

template <>
struct Block256<TensorType::IQ3_XXS> {
    static constexpr uint32_t bytes = 98;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.25f;
        for (int g = 0; g < 8; ++g) {
            const uint8_t* index = b + 2 + 8 * g;
            const uint32_t packed = load_u32(b + 66 + 4 * g);
            u.scale[2 * g] = u.scale[2 * g + 1] = int16_t(2 * (packed >> 28) + 1);
            for (int l = 0; l < 4; ++l) {
                const uint64_t grid =
                    quant::iq3xxs_grid[index[2 * l]] | uint64_t(quant::iq3xxs_grid[index[2 * l + 1]]) << 32;
                put_grid(u.q + 32 * g + 8 * l, grid, quant::ksigns_iq2xs[packed >> 7 * l & 127]);
            }
        }
    }
};

template <>
struct Block256<TensorType::IQ3_S> {
    static constexpr uint32_t bytes = 110;
    static constexpr int zero = grid_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b));
        const uint8_t *index = b + 2, *high = b + 66, *signs = b + 74, *scales = b + 106;
        for (int g = 0; g < 8; ++g) {
            u.scale[2 * g] = u.scale[2 * g + 1] =
                int16_t(1 + 2 * (g % 2 ? scales[g / 2] >> 4 : scales[g / 2] & 15));
            for (int l = 0; l < 4; ++l) {
                const uint32_t i1 = index[8 * g + 2 * l] | (uint32_t(high[g]) << (8 - 2 * l) & 256u);
                const uint32_t i2 = index[8 * g + 2 * l + 1] | (uint32_t(high[g]) << (7 - 2 * l) & 256u);
                put_grid(u.q + 32 * g + 8 * l, quant::iq3s_grid[i1] | uint64_t(quant::iq3s_grid[i2]) << 32,
                         signs[4 * g + l]);
            }
        }
    }
};

// IQ1: entries are -1, 0 or 1, plus or minus an eighth: in eighths, from -9 to 9.
inline constexpr int iq1_zero = 9;

[[gnu::always_inline]] static inline void put_iq1(uint8_t* out, uint32_t index, bool down) {
    int8_t g[8];
    __builtin_memcpy(g, &quant::iq1s_grid[index], 8);
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = uint8_t(8 * g[i] + (down ? -1 : 1) + iq1_zero);
    __builtin_memcpy(out, bytes, 8);
}

template <>
struct Block256<TensorType::IQ1_S> {
    static constexpr uint32_t bytes = 50;
    static constexpr int zero = iq1_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        u.d = float_from_half(load_u16(b)) * 0.125f;
        for (int g = 0; g < 8; ++g) {
            const uint16_t h = load_u16(b + 34 + 2 * g);
            u.scale[2 * g] = u.scale[2 * g + 1] = int16_t(2 * (h >> 12 & 7) + 1);
            for (int l = 0; l < 4; ++l)
                put_iq1(u.q + 32 * g + 8 * l, b[2 + 4 * g + l] | (h >> 3 * l & 7) << 8, h & 0x8000);
        }
    }
};

template <>
struct Block256<TensorType::IQ1_M> {
    static constexpr uint32_t bytes = 56;
    static constexpr int zero = iq1_zero;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, Unpacked256& u) {
        const uint8_t *index = b, *high = b + 32, *scales = b + 48;
        uint16_t s[4];
        for (int i = 0; i < 4; ++i) s[i] = load_u16(scales + 2 * i);
        u.d = float_from_half(
                  uint16_t(s[0] >> 12 | (s[1] >> 8 & 0x00f0) | (s[2] >> 4 & 0x0f00) | (s[3] & 0xf000))) *
              0.125f;
        for (int g = 0; g < 8; ++g)
            for (int l = 0; l < 4; ++l) {
                u.scale[2 * g + l / 2] = int16_t(2 * (s[g / 2] >> (6 * (g % 2) + 3 * (l / 2)) & 7) + 1);
                const uint32_t h = high[2 * g + l / 2] >> 4 * (l % 2);
                put_iq1(u.q + 32 * g + 8 * l, index[4 * g + l] | (h & 7) << 8, h & 8);
            }
    }
};

template <TensorType T>
struct Block32;

[[gnu::always_inline]] static inline void nibbles_in_order(const uint8_t* src, uint8_t* out) {
    typedef uint8_t Bytes16 __attribute__((vector_size(16)));
    Bytes16 q;
    __builtin_memcpy(&q, src, 16);
    const Bytes16 low = q & uint8_t(15), high = q >> uint8_t(4);
    __builtin_memcpy(out, &low, 16);
    __builtin_memcpy(out + 16, &high, 16);
}

/// Adds 16 to the weights whose bit is set.
[[gnu::always_inline]] static inline void fifth_bits(uint32_t bits, uint8_t* out) {
    for (int i = 0; i < 32; ++i) out[i] = uint8_t(out[i] | (bits >> i & 1) << 4);
}

template <>
struct Block32<TensorType::Q8_0> {
    static constexpr uint32_t bytes = 34;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float&) {
        d = float_from_half(load_u16(b));
        store32(q, load32(b + 2));
    }
};

template <>
struct Block32<TensorType::Q4_0> {
    static constexpr uint32_t bytes = 18;
    static constexpr int zero = 8;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float&) {
        d = float_from_half(load_u16(b));
        nibbles_in_order(b + 2, q);
    }
};

template <>
struct Block32<TensorType::Q4_1> {
    static constexpr uint32_t bytes = 20;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float& m) {
        d = float_from_half(load_u16(b));
        m = float_from_half(load_u16(b + 2));
        nibbles_in_order(b + 4, q);
    }
};

template <>
struct Block32<TensorType::Q5_0> {
    static constexpr uint32_t bytes = 22;
    static constexpr int zero = 16;
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float&) {
        d = float_from_half(load_u16(b));
        nibbles_in_order(b + 6, q);
        fifth_bits(load_u32(b + 2), q);
    }
};

template <>
struct Block32<TensorType::Q5_1> {
    static constexpr uint32_t bytes = 24;
    static constexpr int zero = 0;
    static constexpr bool has_min = true, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float& m) {
        d = float_from_half(load_u16(b));
        m = float_from_half(load_u16(b + 2));
        nibbles_in_order(b + 8, q);
        fifth_bits(load_u32(b + 4), q);
    }
};

template <>
struct Block32<TensorType::IQ4_NL> {
    static constexpr uint32_t bytes = 18;
    static constexpr int zero = 0;
    static constexpr bool has_min = false, wide = true;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float&) {
        d = float_from_half(load_u16(b));
        look_up_nibbles(b + 2, quant::kvalues_iq4nl, q);
    }
};

static constexpr int8_t mxfp4_book[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

template <>
struct Block32<TensorType::MXFP4> {
    static constexpr uint32_t bytes = 17;
    static constexpr int zero = 12;  // of the doubled E2M1 values, shifted to be unsigned
    static constexpr bool has_min = false, wide = false;
    [[gnu::always_inline]] static inline void unpack(const uint8_t* b, uint8_t* q, float& d, float&) {
        d = float_of_bits(b[0] < 2 ? 0x00200000u << b[0] : uint32_t(b[0] - 1) << 23);
        look_up_nibbles(b + 1, mxfp4_book, q);
    }
};

}  // namespace sluice::portable
