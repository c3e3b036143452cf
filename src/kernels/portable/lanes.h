// Sixteen floats at a time: the vector type of the portable kernels. The compiler makes it one AVX-512
// register, two AVX ones or four SSE/NEON ones; the order of every sum is the same in each.
#pragma once

#include <cstdint>

namespace sluice::lanes {

inline constexpr uint32_t width = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));

[[gnu::always_inline]] static inline Floats load(const float* p) {
    Floats v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

[[gnu::always_inline]] static inline void store(float* p, Floats v) {
    __builtin_memcpy(p, &v, sizeof v);
}

[[gnu::always_inline]] static inline Floats all(float x) {
    return x - Floats{};
}

/// The first n < 16 floats; the rest is zero.
[[gnu::always_inline]] static inline Floats load_part(const float* p, uint32_t n) {
    Floats v{};
    __builtin_memcpy(&v, p, n * sizeof(float));
    return v;
}

/// A fixed tree: lanes i and i + 8, then + 4, + 2, + 1.
[[gnu::always_inline]] static inline float sum(Floats v) {
    float t[16];
    store(t, v);
    for (int i = 0; i < 8; ++i) t[i] += t[i + 8];
    for (int i = 0; i < 4; ++i) t[i] += t[i + 4];
    for (int i = 0; i < 2; ++i) t[i] += t[i + 2];
    return t[0] + t[1];
}

/// e^x to about 2 units in the last place: 2^n * e^r with |r| <= ln2 / 2, the polynomial of Cephes' expf
/// (Moshier). Arguments are clamped to [-87.3, 88.3]: never a subnormal, never infinity.
[[gnu::always_inline]] static inline Floats exp(Floats x) {
    x = x > 88.3f ? all(88.3f) : x;
    x = x < -87.3f ? all(-87.3f) : x;
    const Floats shifter = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    const Floats n = (x * 1.44269504088896341f + shifter) - shifter;
    Floats r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const Ints bits = (__builtin_convertvector(n, Ints) + 127) << 23;
    Floats scale;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

}  // namespace sluice::lanes
