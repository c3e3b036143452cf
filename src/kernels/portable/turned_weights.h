// Weights of the K types for panels of rows, where a lane is a row: their bytes are turned as they lie in the
// file (half as many as unpacked, or a quarter) and taken apart afterwards, all rows at once. Included by
// products.h alone; layouts: see unpack.h, which takes apart the same blocks one by one.
#pragma once

#include "kernels/portable/block_products.h"

namespace sluice::portable {

/// The same 32 bytes of each row's block, turned: dword i of each row in the lanes of [i].
struct TurnedDwords {
    typedef uint32_t Numbers __attribute__((vector_size(sizeof(Ints))));
    Numbers of[8];
    /// Bits from `first` on of the bytes of dword i, those under the mask (which fits 8 - first bits), `up`
    /// bits further up.
    [[gnu::always_inline]] inline Numbers bits(uint32_t i, int first, uint32_t mask, int up = 0) const {
        const uint32_t there = mask << up, each = there | there << 8 | there << 16 | there << 24;
        return (first >= up ? of[i] >> uint32_t(first - up) : of[i] << uint32_t(up - first)) & each;
    }
};

/// Types whose bytes are turned as they lie and taken apart afterwards, as many as there are lanes at once:
/// put(dwords, fn), with dwords(at) the 32 bytes from `at` on of each row's block, calls fn(k, columns 4 k to
/// 4 k + 3 of each row).
template <typename B>
struct TurnedWeights {
    static constexpr bool there = false;
};
template <>
struct TurnedWeights<Block256<TensorType::Q4_K>> {
    static constexpr bool there = true;
    template <typename Dwords, typename Fn>
    [[gnu::always_inline]] static inline void put(const Dwords& dwords, const Fn& fn) {
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            const TurnedDwords q = dwords(16 + 32 * j);
            lanes::unrolled<8>([&](auto i) __attribute__((always_inline)) {
                fn(16 * j + i, q.bits(i, 0, 15));
                fn(16 * j + 8 + i, q.bits(i, 4, 15));
            });
        });
    }
};
template <>
struct TurnedWeights<Block256<TensorType::Q5_K>> {
    static constexpr bool there = true;
    template <typename Dwords, typename Fn>
    [[gnu::always_inline]] static inline void put(const Dwords& dwords, const Fn& fn) {
        const TurnedDwords high = dwords(16);
        lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
            const TurnedDwords q = dwords(48 + 32 * j);
            lanes::unrolled<8>([&](auto i) __attribute__((always_inline)) {
                fn(16 * j + i, q.bits(i, 0, 15) | high.bits(i, 2 * j, 1, 4));
                fn(16 * j + 8 + i, q.bits(i, 4, 15) | high.bits(i, 2 * j + 1, 1, 4));
            });
        });
    }
};
template <>
struct TurnedWeights<Block256<TensorType::Q2_K>> {
    static constexpr bool there = true;
    template <typename Dwords, typename Fn>
    [[gnu::always_inline]] static inline void put(const Dwords& dwords, const Fn& fn) {
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const TurnedDwords q = dwords(16 + 32 * half);
            lanes::unrolled<8>([&](auto i) __attribute__((always_inline)) {
                lanes::unrolled<4>([&](auto plane) __attribute__((always_inline)) {
                    fn(32 * half + 8 * plane + i, q.bits(i, 2 * plane, 3));
                });
            });
        });
    }
};
template <>
struct TurnedWeights<Block256<TensorType::Q3_K>> {
    static constexpr bool there = true;
    template <typename Dwords, typename Fn>
    [[gnu::always_inline]] static inline void put(const Dwords& dwords, const Fn& fn) {
        const TurnedDwords high = dwords(0);
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const TurnedDwords q = dwords(32 + 32 * half);
            lanes::unrolled<8>([&](auto i) __attribute__((always_inline)) {
                lanes::unrolled<4>([&](auto plane) __attribute__((always_inline)) {
                    fn(32 * half + 8 * plane + i,
                       q.bits(i, 2 * plane, 3) | high.bits(i, 4 * half + plane, 1, 2));
                });
            });
        });
    }
};
template <>
struct TurnedWeights<Block256<TensorType::Q6_K>> {
    static constexpr bool there = true;
    template <typename Dwords, typename Fn>
    [[gnu::always_inline]] static inline void put(const Dwords& dwords, const Fn& fn) {
        lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
            const TurnedDwords q1 = dwords(64 * half), q2 = dwords(64 * half + 32),
                               high = dwords(128 + 32 * half);
            lanes::unrolled<8>([&](auto i) __attribute__((always_inline)) {
                const int k = 32 * half + i;
                fn(k, q1.bits(i, 0, 15) | high.bits(i, 0, 3, 4));
                fn(k + 8, q2.bits(i, 0, 15) | high.bits(i, 2, 3, 4));
                fn(k + 16, q1.bits(i, 4, 15) | high.bits(i, 4, 3, 4));
                fn(k + 24, q2.bits(i, 4, 15) | high.bits(i, 6, 3, 4));
            });
        });
    }
};

}  // namespace sluice::portable
