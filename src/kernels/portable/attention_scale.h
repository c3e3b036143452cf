// What makes rows of a cache, and queries, 16-bit integers: a power of two for each part of a row, so that 32
// bits hold the sum of products of two rows exactly (attention_ints.h says why).
#pragma once

#include "kernels/portable/attention_rows.h"

namespace sluice::portable::integers {

/// What rows are multiplied by to become integers, and what turns them back: a lane is a row.
struct Scales {
    NativeFloats up, down;
};

/// The sum of a row's squares in 16 lanes; what 32 dims add to a lane is summed apart until the end.
struct Squares {
    lanes::Floats even = lanes::all(0.0f), odd = lanes::all(0.0f);
    [[gnu::always_inline]] void add(const lanes::Floats& a, const lanes::Floats& b) {
        even = lanes::fused(even, a, a);
        odd = lanes::fused(odd, b, b);
    }
    [[gnu::always_inline]] lanes::Floats total() const { return lanes::add(even, odd); }
};

[[gnu::always_inline]] static inline NativeFloats power_of_two(Words exponent) {
    const Words bits = (exponent + 127) << 23;
    NativeFloats f;
    __builtin_memcpy(&f, &bits, sizeof f);
    return f;
}

/// For rows whose squares sum to `total`, the largest of their 16 lanes being `top`: the power of two that
/// brings their 2-norm to (2^14.5, 2^15.5), or to the half of that if a value might not fit 16 bits. A
/// hundredth is kept for what rounding adds to the norm.
[[gnu::always_inline]] static inline Scales scales_from(NativeFloats total, NativeFloats top) {
    const NativeFloats with_reserve = total * (1.0f / 0.99f);
    Words bits;
    __builtin_memcpy(&bits, &with_reserve, sizeof bits);
    Words up = (30 - ((bits >> 23) - 127)) >> 1;
    // No value is larger than the root of its lane's sum. (A comparison that holds is -1.)
    up += Words(top * power_of_two(up) * power_of_two(up) >= NativeFloats{} + 0.99f * 0x1p30f);
    const NativeFloats nothing{}, not_a_number = nothing + __builtin_nanf("");  // shows in the result
    const Words none = Words(total < nothing + 0x1p-90f), finite = Words(total <= nothing + 0x1p120f);
    return {none || !finite ? nothing : power_of_two(up), none     ? nothing
                                                          : finite ? power_of_two(-up)
                                                                   : not_a_number};
}

/// For dims [from, from + n) of a row, n a multiple of 32.
template <typename Row>
[[gnu::always_inline]] static inline lanes::Floats squares_of(const Row& row, uint32_t from, uint32_t n) {
    Squares squares;
    for (uint32_t d = from; d < from + n; d += 2 * lanes::width)
        squares.add(sixteen(row, d), sixteen(row, d + lanes::width));
    return squares.total();
}

/// The scale of one row of n values in all lanes.
static inline Scales scale_of(const float* x, uint32_t n) {
    const lanes::Floats all = squares_of(FloatRow{reinterpret_cast<const std::byte*>(x)}, 0, n);
    return scales_from(NativeFloats{} + lanes::sum(all), NativeFloats{} + lanes::largest(all));
}

/// The scales of words::width rows, from the sums of their squares, (rows, 16).
static inline Scales scales_of(const float (&squares)[words::width][lanes::width]) {
    NativeFloats sum[lanes::width], top[lanes::width];
    for (uint32_t part = 0; part < lanes::width; part += words::width) {
        Words turned[words::width];
        lanes::unrolled<int(words::width)>([&](auto r) __attribute__((always_inline)) {
            __builtin_memcpy(&turned[r], &squares[r][part], sizeof turned[r]);
        });
        words::transpose(turned);
        lanes::unrolled<int(words::width)>([&](auto r) __attribute__((always_inline)) {
            __builtin_memcpy(&sum[part + uint32_t(r)], &turned[r], sizeof turned[r]);
            top[part + uint32_t(r)] = sum[part + uint32_t(r)];
        });
    }
    // The tree of lanes::sum.
    const auto fold = [&](auto half) __attribute__((always_inline)) {
        lanes::unrolled<decltype(half)::value>([&](auto i) __attribute__((always_inline)) {
            sum[i] += sum[i + half];
            top[i] = lanes::larger(top[i], top[i + half]);
        });
    };
    fold(lanes::Index<8>());
    fold(lanes::Index<4>());
    fold(lanes::Index<2>());
    fold(lanes::Index<1>());
    return scales_from(sum[0], top[0]);
}

/// The scales of dims [from, from + n) of words::width rows.
template <typename Row>
[[gnu::always_inline]] static inline Scales scales_of(const Row (&rows)[words::width], uint32_t from,
                                                      uint32_t n, LinesAhead& ahead) {
    alignas(64) float squares[words::width][lanes::width];
    for (uint32_t r = 0; r < words::width; ++r) {
        lanes::store(squares[r], squares_of(rows[r], from, n));
        ahead.ask();
    }
    return scales_of(squares);
}

}  // namespace sluice::portable::integers
