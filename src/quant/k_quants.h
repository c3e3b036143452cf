// Super-blocks of 256 weights: half-precision scales over small integer scales of 16 or 32 weights each.
#pragma once

#include "quant/floats.h"

namespace sluice {

/// 16 bytes of (scale | min << 4) for 16 weights each; 64 bytes of 2-bit values; half d, half dmin.
static inline void decode_block_q2_k(const uint8_t* b, float* y) {
    const uint8_t *scales = b, *q = b + 16;
    const float d = float_from_half(load_u16(b + 80)), min = float_from_half(load_u16(b + 82));
    for (int half = 0; half < 2; ++half, q += 32)
        for (int shift = 0; shift < 8; shift += 2)
            for (int part = 0; part < 2; ++part, y += 16) {
                const uint8_t s = *scales++;
                const float dl = d * float(s & 15), ml = min * float(s >> 4);
                for (int i = 0; i < 16; ++i) y[i] = dl * float(q[16 * part + i] >> shift & 3) - ml;
            }
}

/// 32 bytes of third bits; 64 bytes of 2-bit values; 12 bytes of sixteen 6-bit scales; half d.
static inline void decode_block_q3_k(const uint8_t* b, float* y) {
    const uint8_t *high = b, *q = b + 32, *packed = b + 96;
    const float d = float_from_half(load_u16(b + 108));
    int8_t scales[16];  // low four bits in bytes 0..7, high two bits in bytes 8..11
    for (int i = 0; i < 16; ++i) {
        const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
        scales[i] = int8_t((low | (packed[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32);
    }
    int is = 0;
    uint8_t bit = 1;
    for (int half = 0; half < 2; ++half, q += 32)
        for (int shift = 0; shift < 8; shift += 2, bit = uint8_t(bit << 1))
            for (int part = 0; part < 2; ++part, y += 16) {
                const float dl = d * float(scales[is++]);
                for (int i = 0; i < 16; ++i)
                    y[i] =
                        dl * float(int(q[16 * part + i] >> shift & 3) - (high[16 * part + i] & bit ? 0 : 4));
            }
}

/// Eight 6-bit scales and minima in 12 bytes (Q4_K, Q5_K).
[[gnu::always_inline]] static inline void k_scale_min(const uint8_t* packed, int j, int& scale, int& min) {
    if (j < 4) {
        scale = packed[j] & 63;
        min = packed[j + 4] & 63;
    } else {
        scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
        min = packed[j + 4] >> 4 | (packed[j] >> 6) << 4;
    }
}

/// half d, half dmin; 12 bytes of scales and minima for 32 weights each; 128 bytes of nibbles.
static inline void decode_block_q4_k(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b)), dmin = float_from_half(load_u16(b + 2));
    const uint8_t* q = b + 16;
    for (int j = 0; j < 8; j += 2, q += 32, y += 64) {
        int s1, m1, s2, m2;
        k_scale_min(b + 4, j, s1, m1);
        k_scale_min(b + 4, j + 1, s2, m2);
        const float d1 = d * float(s1), min1 = dmin * float(m1), d2 = d * float(s2), min2 = dmin * float(m2);
        for (int i = 0; i < 32; ++i) y[i] = d1 * float(q[i] & 15) - min1;
        for (int i = 0; i < 32; ++i) y[32 + i] = d2 * float(q[i] >> 4) - min2;
    }
}

/// As Q4_K with 32 bytes of fifth bits before the nibbles.
static inline void decode_block_q5_k(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b)), dmin = float_from_half(load_u16(b + 2));
    const uint8_t *high = b + 16, *q = b + 48;
    for (int j = 0; j < 8; j += 2, q += 32, y += 64) {
        int s1, m1, s2, m2;
        k_scale_min(b + 4, j, s1, m1);
        k_scale_min(b + 4, j + 1, s2, m2);
        const float d1 = d * float(s1), min1 = dmin * float(m1), d2 = d * float(s2), min2 = dmin * float(m2);
        for (int i = 0; i < 32; ++i) y[i] = d1 * float((q[i] & 15) + (high[i] >> j & 1) * 16) - min1;
        for (int i = 0; i < 32; ++i)
            y[32 + i] = d2 * float((q[i] >> 4) + (high[i] >> (j + 1) & 1) * 16) - min2;
    }
}

/// 128 bytes of low nibbles; 64 bytes of high 2-bit parts; 16 signed scales; half d.
static inline void decode_block_q6_k(const uint8_t* b, float* y) {
    const uint8_t *low = b, *high = b + 128, *scales = b + 192;
    const float d = float_from_half(load_u16(b + 208));
    for (int half = 0; half < 2; ++half, y += 128, low += 64, high += 32, scales += 8)
        for (int i = 0; i < 32; ++i) {
            const int s = i / 16;
            const int q1 = int((low[i] & 15) | (high[i] & 3) << 4) - 32;
            const int q2 = int((low[i + 32] & 15) | (high[i] >> 2 & 3) << 4) - 32;
            const int q3 = int((low[i] >> 4) | (high[i] >> 4 & 3) << 4) - 32;
            const int q4 = int((low[i + 32] >> 4) | (high[i] >> 6 & 3) << 4) - 32;
            y[i] = d * float(int8_t(scales[s])) * float(q1);
            y[i + 32] = d * float(int8_t(scales[s + 2])) * float(q2);
            y[i + 64] = d * float(int8_t(scales[s + 4])) * float(q3);
            y[i + 96] = d * float(int8_t(scales[s + 6])) * float(q4);
        }
}

}  // namespace sluice
