// What a product with one token hands from one_token.h to the kernels of a type: the token's activations as
// runs of blocks meet them, and how such runs are walked.
#pragma once

#include "kernels/portable/block_products.h"

namespace sluice::portable {

/// One token's activations, as runs of blocks meet them that go over the ends of rows: entry i of each array
/// belongs to block i % n_blocks, so that what `group` blocks need can be read from any block on.
struct TokenOfBlocks {
    uint32_t n_blocks, entries;
    int8_t* q;  // in the order of the type's products
    float* scale;
    int16_t* sums;        // blocks of 256: of each sixteen, sixteen numbers
    int32_t* for_header;  // blocks of 256: sixteen numbers, as the type's header wants them
    int32_t* sum;         // blocks of 32
    float* scaled_sum;
};

/// Lanes are visited in fours, written out: the loop costs less, and what depends on a lane's number is
/// known.
inline constexpr uint32_t lanes_at_once = 4;

/// Where weights are asked for: far ahead into the second-level cache, since many requests can be on their
/// way to that one, and a little ahead into the first.
inline constexpr uint32_t cache_line = 64, prefetch_far = 16384, prefetch_near = 2048;

/// Asks for what lies ahead of a run of Bytes. Part of Parts of it.
template <uint32_t Bytes, uint32_t Part = 0, uint32_t Parts = 1>
[[gnu::always_inline]] static inline void prefetch_ahead(const uint8_t* run) {
    constexpr uint32_t lines = (Bytes + cache_line - 1) / cache_line, first = lines * Part / Parts,
                       end = lines * (Part + 1) / Parts;
    lanes::unrolled<int(end - first)>([&](auto i) __attribute__((always_inline)) {
        const uint8_t* at = run + cache_line * (first + uint32_t(i));
        __builtin_prefetch(at + prefetch_far, 0, 2);
        __builtin_prefetch(at + prefetch_near, 0, 3);
    });
}
/// Asks for some lines far ahead of `next`, while something else is computed. Returns what follows them.
[[gnu::always_inline]] static inline const uint8_t* prefetch_meanwhile(const uint8_t* next) {
    constexpr uint32_t lines = 8;
    lanes::unrolled<int(lines)>([&](auto i) __attribute__((always_inline)) {
        __builtin_prefetch(next + prefetch_far + cache_line * uint32_t(i), 0, 2);
    });
    return next + lines * cache_line;
}

/// A lane's number: the place in its four is known when this is compiled.
struct Lane {
    uint32_t four, in_four;
    [[gnu::always_inline]] inline operator uint32_t() const { return lanes_at_once * four + in_four; }
};

/// fn(block, lane, place among the token's blocks) for every AtOnce-th of Lanes lanes, which hold some blocks
/// each, and the first of which meets activations number b.
template <typename B, uint32_t BlocksInLane, uint32_t Lanes = ints::lanes, uint32_t AtOnce = 1, typename Fn>
[[gnu::always_inline]] static inline void each_lane(const uint8_t* block, uint32_t b, const Fn& fn) {
    constexpr uint32_t bytes = B::bytes * BlocksInLane;
    for (uint32_t four = 0; four < Lanes / lanes_at_once; ++four) {
        prefetch_ahead<bytes * lanes_at_once>(block);
        lanes::unrolled<int(lanes_at_once / AtOnce)>([&](auto i) __attribute__((always_inline)) {
            constexpr uint32_t r = AtOnce * uint32_t(decltype(i)::value);
            fn(block + r * bytes, Lane{four, r}, b + r * BlocksInLane);
        });
        block += lanes_at_once * bytes;
        b += lanes_at_once * BlocksInLane;
    }
}

#if !defined(__AVX512VNNI__)
/// Bytes and sums of activations as they are.
[[gnu::always_inline]] static inline void put_in_order(const Activations256& a, const TokenOfBlocks& t,
                                                       uint32_t i) {
    __builtin_memcpy(t.q + 256 * i, a.q, 256);
    __builtin_memcpy(t.sums + 16 * i, a.sums, 32);
}

namespace {

struct NothingPrepared {
    [[gnu::always_inline]] inline void settle() {}
};
/// A block of 256 and one token's activations, type by type; of most types they are the weights' bytes and
/// the activations in their order.
template <typename B>
struct BlockWithToken {
    static constexpr int zero = zero_of<B>;
    typedef NothingPrepared Prepared;
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_in_order(a, t, i);
    }
    /// What is done for a group of blocks before they are multiplied.
    [[gnu::always_inline]] static inline void prepare(const uint8_t*, Prepared&) {}
    /// Scaled products with activations number i, as lanes that are still to be added up, and as many of what
    /// is taken off them `zero` times, or of the minima.
    [[gnu::always_inline]] static inline void multiply(const uint8_t* block, const Prepared&,
                                                       const TokenOfBlocks& t, uint32_t i, Ints* products,
                                                       int32_t* corrections) {
        Unpacked256 u;
        B::unpack(block, u);
        ints::store(products, scaled_products<B>(u, t.q + 256 * i));
        if constexpr (B::has_min || zero != 0)
            ints::store_products_of_sixteen(corrections, B::has_min ? u.min : u.scale, t.sums + 16 * i);
    }
};

}  // namespace
#endif

}  // namespace sluice::portable
