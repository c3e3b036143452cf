// Activations to signed bytes: scale = largest magnitude / 127, rounded to nearest (ties to even).
#pragma once

#include "kernels/activations.h"

namespace sluice::portable {

/// n values; the rest of `padded` bytes become zero. Returns the scale.
[[gnu::always_inline]] static inline float quantise_run(const float* x, uint32_t n, int8_t* q,
                                                        uint32_t padded) {
    float largest = 0;
    uint32_t i = 0;
    if (n >= 16) {  // sixteen at a time: the largest is the same in any order
        float most[16] = {};
        for (; i + 16 <= n; i += 16)
            for (uint32_t j = 0; j < 16; ++j) {
                const float a = __builtin_fabsf(x[i + j]);
                most[j] = a > most[j] ? a : most[j];
            }
        for (const float m : most) largest = m > largest ? m : largest;
    }
    for (; i < n; ++i) {
        const float a = __builtin_fabsf(x[i]);
        largest = a > largest ? a : largest;
    }
    const float scale = largest / 127.0f, inverse = scale > 1e-30f ? 1.0f / scale : 0.0f;
    constexpr float shifter = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    for (i = 0; i < n; ++i) {
        float v = x[i] * inverse;
        v = v > 127.0f ? 127.0f : v;
        v = v < -127.0f ? -127.0f : v;
        q[i] = int8_t(__builtin_bit_cast(int32_t, v + shifter) - 0x4b400000);
    }
    for (i = n; i < padded; ++i) q[i] = 0;
    return inverse == 0.0f ? 0.0f : scale;
}

static inline void quantise_by_256(const float* x, uint32_t n, Activations256* out) {
    for (uint32_t i = 0; i < n; i += activation_block, ++out) {
        out->scale = quantise_run(x + i, n - i < activation_block ? n - i : activation_block, out->q,
                                  activation_block);
        for (int g = 0; g < 16; ++g) {
            int sum = 0;
            for (int j = 0; j < 16; ++j) sum += out->q[16 * g + j];
            out->sums[g] = int16_t(sum);
        }
        for (int g = 0; g < 8; ++g) out->sums_of_32[g] = int16_t(out->sums[2 * g] + out->sums[2 * g + 1]);
    }
}

static inline void quantise_by_32(const float* x, uint32_t n, Activations32* out) {
    for (uint32_t i = 0; i < n; i += activation_block, ++out)
        for (uint32_t g = 0; g < 8; ++g) {
            const uint32_t at = i + 32 * g, left = at < n ? n - at : 0;
            out->scale[g] = quantise_run(x + at, left < 32 ? left : 32, out->q + 32 * g, 32);
            int sum = 0;
            for (int j = 0; j < 32; ++j) sum += out->q[32 * g + uint32_t(j)];
            out->sums[g] = sum;
        }
}

static inline void quantise(ActivationKind kind, const float* x, uint32_t n, std::byte* out) {
    if (kind == ActivationKind::by_256)
        quantise_by_256(x, n, reinterpret_cast<Activations256*>(out));
    else
        quantise_by_32(x, n, reinterpret_cast<Activations32*>(out));
}

}  // namespace sluice::portable
