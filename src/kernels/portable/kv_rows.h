// Rows of the KV cache to and from their stored form. What attention reads is always the stored form, also
// for tokens of the present batch, so that the split of a prompt into batches cannot change a bit.
#pragma once

#include "kernels/kernel_table.h"
#include "quant/floats.h"

namespace sluice::portable {

inline constexpr uint32_t kv_block = 32;

static inline void encode_q8_row(const float* src, uint8_t* dst, uint32_t width) {
    for (uint32_t i = 0; i < width; i += kv_block) {
        const uint32_t n = width - i < kv_block ? width - i : kv_block;
        float largest = 0;
        for (uint32_t j = 0; j < n; ++j) {
            const float a = __builtin_fabsf(src[i + j]);
            largest = a > largest ? a : largest;
        }
        const uint16_t scale = half_from_float(largest / 127.0f);
        const float kept = float_from_half(scale), inverse = kept > 0 ? 1.0f / kept : 0.0f;
        __builtin_memcpy(dst, &scale, 2);
        for (uint32_t j = 0; j < n; ++j) {
            float q = src[i + j] * inverse;
            q = q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q;
            dst[2 + j] = uint8_t(int8_t(q + (q < 0 ? -0.5f : 0.5f)));
        }
        dst += 2 + n;
    }
}

static inline void decode_q8_row(const uint8_t* src, float* dst, uint32_t width) {
    const auto block = [](const uint8_t* from, float* to, uint32_t n) __attribute__((always_inline)) {
        const float scale = float_from_half(load_u16(from));
        for (uint32_t j = 0; j < n; ++j) to[j] = scale * float(int8_t(from[2 + j]));
    };
    uint32_t i = 0;
    for (; i + kv_block <= width; i += kv_block, src += 2 + kv_block) block(src, dst + i, kv_block);
    if (i < width) block(src, dst + i, width - i);
}

static inline void kv_encode(KvFormat format, const float* src, std::byte* dst, uint32_t width) {
    uint8_t* bytes = reinterpret_cast<uint8_t*>(dst);
    switch (format) {
        case KvFormat::f32:
            __builtin_memcpy(bytes, src, width * sizeof(float));
            break;
        case KvFormat::f16:
            for (uint32_t i = 0; i < width; ++i) {
                const uint16_t h = half_from_float(src[i]);
                __builtin_memcpy(bytes + 2 * i, &h, 2);
            }
            break;
        case KvFormat::q8_0:
            encode_q8_row(src, bytes, width);
            break;
    }
}

static inline void kv_decode(KvFormat format, const std::byte* src, float* dst, uint32_t width) {
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(src);
    switch (format) {
        case KvFormat::f32:
            __builtin_memcpy(dst, bytes, width * sizeof(float));
            break;
        case KvFormat::f16:
            decode_f16(bytes, dst, width);
            break;
        case KvFormat::q8_0:
            decode_q8_row(bytes, dst, width);
            break;
    }
}

}  // namespace sluice::portable
