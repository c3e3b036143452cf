// Sixteen floats at a time, whatever the width of the machine's registers: one of AVX-512, two of AVX, four
// of SSE or NEON. Lane i of every operation is lane i on each, so the order of every sum is the same.
#pragma once

#include <cstdint>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace sluice::lanes {

inline constexpr uint32_t width = 16;

#if defined(__AVX512F__)
inline constexpr uint32_t native_bytes = 64;
#elif defined(__AVX__)
inline constexpr uint32_t native_bytes = 32;
#else
inline constexpr uint32_t native_bytes = 16;
#endif
inline constexpr uint32_t native_width = native_bytes / sizeof(float);
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
/// acc + a * b, rounded once on every machine: what must have the same bits on all instruction sets.
SLUICE_LANES NativeFloats fused(NativeFloats acc, NativeFloats a, NativeFloats b) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, acc);
#elif defined(__FMA__)
    return _mm256_fmadd_ps(a, b, acc);
#else
    for (uint32_t i = 0; i < native_width; ++i) acc[i] = __builtin_fmaf(a[i], b[i], acc[i]);
    return acc;
#endif
}
SLUICE_LANES void fill(NativeFloats& v, float x) {
    v = x - NativeFloats{};
}

/// a * b, rounded to the nearest integer (ties to even) if it is below 2^22: two roundings on every machine,
/// where a compiler that sees the sum would make them one.
SLUICE_LANES NativeInts rounded_product(NativeFloats a, NativeFloats b) {
    NativeFloats v = a * b;
#if defined(__x86_64__)
    asm("" : "+v"(v));
#elif defined(__aarch64__)
    asm("" : "+w"(v));
#else
    asm("" : "+m"(v));
#endif
    v += NativeFloats{} + 12582912.0f;  // 1.5 * 2^23
    NativeInts bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    return bits - 0x4b400000;
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
SLUICE_LANES Pair<H> fused(const Pair<H>& acc, const Pair<H>& a, const Pair<H>& b) {
    return {fused(acc.low, a.low, b.low), fused(acc.high, a.high, b.high)};
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

#if defined(__AVX__)
typedef float Eight __attribute__((vector_size(32)));
SLUICE_LANES Eight low_eight(const Floats& v) {
#if defined(__AVX512F__)
    return __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return v.low;
#endif
}
SLUICE_LANES Eight high_eight(const Floats& v) {
#if defined(__AVX512F__)
    return __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    return v.high;
#endif
}
#endif

/// A fixed tree: lanes i and i + 8, then + 4, + 2, + 1.
SLUICE_LANES float sum(const Floats& v) {
#if defined(__AVX__)
    const Eight eight = low_eight(v) + high_eight(v);
    const Eight four = eight + __builtin_shufflevector(eight, eight, 4, 5, 6, 7, 4, 5, 6, 7);
    const Eight two = four + __builtin_shufflevector(four, four, 2, 3, 2, 3, 2, 3, 2, 3);
    return two[0] + two[1];
#else
    float t[16];
    store(t, v);
    for (int i = 0; i < 8; ++i) t[i] += t[i + 8];
    for (int i = 0; i < 4; ++i) t[i] += t[i + 4];
    for (int i = 0; i < 2; ++i) t[i] += t[i + 2];
    return t[0] + t[1];
#endif
}

SLUICE_LANES NativeFloats larger(NativeFloats a, NativeFloats b) {
    return a > b ? a : b;
}
template <typename H>
SLUICE_LANES Pair<H> larger(const Pair<H>& a, const Pair<H>& b) {
    return {larger(a.low, b.low), larger(a.high, b.high)};
}
SLUICE_LANES NativeFloats magnitude(NativeFloats a) {
    NativeInts bits;
    __builtin_memcpy(&bits, &a, sizeof bits);
    bits &= 0x7fffffff;
    __builtin_memcpy(&a, &bits, sizeof a);
    return a;
}
template <typename H>
SLUICE_LANES Pair<H> magnitude(const Pair<H>& a) {
    return {magnitude(a.low), magnitude(a.high)};
}
/// The largest lane.
SLUICE_LANES float largest(const Floats& v) {
#if defined(__AVX__)
    const Eight a = low_eight(v), b = high_eight(v), eight = a > b ? a : b;
    const Eight high = __builtin_shufflevector(eight, eight, 4, 5, 6, 7, 4, 5, 6, 7);
    const Eight four = eight > high ? eight : high;
    const Eight odd = __builtin_shufflevector(four, four, 2, 3, 2, 3, 2, 3, 2, 3);
    const Eight two = four > odd ? four : odd;
    return two[0] > two[1] ? two[0] : two[1];
#else
    float t[16];
    store(t, v);
    for (int n = 8; n > 0; n /= 2)
        for (int i = 0; i < n; ++i) t[i] = t[i] > t[i + n] ? t[i] : t[i + n];
    return t[0];
#endif
}

/// e^x to about 2 units in the last place, the same bits on every machine: 2^n * e^r with |r| <= ln2 / 2, the
/// polynomial of Cephes' expf (Moshier). Arguments are clamped to [-87.3, 88.3]: never a subnormal, never
/// infinity.
SLUICE_LANES NativeFloats exp(NativeFloats x) {
    const NativeFloats zero{}, most = zero + 88.3f, least = zero - 87.3f;
    x = x > most ? most : x;
    x = x < least ? least : x;
    const NativeFloats shifter = zero + 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const NativeFloats n = fused(shifter, x, zero + 1.44269504088896341f) - shifter;
    NativeFloats r = fused(x, n, zero - 0.693359375f);
    r = fused(r, n, zero + 2.12194440e-4f);
    NativeFloats p = fused(zero + 1.3981999507e-3f, r, zero + 1.9875691500e-4f);
    p = fused(zero + 8.3334519073e-3f, p, r);
    p = fused(zero + 4.1665795894e-2f, p, r);
    p = fused(zero + 1.6666665459e-1f, p, r);
    p = fused(zero + 5.0000001201e-1f, p, r);
    p = fused(r, p, r * r) + 1.0f;
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
