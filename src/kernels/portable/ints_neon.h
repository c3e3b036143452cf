// ints.h for 64-bit ARM with products of bytes (Armv8.2 dotprod): eight lanes in two registers, the shape of
// AVX2. Here dot4 multiplies signed bytes with signed bytes, so weights of 8 bits go through it as they are.
// Included by ints.h alone.
#pragma once

#include <cstdint>

#include <arm_neon.h>

namespace sluice::ints {

struct Ints {
    int32x4_t low, high;
};
struct Reals {
    float32x4_t low, high;
};
inline constexpr int lanes = 8;

SLUICE_INTS Ints load(const void* p) {
    const auto* bytes = static_cast<const uint8_t*>(p);
    return {vreinterpretq_s32_u8(vld1q_u8(bytes)), vreinterpretq_s32_u8(vld1q_u8(bytes + 16))};
}
SLUICE_INTS void store(void* p, Ints v) {
    auto* bytes = static_cast<uint8_t*>(p);
    vst1q_u8(bytes, vreinterpretq_u8_s32(v.low));
    vst1q_u8(bytes + 16, vreinterpretq_u8_s32(v.high));
}
SLUICE_INTS Ints all(int32_t x) {
    return {vdupq_n_s32(x), vdupq_n_s32(x)};
}
SLUICE_INTS Ints zero() {
    return all(0);
}
SLUICE_INTS Ints add(Ints a, Ints b) {
    return {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)};
}
SLUICE_INTS Ints subtract(Ints a, Ints b) {
    return {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)};
}
SLUICE_INTS Ints multiply(Ints a, Ints b) {
    return {vmulq_s32(a.low, b.low), vmulq_s32(a.high, b.high)};
}
/// acc + four products of signed bytes.
SLUICE_INTS Ints dot4(Ints acc, Ints a, Ints b) {
    return {vdotq_s32(acc.low, vreinterpretq_s8_s32(a.low), vreinterpretq_s8_s32(b.low)),
            vdotq_s32(acc.high, vreinterpretq_s8_s32(a.high), vreinterpretq_s8_s32(b.high))};
}
inline constexpr int wide_zero = 0;
SLUICE_INTS Ints unsigned_of(Ints w) {
    return w;
}
SLUICE_INTS Ints dot4_wide(Ints acc, Ints w, Ints s) {
    return dot4(acc, w, s);
}
SLUICE_INTS int32x4_t products_of_eight(int32x4_t a, int32x4_t b) {
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
/// acc + two products of signed 16-bit numbers.
SLUICE_INTS Ints dot2(Ints acc, Ints a, Ints b) {
    return add(acc, {products_of_eight(a.low, b.low), products_of_eight(a.high, b.high)});
}

/// The scales of 16 weights each.
struct Scales {
    int32x4_t v[4];
};
SLUICE_INTS Scales load_scales(const int16_t* sixteen) {
    const int16x8_t a = vld1q_s16(sixteen), b = vld1q_s16(sixteen + 8);
    return {{vmovl_s16(vget_low_s16(a)), vmovl_high_s16(a), vmovl_s16(vget_low_s16(b)), vmovl_high_s16(b)}};
}
/// acc + the products of the i-th vector of weights, scaled.
SLUICE_INTS Ints dot_scaled(Ints acc, Ints w, Ints s, const Scales& scales, int i) {
    const int32x4_t four = scales.v[i / 2];
    const Ints dot = dot4(zero(), w, s);
    return {vmlaq_n_s32(acc.low, dot.low, four[2 * i % 4]),
            vmlaq_n_s32(acc.high, dot.high, four[2 * i % 4 + 1])};
}
SLUICE_INTS Ints dot_scaled_wide(Ints acc, Ints w, Ints s, const Scales& scales, int i) {
    return dot_scaled(acc, w, s, scales, i);
}
SLUICE_INTS void store_products_of_sixteen(int32_t* out, const int16_t* a, const int16_t* b) {
    store(out, dot2(zero(), load(a), load(b)));
}

SLUICE_INTS int32x4_t sums_of_four(const Ints* r) {
    const auto both = [](Ints v) __attribute__((always_inline)) {
        return vaddq_s32(v.low, v.high);
    };
    return vpaddq_s32(vpaddq_s32(both(r[0]), both(r[1])), vpaddq_s32(both(r[2]), both(r[3])));
}
/// Lane i: the sum of the lanes of r[i].
SLUICE_INTS Ints sums(const Ints* r) {
    return {sums_of_four(r), sums_of_four(r + 4)};
}
SLUICE_INTS int32_t* place_of_eight(int32_t* buffer, int i) {
    return buffer + 8 * i;
}
SLUICE_INTS Ints sums_of_eights(const Ints* buffer) {
    return sums(buffer);
}

/// Lane r of out[k]: lane k of the r-th of four.
SLUICE_INTS void transpose_four(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d, int32x4_t (&out)[4]) {
    const auto wide = [](int32x4_t v) __attribute__((always_inline)) {
        return vreinterpretq_s64_s32(v);
    };
    const auto narrow = [](int64x2_t v) __attribute__((always_inline)) {
        return vreinterpretq_s32_s64(v);
    };
    const int64x2_t even_ab = wide(vtrn1q_s32(a, b)), odd_ab = wide(vtrn2q_s32(a, b)),
                    even_cd = wide(vtrn1q_s32(c, d)), odd_cd = wide(vtrn2q_s32(c, d));
    out[0] = narrow(vtrn1q_s64(even_ab, even_cd));
    out[1] = narrow(vtrn1q_s64(odd_ab, odd_cd));
    out[2] = narrow(vtrn2q_s64(even_ab, even_cd));
    out[3] = narrow(vtrn2q_s64(odd_ab, odd_cd));
}
/// out[k] lane r = in[r] lane k.
SLUICE_INTS void transpose(const Ints* in, Ints* out) {
    int32x4_t a[4], b[4], c[4], d[4];
    transpose_four(in[0].low, in[1].low, in[2].low, in[3].low, a);
    transpose_four(in[4].low, in[5].low, in[6].low, in[7].low, b);
    transpose_four(in[0].high, in[1].high, in[2].high, in[3].high, c);
    transpose_four(in[4].high, in[5].high, in[6].high, in[7].high, d);
    for (int k = 0; k < 4; ++k) {
        out[k] = {a[k], b[k]};
        out[k + 4] = {c[k], d[k]};
    }
}
/// Eight dwords of each of as many rows, row(r): out[k] lane r = dword k of row r.
template <typename Row>
SLUICE_INTS void turn_eight(const Row& row, Ints* out) {
    Ints in[lanes];
    for (int i = 0; i < lanes; ++i) in[i] = load(row(i));
    transpose(in, out);
}

SLUICE_INTS Reals load_reals(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4)};
}
/// The half-precision numbers in the low or high halves of the lanes.
SLUICE_INTS Reals low_halves(Ints v) {
    const uint16x8_t all = vuzp1q_u16(vreinterpretq_u16_s32(v.low), vreinterpretq_u16_s32(v.high));
    const float16x8_t h = vreinterpretq_f16_u16(all);
    return {vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
}
SLUICE_INTS Reals high_halves(Ints v) {
    const uint16x8_t all = vuzp2q_u16(vreinterpretq_u16_s32(v.low), vreinterpretq_u16_s32(v.high));
    const float16x8_t h = vreinterpretq_f16_u16(all);
    return {vcvt_f32_f16(vget_low_f16(h)), vcvt_high_f32_f16(h)};
}
SLUICE_INTS void store_reals(float* p, Reals v) {
    vst1q_f32(p, v.low);
    vst1q_f32(p + 4, v.high);
}
SLUICE_INTS Reals all_reals(float x) {
    return {vdupq_n_f32(x), vdupq_n_f32(x)};
}
SLUICE_INTS Reals to_reals(Ints v) {
    return {vcvtq_f32_s32(v.low), vcvtq_f32_s32(v.high)};
}
SLUICE_INTS Reals times(Reals a, Reals b) {
    return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)};
}
/// acc + a * b, rounded once.
SLUICE_INTS Reals fused(Reals acc, Reals a, Reals b) {
    return {vfmaq_f32(acc.low, a.low, b.low), vfmaq_f32(acc.high, a.high, b.high)};
}
/// acc - a * b, rounded once.
SLUICE_INTS Reals fused_less(Reals acc, Reals a, Reals b) {
    return {vfmsq_f32(acc.low, a.low, b.low), vfmsq_f32(acc.high, a.high, b.high)};
}

}  // namespace sluice::ints
