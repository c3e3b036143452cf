// Types that look weights up in code books (grids.h). Groups of 8 weights are one entry of a grid, with signs
// beside it; the IQ1 types add a constant shift of 0.125 to each entry.
#pragma once

#include "quant/floats.h"
#include "quant/grids.h"

namespace sluice {

/// y[0..n) = d * grid bytes, negated where a bit of `signs` is set.
[[gnu::always_inline]] static inline void signed_grid(const void* grid, int n, uint32_t signs, float d,
                                                      float* y) {
    uint8_t g[8];
    __builtin_memcpy(g, grid, size_t(n));
    for (int i = 0; i < n; ++i) y[i] = d * float(g[i]) * (signs >> i & 1 ? -1.0f : 1.0f);
}

/// half d; for each 32 weights: four grid indices, then four 7-bit signs and a 4-bit scale in a u32.
static inline void decode_block_iq2_xxs(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int g = 0; g < 8; ++g) {
        const uint8_t* index = b + 2 + 8 * g;
        const uint32_t packed = load_u32(index + 4);
        const float dl = d * (0.5f + float(packed >> 28)) * 0.25f;
        for (int l = 0; l < 4; ++l, y += 8)
            signed_grid(&quant::iq2xxs_grid[index[l]], 8, quant::ksigns_iq2xs[packed >> 7 * l & 127], dl, y);
    }
}

/// half d; 32 u16 of (9-bit index | 7-bit signs); 8 bytes of 4-bit scales.
static inline void decode_block_iq2_xs(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int g = 0; g < 8; ++g) {
        const uint8_t s = b[66 + g];
        for (int l = 0; l < 4; ++l, y += 8) {
            const uint16_t q = load_u16(b + 2 + 8 * g + 2 * l);
            const float dl = d * (0.5f + float(l < 2 ? s & 15 : s >> 4)) * 0.25f;
            signed_grid(&quant::iq2xs_grid[q & 511], 8, quant::ksigns_iq2xs[q >> 9], dl, y);
        }
    }
}

/// half d; 32 index bytes, 32 sign bytes; 8 bytes of high index bits; 8 bytes of 4-bit scales.
static inline void decode_block_iq2_s(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    const uint8_t *index = b + 2, *signs = b + 34, *high = b + 66, *scales = b + 74;
    for (int g = 0; g < 8; ++g)
        for (int l = 0; l < 4; ++l, y += 8) {
            const float dl = d * (0.5f + float(l < 2 ? scales[g] & 15 : scales[g] >> 4)) * 0.25f;
            const uint32_t at = index[4 * g + l] | (uint32_t(high[g]) << (8 - 2 * l) & 0x300u);
            signed_grid(&quant::iq2s_grid[at], 8, signs[4 * g + l], dl, y);
        }
}

/// half d; 64 index bytes (4 weights each); for each 32 weights a u32 of four 7-bit signs and a 4-bit scale.
static inline void decode_block_iq3_xxs(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int g = 0; g < 8; ++g) {
        const uint8_t* index = b + 2 + 8 * g;
        const uint32_t packed = load_u32(b + 66 + 4 * g);
        const float dl = d * (0.5f + float(packed >> 28)) * 0.5f;
        for (int l = 0; l < 4; ++l, y += 8) {
            const uint8_t signs = quant::ksigns_iq2xs[packed >> 7 * l & 127];
            signed_grid(&quant::iq3xxs_grid[index[2 * l]], 4, signs, dl, y);
            signed_grid(&quant::iq3xxs_grid[index[2 * l + 1]], 4, uint32_t(signs) >> 4, dl, y + 4);
        }
    }
}

/// half d; 64 index bytes; 8 bytes of ninth index bits; 32 sign bytes; 4 bytes of 4-bit scales for 64 weights
/// each half.
static inline void decode_block_iq3_s(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    const uint8_t *index = b + 2, *high = b + 66, *signs = b + 74, *scales = b + 106;
    for (int g = 0; g < 8; ++g) {
        const float dl = d * float(1 + 2 * (g % 2 ? scales[g / 2] >> 4 : scales[g / 2] & 15));
        for (int l = 0; l < 4; ++l, y += 8) {
            const uint32_t i1 = index[8 * g + 2 * l] | (uint32_t(high[g]) << (8 - 2 * l) & 256u);
            const uint32_t i2 = index[8 * g + 2 * l + 1] | (uint32_t(high[g]) << (7 - 2 * l) & 256u);
            signed_grid(&quant::iq3s_grid[i1], 4, signs[4 * g + l], dl, y);
            signed_grid(&quant::iq3s_grid[i2], 4, uint32_t(signs[4 * g + l]) >> 4, dl, y + 4);
        }
    }
}

/// y[0..8) = dl * (signed grid byte + delta)
[[gnu::always_inline]] static inline void shifted_grid(uint32_t index, float dl, float delta, float* y) {
    int8_t g[8];
    __builtin_memcpy(g, &quant::iq1s_grid[index], 8);
    for (int i = 0; i < 8; ++i) y[i] = dl * (float(g[i]) + delta);
}

inline constexpr float iq1_delta = 0.125f;

/// half d; 32 index bytes; for each 32 weights a u16: four 3-bit high index parts, a 3-bit scale, the sign of
/// the shift.
static inline void decode_block_iq1_s(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int g = 0; g < 8; ++g) {
        const uint16_t h = load_u16(b + 34 + 2 * g);
        const float dl = d * float(2 * (h >> 12 & 7) + 1), delta = h & 0x8000 ? -iq1_delta : iq1_delta;
        for (int l = 0; l < 4; ++l, y += 8)
            shifted_grid(b[2 + 4 * g + l] | (h >> 3 * l & 7) << 8, dl, delta, y);
    }
}

/// 32 index bytes; 16 bytes of two (3-bit high index part, sign of the shift); 8 bytes of scales: 3 bits for
/// each 16 weights, and a half-precision d in the top four bits of the four u16.
static inline void decode_block_iq1_m(const uint8_t* b, float* y) {
    const uint8_t *index = b, *high = b + 32, *scales = b + 48;
    uint16_t s[4];
    for (int i = 0; i < 4; ++i) s[i] = load_u16(scales + 2 * i);
    const float d =
        float_from_half(uint16_t(s[0] >> 12 | (s[1] >> 8 & 0x00f0) | (s[2] >> 4 & 0x0f00) | (s[3] & 0xf000)));
    for (int g = 0; g < 8; ++g)
        for (int l = 0; l < 4; ++l, y += 8) {
            const int shift = 6 * (g % 2) + 3 * (l / 2);
            const float dl = d * float(2 * (s[g / 2] >> shift & 7) + 1);
            const uint32_t h = high[2 * g + l / 2] >> 4 * (l % 2);
            shifted_grid(index[4 * g + l] | (h & 7) << 8, dl, h & 8 ? -iq1_delta : iq1_delta, y);
        }
}

/// half d; 16 bytes of nibbles that index a fixed non-linear table.
static inline void decode_block_iq4_nl(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int i = 0; i < 16; ++i) {
        y[i] = d * float(quant::kvalues_iq4nl[b[2 + i] & 15]);
        y[i + 16] = d * float(quant::kvalues_iq4nl[b[2 + i] >> 4]);
    }
}

/// half d; u16 of high scale bits, 4 bytes of low ones (6 bits for each 32 weights); 128 bytes of nibbles.
static inline void decode_block_iq4_xs(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    const uint16_t high = load_u16(b + 2);
    for (int g = 0; g < 8; ++g, y += 32) {
        const int scale = (b[4 + g / 2] >> 4 * (g % 2) & 15) | (high >> 2 * g & 3) << 4;
        const float dl = d * float(scale - 32);
        const uint8_t* q = b + 8 + 16 * g;
        for (int i = 0; i < 16; ++i) {
            y[i] = dl * float(quant::kvalues_iq4nl[q[i] & 15]);
            y[i + 16] = dl * float(quant::kvalues_iq4nl[q[i] >> 4]);
        }
    }
}

}  // namespace sluice
