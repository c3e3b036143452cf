// Sixteen floats at a time, whatever the width of the machine's registers: one of AVX-512, two of AVX, four
// of SSE or NEON. Lane i of every operation is lane i on each, so the order of every sum is the same.
#pragma once

#include <cstdint>

namespace sluice::lanes {

inline constexpr uint32_t width = 16;

#if defined(__AVX512F__)
inline constexpr uint32_t native_bytes = 64;
#elif defined(__AVX__)
inline constexpr uint32_t native_bytes = 32;
#else
inline constexpr uint32_t native_bytes = 16;
#endif
typedef float NativeFloats __attribute__((vector_size(native_bytes)));
typedef int32_t NativeInts __attribute__((vector_size(native_bytes)));

/// Two registers as one value, or two pairs. (Members, not an array: the compiler keeps them in registers.)
template <typename Half>
struct Pair {
    Half low, high;
};

#if defined(__AVX512F__)
typedef NativeFloats Floats;
#elif defined(__AVX__)
typedef Pair<NativeFloats> Floats;
#else
typedef Pair<Pair<NativeFloats> > Floats;
#endif

#define SLUICE_LANES [[gnu::always_inline]] static inline

SLUICE_LANES NativeFloats add(NativeFloats a, NativeFloats b) {
    return a + b;
}
SLUICE_LANES NativeFloats multiply(NativeFloats a, NativeFloats b) {
    return a * b;
}
/// acc + a * b; fused where the machine can.
SLUICE_LANES NativeFloats multiply_add(NativeFloats acc, NativeFloats a, NativeFloats b) {
    return acc + a * b;
}
SLUICE_LANES void fill(NativeFloats& v, float x) {
    v = x - NativeFloats{};
}

template <typename H>
SLUICE_LANES Pair<H> add(const Pair<H>& a, const Pair<H>& b) {
    return {add(a.low, b.low), add(a.high, b.high)};
}
template <typename H>
SLUICE_LANES Pair<H> multiply(const Pair<H>& a, const Pair<H>& b) {
    return {multiply(a.low, b.low), multiply(a.high, b.high)};
}
template <typename H>
SLUICE_LANES Pair<H> multiply_add(const Pair<H>& acc, const Pair<H>& a, const Pair<H>& b) {
    return {multiply_add(acc.low, a.low, b.low), multiply_add(acc.high, a.high, b.high)};
}
template <typename H>
SLUICE_LANES void fill(Pair<H>& v, float x) {
    fill(v.low, x);
    fill(v.high, x);
}

SLUICE_LANES Floats all(float x) {
    Floats v;
    fill(v, x);
    return v;
}

SLUICE_LANES void load_to(NativeFloats& v, const float* p) {
    __builtin_memcpy(&v, p, sizeof v);
}
SLUICE_LANES void store(float* p, NativeFloats v) {
    __builtin_memcpy(p, &v, sizeof v);
}

template <typename H>
SLUICE_LANES void load_to(Pair<H>& v, const float* p) {
    load_to(v.low, p);
    load_to(v.high, p + sizeof(H) / sizeof(float));
}
template <typename H>
SLUICE_LANES void store(float* p, const Pair<H>& v) {
    store(p, v.low);
    store(p + sizeof(H) / sizeof(float), v.high);
}

SLUICE_LANES Floats load(const float* p) {
    Floats v;
    load_to(v, p);
    return v;
}

/// The first n < 16 floats; the rest is zero.
SLUICE_LANES Floats load_part(const float* p, uint32_t n) {
    float padded[16] = {};
    __builtin_memcpy(padded, p, n * sizeof(float));
    return load(padded);
}

/// A fixed tree: lanes i and i + 8, then + 4, + 2, + 1.
SLUICE_LANES float sum(const Floats& v) {
    float t[16];
    store(t, v);
    for (int i = 0; i < 8; ++i) t[i] += t[i + 8];
    for (int i = 0; i < 4; ++i) t[i] += t[i + 4];
    for (int i = 0; i < 2; ++i) t[i] += t[i + 2];
    return t[0] + t[1];
}

/// e^x to about 2 units in the last place: 2^n * e^r with |r| <= ln2 / 2, the polynomial of Cephes' expf
/// (Moshier). Arguments are clamped to [-87.3, 88.3]: never a subnormal, never infinity.
SLUICE_LANES NativeFloats exp(NativeFloats x) {
    const NativeFloats zero{}, most = zero + 88.3f, least = zero - 87.3f;
    x = x > most ? most : x;
    x = x < least ? least : x;
    const NativeFloats shifter = zero + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const NativeFloats n = (x * 1.44269504088896341f + shifter) - shifter;
    NativeFloats r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    NativeFloats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const NativeInts bits = (__builtin_convertvector(n, NativeInts) + 127) << 23;
    NativeFloats scale;
    __builtin_memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/// x / (1 + e^-x)
SLUICE_LANES NativeFloats silu(NativeFloats x) {
    return x / (exp(-x) + 1.0f);
}

template <typename H>
SLUICE_LANES Pair<H> exp(const Pair<H>& x) {
    return {exp(x.low), exp(x.high)};
}
template <typename H>
SLUICE_LANES Pair<H> silu(const Pair<H>& x) {
    return {silu(x.low), silu(x.high)};
}

template <int I>
struct Index {
    static constexpr int value = I;
    [[gnu::always_inline]] inline constexpr operator int() const { return I; }
};

/// fn(Index<0>), … fn(Index<N - 1>), written out: arrays that are only indexed so live in registers.
template <int N, typename Fn>
SLUICE_LANES void unrolled(const Fn& fn) {
    if constexpr (N > 0) {
        unrolled<N - 1>(fn);
        fn(Index<N - 1>());
    }
}

#undef SLUICE_LANES

}  // namespace sluice::lanes
