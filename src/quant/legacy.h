// Blocks of 32 weights with one scale (and a minimum for the _1 types). Nibbles: the low halves of 16 bytes
// are weights 0..15, the high halves 16..31.
#pragma once

#include "quant/floats.h"

namespace sluice {

/// half d; 16 bytes of nibbles: d * (q - 8)
static inline void decode_block_q4_0(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int i = 0; i < 16; ++i) {
        y[i] = float((b[2 + i] & 15) - 8) * d;
        y[i + 16] = float((b[2 + i] >> 4) - 8) * d;
    }
}

/// half d, half m; nibbles: d * q + m
static inline void decode_block_q4_1(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b)), m = float_from_half(load_u16(b + 2));
    for (int i = 0; i < 16; ++i) {
        y[i] = float(b[4 + i] & 15) * d + m;
        y[i + 16] = float(b[4 + i] >> 4) * d + m;
    }
}

/// half d; u32 of fifth bits; nibbles: d * (q - 16)
static inline void decode_block_q5_0(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    const uint32_t high = load_u32(b + 2);
    for (int i = 0; i < 16; ++i) {
        y[i] = float(int((b[6 + i] & 15) | (high >> i & 1) << 4) - 16) * d;
        y[i + 16] = float(int((b[6 + i] >> 4) | (high >> (i + 16) & 1) << 4) - 16) * d;
    }
}

/// half d, half m; u32 of fifth bits; nibbles: d * q + m
static inline void decode_block_q5_1(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b)), m = float_from_half(load_u16(b + 2));
    const uint32_t high = load_u32(b + 4);
    for (int i = 0; i < 16; ++i) {
        y[i] = float((b[8 + i] & 15) | (high >> i & 1) << 4) * d + m;
        y[i + 16] = float((b[8 + i] >> 4) | (high >> (i + 16) & 1) << 4) * d + m;
    }
}

/// half d; 32 signed bytes
static inline void decode_block_q8_0(const uint8_t* b, float* y) {
    const float d = float_from_half(load_u16(b));
    for (int i = 0; i < 32; ++i) y[i] = float(int8_t(b[2 + i])) * d;
}

/// E8M0 scale (a power of two, halved because the code book is doubled); nibbles index FP4 E2M1 (OCP MX 1.0).
static inline void decode_block_mxfp4(const uint8_t* b, float* y) {
    constexpr int8_t doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    const float d = float_of_bits(b[0] < 2 ? 0x00200000u << b[0] : uint32_t(b[0] - 1) << 23);
    for (int i = 0; i < 16; ++i) {
        y[i] = float(doubled[b[1 + i] & 15]) * d;
        y[i + 16] = float(doubled[b[1 + i] >> 4]) * d;
    }
}

}  // namespace sluice
