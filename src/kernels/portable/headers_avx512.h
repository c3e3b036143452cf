// Sixteen blocks of 256 weights with one token, AVX-512: the K types and IQ4_XS. Scales and minima of the
// blocks are unpacked at once, a block to a lane: they cost a few instructions a block so, where block by
// block it would be more than the products. Included by one_token.h alone.
#pragma once

#include "kernels/portable/token_of_blocks.h"

namespace sluice::portable {
namespace {  // its constants are in no other object

/// What lies Offset bytes into each of sixteen blocks of Bytes: four dwords a block, dword c of block i in
/// lane i of [c].
struct FourDwords {
    __m512i at[4];
};
/// The same sixteen bytes of each block as they lie: those of block 4 c + r in quarter c of [r].
struct Quarters {
    __m512i at[4];
};
template <uint32_t Bytes, int Offset>
[[gnu::always_inline]] static inline Quarters quarters_of_blocks(const uint8_t* blocks) {
    const auto four = [&](int i) __attribute__((always_inline)) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + uint32_t(i) * Bytes + Offset));
    };
    Quarters x;
    lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) {
        __m512i v = _mm512_castsi128_si512(four(r));
        v = _mm512_inserti32x4(v, four(4 + r), 1);
        v = _mm512_inserti32x4(v, four(8 + r), 2);
        x.at[r] = _mm512_inserti32x4(v, four(12 + r), 3);
    });
    return x;
}
/// Dwords turned so that each vector holds one of every block, or back.
[[gnu::always_inline]] static inline FourDwords turned(const Quarters& x) {
    const __m512i a = _mm512_unpacklo_epi32(x.at[0], x.at[1]), b = _mm512_unpackhi_epi32(x.at[0], x.at[1]),
                  c = _mm512_unpacklo_epi32(x.at[2], x.at[3]), d = _mm512_unpackhi_epi32(x.at[2], x.at[3]);
    return {{_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c), _mm512_unpacklo_epi64(b, d),
             _mm512_unpackhi_epi64(b, d)}};
}
[[gnu::always_inline]] static inline Quarters turned(const FourDwords& x) {
    const FourDwords y = turned(Quarters{{x.at[0], x.at[1], x.at[2], x.at[3]}});
    return {{y.at[0], y.at[1], y.at[2], y.at[3]}};
}
template <uint32_t Bytes, int Offset>
[[gnu::always_inline]] static inline FourDwords dwords_of_blocks(const uint8_t* blocks) {
    return turned(quarters_of_blocks<Bytes, Offset>(blocks));
}
/// The dword that lies Offset bytes into each of sixteen blocks.
template <uint32_t Bytes, int Offset>
[[gnu::always_inline]] static inline __m512i dword_of_blocks(const uint8_t* blocks) {
    const auto four = [&](int first) __attribute__((always_inline)) {
        const auto at = [&](int i) __attribute__((always_inline)) {
            return _mm_loadu_si32(blocks + uint32_t(first + i) * Bytes + Offset);
        };
        __m128i v = at(0);
        v = _mm_mask_broadcastd_epi32(v, 2, at(1));
        v = _mm_mask_broadcastd_epi32(v, 4, at(2));
        return _mm_mask_broadcastd_epi32(v, 8, at(3));
    };
    __m512i v = _mm512_castsi128_si512(four(0));
    v = _mm512_inserti32x4(v, four(4), 1);
    v = _mm512_inserti32x4(v, four(8), 2);
    return _mm512_inserti32x4(v, four(12), 3);
}
/// A block of sixteen, number 8 * eight + in_four, and the one four behind it: KeptQuarters has the bytes of
/// both side by side.
struct PairOfLanes {
    uint32_t eight, in_four;
};
/// Sixteen bytes of each block, kept for when it comes to the block.
struct KeptQuarters {
    alignas(64) uint8_t at[4][4][16];
    [[gnu::always_inline]] inline void keep(int r, __m512i v) { _mm512_store_si512(at[r], v); }
    [[gnu::always_inline]] inline __m256i operator[](PairOfLanes blocks) const {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(at[blocks.in_four][2 * blocks.eight]));
    }
};

/// 64 bytes known when this is compiled: fn(i) each.
struct Bytes64 {
    alignas(64) uint8_t at[64];
    [[gnu::always_inline]] inline operator __m512i() const { return _mm512_load_si512(at); }
};
template <typename Fn>
constexpr Bytes64 bytes64(Fn fn) {
    Bytes64 b{};
    for (int i = 0; i < 64; ++i) b.at[i] = uint8_t(fn(i));
    return b;
}

/// A matrix of bits for _mm512_gf2p8affine_epi64_epi8: bit i of a byte becomes the parity of the bits in
/// rows[i].
constexpr uint64_t bit_matrix(const uint8_t (&rows)[8]) {
    uint64_t m = 0;
    for (int i = 0; i < 8; ++i) m |= uint64_t(rows[i]) << 8 * (7 - i);
    return m;
}
[[gnu::always_inline]] static inline __m512i transformed(__m512i v, __m512i matrices) {
    return _mm512_gf2p8affine_epi64_epi8(v, matrices, 0);
}
/// 64 bytes of weights, kept in a register: g++ would read them again for each use, and reads across two
/// lines of the cache cost twice.
[[gnu::always_inline]] static inline __m512i read_once(const uint8_t* p) {
    __m512i v = _mm512_loadu_si512(p);
    asm("" : "+v"(v));
    return v;
}
/// Sums of sixteen blocks: fn(block, lane, q, sums) gives the lanes of one.
template <typename B, typename Fn>
[[gnu::always_inline]] static inline __m512i sums_of_blocks(const uint8_t* blocks, const TokenOfBlocks& token,
                                                            uint32_t b, const Fn& fn) {
    alignas(64) ints::Ints products[ints::lanes];
    each_lane<B, 1>(
        blocks, b, [&](const uint8_t* at, Lane i, uint32_t of_token) __attribute__((always_inline)) {
            ints::store(products + i, fn(at, i, token.q + 256 * of_token, of_token));
        });
    return ints::sums(products);
}

/// Sums of sixteen blocks: fn(first block, which pair, place among the token's blocks) gives, in each
/// quarter, two lanes of that block and two of the one four behind it, so that half as many lanes are left to
/// add up.
template <typename B, typename Fn>
[[gnu::always_inline]] static inline __m512i sums_of_lane_pairs(const uint8_t* blocks, uint32_t b,
                                                                const Fn& fn) {
    __m512i eights[2];
    lanes::unrolled<2>([&](auto eight) __attribute__((always_inline)) {
        const uint8_t* at = blocks + 8 * uint32_t(eight) * B::bytes;
        __m512i v[4];
        lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) {
            asm volatile("");  // or g++ moves all requests to the front, where they wait for each other
            prefetch_ahead<B::bytes * 8, uint32_t(decltype(r)::value), 4>(at);
            v[r] = fn(at + uint32_t(r) * B::bytes, PairOfLanes{uint32_t(eight), uint32_t(r)},
                      b + 8 * uint32_t(eight) + uint32_t(r));
        });
        const auto of_two = [](__m512i x, __m512i y) __attribute__((always_inline)) {
            const __m512 one = _mm512_castsi512_ps(x), other = _mm512_castsi512_ps(y);
            return ints::add(_mm512_castps_si512(_mm512_shuffle_ps(one, other, 0x88)),
                             _mm512_castps_si512(_mm512_shuffle_ps(one, other, 0xdd)));
        };
        eights[eight] = ints::add_neighbours(of_two(v[0], v[1]), of_two(v[2], v[3]));
    });
    // Quarters: blocks 0, 4, 1, 5; 2, 6, 3, 7; and so on.
    const __m512i order = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    return _mm512_permutexvar_epi32(order, ints::add_neighbours(eights[0], eights[1]));
}

[[gnu::always_inline]] static inline __m512i each_byte(int8_t x) {
    return _mm512_set1_epi8(x);
}
/// The bits of each dword moved right by By, left if it is negative; the mask is that of bytes in their new
/// place.
template <int By>
[[gnu::always_inline]] static inline __m512i bits_at(__m512i v, int8_t mask) {
    if constexpr (By >= 0)
        return masked(_mm512_srli_epi32(v, By), mask);
    else
        return masked(_mm512_slli_epi32(v, -By), mask);
}

/// Sums of N groups of activations, for SumsOfBytes: for each dword of a block's minima four signed bytes,
/// the sums' low ones, then as many 256ths.
template <int N>
[[gnu::always_inline]] static inline void put_bytes_of_sums(const int16_t* sums, int32_t* out,
                                                            uint32_t stride) {
    alignas(32) int16_t all[16] = {};
    __builtin_memcpy(all, sums, N * sizeof(int16_t));
    const __m256i v = _mm256_load_si256(reinterpret_cast<const __m256i*>(all)),
                  high = _mm256_srai_epi16(_mm256_add_epi16(v, _mm256_set1_epi16(128)), 8);
    alignas(16) int32_t bytes[2][4];
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes[0]), _mm256_maskz_cvtepi16_epi8(0xffff, v));
    _mm_store_si128(reinterpret_cast<__m128i*>(bytes[1]), _mm256_maskz_cvtepi16_epi8(0xffff, high));
    for (uint32_t i = 0; i < N / 4; ++i) {
        out[2 * i * stride] = bytes[0][i];
        out[(2 * i + 1) * stride] = bytes[1][i];
    }
}
/// Bytes, unsigned, times the activations' sums that put_bytes_of_sums laid out.
struct SumsOfBytes {
    __m512i low = ints::zero(), high = ints::zero();
    [[gnu::always_inline]] inline void add(__m512i bytes, const int32_t* sums, uint32_t stride) {
        low = ints::dot4(low, bytes, ints::load(sums));
        high = ints::dot4(high, bytes, ints::load(sums + stride));
    }
    [[gnu::always_inline]] inline __m512i total() const { return ints::add(low, _mm512_slli_epi32(high, 8)); }
};

/// The scales of vector j's weights, groups of 32: each 128 bits of `bytes` hold all of the block's; both
/// 16-bit numbers of a dword get the one of its four weights.
[[gnu::always_inline]] static inline __m512i scale_of_32(__m512i bytes, int j) {
    const __m512i first =
        _mm512_set_epi64(0x8001800180018001, 0x8001800180018001, 0x8001800180018001, 0x8001800180018001,
                         0x8000800080008000, 0x8000800080008000, 0x8000800080008000, 0x8000800080008000);
    return _mm512_shuffle_epi8(bytes, _mm512_add_epi16(first, _mm512_set1_epi16(int16_t(2 * j))));
}

/// Sixteen blocks of a type: d and dmin of each; sums(), its products with activations, scaled; minima(),
/// what the minima contribute. put_activations: how a token's entry i must lie for that.
template <typename B>
struct SixteenBlocks;

/// Weights in the order of the file.
[[gnu::always_inline]] static inline void put_in_order(const Activations256& a, const TokenOfBlocks& t,
                                                       uint32_t i) {
    __builtin_memcpy(t.q + 256 * i, a.q, 256);
    __builtin_memcpy(t.sums + 16 * i, a.sums, 32);
}
/// Weights of a two-bit plane: 32 of each half of the block.
[[gnu::always_inline]] static inline void put_planes(const Activations256& a, const TokenOfBlocks& t,
                                                     uint32_t i) {
    for (uint32_t j = 0; j < 4; ++j)
        ints::store(t.q + 256 * i + 64 * j, ints::load_halves(a.q + 32 * j, a.q + 128 + 32 * j));
}
/// Scales of a plane of both blocks of a pair, in words: each 128 bits are sixteen weights of both. They lie
/// as bytes or as words, sixteen of a block, then sixteen of the other.
constexpr Bytes64 scales_of_plane(int plane, bool words) {
    return bytes64([=](int i) {
        const int half = i / 32, sixteen = i / 16 % 2, block = i / 8 % 2;
        const int group = 16 * block + 8 * half + 2 * plane + sixteen;
        return words ? 2 * group + i % 2 : group;
    });
}
template <bool Words>
constexpr Bytes64 scales_of_planes[4] = {scales_of_plane(0, Words), scales_of_plane(1, Words),
                                         scales_of_plane(2, Words), scales_of_plane(3, Words)};

/// Q4_K and Q5_K: d, dmin, and twelve bytes of 6-bit scales and minima.
template <typename B>
struct SixteenBlocksOfSixBits {
    static constexpr uint32_t one_by_one = 4;
    __m512 d, dmin;
    __m512i minimum[2];
    alignas(64) uint64_t scales[16];

    [[gnu::always_inline]] inline SixteenBlocksOfSixBits(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 0>(blocks);
        const __m512i a = h.at[1], b = h.at[2], c = h.at[3];
        d = ints::low_halves(h.at[0]);
        dmin = ints::high_halves(h.at[0]);
        const __m512i low = masked(a, 0x3f), high = _mm512_or_si512(masked(c, 15), bits_at<2>(a, 0x30));
        minimum[0] = masked(b, 0x3f);
        minimum[1] = _mm512_or_si512(bits_at<4>(c, 15), bits_at<2>(b, 0x30));
        const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        _mm512_store_si512(scales, _mm512_permutex2var_epi32(low, first, high));
        _mm512_store_si512(
            scales + 8, _mm512_permutex2var_epi32(low, _mm512_add_epi32(first, _mm512_set1_epi32(8)), high));
    }
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        return sums_of_blocks<B>(
            blocks, token,
            b, [&](const uint8_t* block, Lane i, const int8_t* a, uint32_t) __attribute__((always_inline)) {
                __m512i q[4], acc = ints::zero();
                WideUnpack<B>::unpack(block, q);
                const __m512i scale = _mm512_set1_epi64(int64_t(scales[i]));
                lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
                    acc = ints::dot2(acc, ints::pairs(q[j], ints::load(a + 64 * j)), scale_of_32(scale, j));
                });
                return acc;
            });
    }
    [[gnu::always_inline]] inline __m512i minima(const TokenOfBlocks& token, uint32_t b) const {
        SumsOfBytes sums;
        for (uint32_t i = 0; i < 2; ++i)
            sums.add(minimum[i], token.for_header + b + 2 * i * token.entries, token.entries);
        return sums.total();
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_in_order(a, t, i);
        put_bytes_of_sums<8>(a.sums_of_32, t.for_header + i, t.entries);
    }
};
template <>
struct SixteenBlocks<Block256<TensorType::Q4_K>> : SixteenBlocksOfSixBits<Block256<TensorType::Q4_K>> {
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : SixteenBlocksOfSixBits(blocks) {}
};
template <>
struct SixteenBlocks<Block256<TensorType::Q5_K>> : SixteenBlocksOfSixBits<Block256<TensorType::Q5_K>> {
    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) : SixteenBlocksOfSixBits(blocks) {}
};

/// Planes of two bits: the second and the fourth are left where they lie, times four, and the scales of the
/// others are four times theirs instead; the sums are divided by four at the end.
template <>
struct SixteenBlocks<Block256<TensorType::Q2_K>> {
    typedef Block256<TensorType::Q2_K> B;
    static constexpr uint32_t one_by_one = 12;
    __m512 d, dmin;
    FourDwords both;  // scales in the low halves of bytes, minima in the high ones
    KeptQuarters scales;

    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) {
        const Quarters q = quarters_of_blocks<B::bytes, 0>(blocks);
        both = turned(q);
        lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) {
            const __m512i s = masked(q.at[r], 15);
            scales.keep(r, _mm512_mask_slli_epi16(s, 0x55555555u, s, 2));
        });
        const __m512i halves = dword_of_blocks<B::bytes, 80>(blocks);
        d = ints::low_halves(halves);
        dmin = ints::high_halves(halves);
    }
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        const __m512i sum = sums_of_lane_pairs<B>(
            blocks,
            b, [&](const uint8_t* block, PairOfLanes i, uint32_t of_token) __attribute__((always_inline)) {
                const int8_t* a = token.q + 256 * of_token;
                __m512i low[2], high[2];
                lanes::unrolled<2>([&](auto which) __attribute__((always_inline)) {
                    low[which] = read_once(block + 4 * B::bytes * which + 16);
                    high[which] = _mm512_srli_epi16(low[which], 4);
                });
                const __m512i s = _mm512_castsi256_si512(scales[i]);
                __m512i acc = ints::zero();
                lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
                    const auto sums_of = [&](int which) __attribute__((always_inline)) {
                        return ints::dot4(ints::zero(),
                                          masked(j < 2 ? low[which] : high[which], j % 2 ? 12 : 3),
                                          ints::load(a + 1024 * which + 64 * j));
                    };
                    constexpr __mmask64 low_bytes = 0x5555555555555555u;
                    acc = ints::dot2(acc, _mm512_packs_epi32(sums_of(0), sums_of(1)),
                                     _mm512_maskz_permutexvar_epi8(low_bytes, scales_of_planes<false>[j], s));
                });
                return acc;
            });
        return _mm512_srai_epi32(sum, 2);
    }
    [[gnu::always_inline]] inline __m512i minima(const TokenOfBlocks& token, uint32_t b) const {
        SumsOfBytes sums;
        lanes::unrolled<4>([&](auto i) __attribute__((always_inline)) {
            sums.add(bits_at<4>(both.at[i], 15), token.for_header + b + 2 * uint32_t(i) * token.entries,
                     token.entries);
        });
        return sums.total();
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_planes(a, t, i);
        put_bytes_of_sums<16>(a.sums, t.for_header + i, t.entries);
    }
};

/// Types without minima.
struct NoMinima {
    static constexpr uint32_t one_by_one = 12;
    __m512 d, dmin = _mm512_setzero_ps();
};

/// As Q2_K, with a third bit in 32 bytes; twelve bytes of 6-bit scales at 96, d behind them.
template <>
struct SixteenBlocks<Block256<TensorType::Q3_K>> : NoMinima {
    typedef Block256<TensorType::Q3_K> B;
    KeptQuarters scales;

    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 94>(blocks);  // two bytes of weights first
        const auto dword = [&](int i) __attribute__((always_inline)) {
            return _mm512_or_si512(_mm512_srli_epi32(h.at[i], 16), _mm512_slli_epi32(h.at[i + 1], 16));
        };
        const __m512i a = dword(0), b = dword(1), c = dword(2);
        d = ints::high_halves(h.at[3]);
        const auto scale = [](__m512i low, __m512i high) __attribute__((always_inline)) {
            const __m512i s = _mm512_sub_epi8(_mm512_or_si512(low, high), each_byte(32)),
                          twice = _mm512_add_epi8(s, s);
            return _mm512_mask_add_epi8(s, 0x3333333333333333u, twice, twice);
        };
        const FourDwords s{
            {scale(masked(a, 15), bits_at<-4>(c, 0x30)), scale(masked(b, 15), bits_at<-2>(c, 0x30)),
             scale(bits_at<4>(a, 15), bits_at<0>(c, 0x30)), scale(bits_at<4>(b, 15), bits_at<2>(c, 0x30))}};
        const Quarters q = turned(s);
        lanes::unrolled<4>([&](auto r) __attribute__((always_inline)) { scales.keep(r, q.at[r]); });
    }
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        const __m512i sum = sums_of_lane_pairs<B>(
            blocks,
            b, [&](const uint8_t* block, PairOfLanes i, uint32_t of_token) __attribute__((always_inline)) {
                const int8_t* a = token.q + 256 * of_token;
                __m512i low[2], high[2], third[2];
                lanes::unrolled<2>([&](auto which) __attribute__((always_inline)) {
                    const uint8_t* at = block + 4 * B::bytes * which;
                    low[which] = read_once(at + 32);
                    high[which] = _mm512_srli_epi16(low[which], 4);
                    third[which] =
                        _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
                });
                const __m512i s = _mm512_cvtepi8_epi16(scales[i]);
                const int16_t* zeros = token.sums + 16 * of_token;
                // Eight sums of a block, then eight of the other: two and two.
                __m512i acc =
                    _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7),
                                             _mm512_madd_epi16(s, ints::load_halves(zeros, zeros + 64)));
                lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
                    constexpr int k = decltype(j)::value;
                    const auto sums_of = [&](int which) __attribute__((always_inline)) {
                        // Bit k, or k + 4 for the second half, to the place above the plane's two.
                        constexpr uint64_t bit = uint64_t(1) << (k + (k % 2 ? 24 : 40));
                        const __m512i matrices = _mm512_mask_blend_epi64(
                            0xf0, _mm512_set1_epi64(int64_t(bit)), _mm512_set1_epi64(int64_t(bit << 4)));
                        return ints::dot4(ints::zero(),
                                          bits_from(k % 2 ? 12 : 3, k < 2 ? low[which] : high[which],
                                                    transformed(third[which], matrices)),
                                          ints::load(a + 1024 * which + 64 * k));
                    };
                    acc = ints::dot2(acc, _mm512_packs_epi32(sums_of(0), sums_of(1)),
                                     _mm512_permutexvar_epi8(scales_of_planes<true>[k], s));
                });
                return acc;
            });
        return _mm512_srai_epi32(sum, 2);
    }
    /// With each sixteen's sum goes what their zero, 4, takes away, so that four times the product comes out.
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_planes(a, t, i);
        for (int g = 0; g < 16; ++g)
            t.sums[16 * i + uint32_t(g)] = int16_t(g / 2 % 2 ? -16 * a.sums[g] : -4 * a.sums[g]);
    }
};

template <>
struct SixteenBlocks<Block256<TensorType::Q6_K>> : NoMinima {
    typedef Block256<TensorType::Q6_K> B;

    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) {
        d = ints::high_halves(dword_of_blocks<B::bytes, 206>(blocks));
    }
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        return sums_of_blocks<B>(
            blocks, token, b,
            [&](const uint8_t* block, uint32_t, const int8_t* a,
                uint32_t of_token) __attribute__((always_inline)) {
                __m512i q[4];
                WideUnpack<B>::unpack(block, q);
                const auto *packed = reinterpret_cast<const __m128i*>(block + 192),
                           *sixteen = reinterpret_cast<const __m128i*>(token.sums + 16 * of_token);
                const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128(packed)),
                              of_token_sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sixteen));
                const __m512i zeros =
                    _mm512_zextsi256_si512(_mm256_madd_epi16(_mm256_slli_epi16(scales, 5), of_token_sums));
                const ints::Scales s{_mm512_castsi256_si512(scales)};
                __m512i acc = _mm512_sub_epi32(_mm512_setzero_si512(), zeros);
                lanes::unrolled<4>([&](auto j) __attribute__((always_inline)) {
                    acc = ints::dot_scaled(acc, q[j], ints::load(a + 64 * j), s, j);
                });
                return acc;
            });
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_in_order(a, t, i);
    }
};

/// d, then 6-bit scales of groups of 32: their upper bits, their lower ones. Each 16 bytes of weights are a
/// group: its first sixteen in the low halves of bytes.
template <>
struct SixteenBlocks<Block256<TensorType::IQ4_XS>> : NoMinima {
    typedef Block256<TensorType::IQ4_XS> B;
    static constexpr uint32_t one_by_one = 4;
    __m512i even, odd;  // groups 0, 2, 4, 6 and 1, 3, 5, 7: scales + 32
    alignas(64) uint64_t scales[16];

    [[gnu::always_inline]] inline SixteenBlocks(const uint8_t* blocks) {
        const FourDwords h = dwords_of_blocks<B::bytes, 0>(blocks);
        const __m512i low = h.at[1], high = _mm512_srli_epi32(h.at[0], 16);
        d = ints::low_halves(h.at[0]);
        // Two bits of each group: those of group g lie at 2 g, and belong at 4 of byte g / 2.
        const auto upper = [&](int down_to_group) __attribute__((always_inline)) {
            const __m512i v = _mm512_srli_epi32(high, unsigned(down_to_group));
            const auto bits = [&](unsigned up, int32_t mask) __attribute__((always_inline)) {
                return _mm512_and_si512(_mm512_slli_epi32(v, up), _mm512_set1_epi32(mask));
            };
            return _mm512_or_si512(_mm512_or_si512(bits(4, 0x30), bits(8, 0x3000)),
                                   _mm512_or_si512(bits(12, 0x300000), bits(16, 0x30000000)));
        };
        even = _mm512_or_si512(masked(low, 15), upper(0));
        odd = _mm512_or_si512(bits_at<4>(low, 15), upper(2));
        const __m512i e = _mm512_sub_epi8(even, each_byte(32)), o = _mm512_sub_epi8(odd, each_byte(32));
        const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        _mm512_store_si512(scales, _mm512_permutex2var_epi32(e, first, o));
        _mm512_store_si512(scales + 8,
                           _mm512_permutex2var_epi32(e, _mm512_add_epi32(first, _mm512_set1_epi32(8)), o));
    }
    [[gnu::always_inline]] inline __m512i sums(const uint8_t* blocks, const TokenOfBlocks& token,
                                               uint32_t b) const {
        const __m512i book = ints::unsigned_of(
            _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(quant::kvalues_iq4nl))));
        const __m512i sum = sums_of_blocks<B>(
            blocks, token,
            b, [&](const uint8_t* block, Lane i, const int8_t* a, uint32_t) __attribute__((always_inline)) {
                // Groups 0, 2, 4, 6, 1, 3, 5, 7.
                const __m512i each =
                    _mm512_castsi256_si512(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(int64_t(scales[i]))));
                const __m512i of_groups = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 1, 1, 1, 1, 5, 5, 5, 5);
                __m512i acc = ints::zero();
                lanes::unrolled<2>([&](auto half) __attribute__((always_inline)) {
                    const __m512i v = read_once(block + 8 + 64 * half);
                    const auto weights = [&](__m512i nibbles) __attribute__((always_inline)) {
                        return _mm512_permutexvar_epi8(nibbles, book);
                    };
                    const int8_t* of_half = a + 128 * half;
                    __m512i dot = ints::dot4(ints::zero(), weights(v), ints::load(of_half));
                    dot = ints::dot4(dot, weights(_mm512_srli_epi16(v, 4)), ints::load(of_half + 64));
                    const __m512i scale = _mm512_permutexvar_epi32(
                        _mm512_add_epi32(of_groups, _mm512_set1_epi32(2 * half)), each);
                    acc = ints::add(acc, ints::multiply(dot, scale));
                });
                return acc;
            });
        // Of scales + 32, and what the 32 are too much.
        const int32_t* sums = token.for_header + b;
        const uint32_t n = token.entries;
        SumsOfBytes scaled;
        scaled.add(even, sums, n);
        scaled.add(odd, sums + 2 * n, n);
        const __m512i zeros = ints::subtract(scaled.total(), _mm512_slli_epi32(ints::load(sums + 4 * n), 5));
        return ints::subtract(sum, ints::multiply(zeros, ints::all(ints::wide_zero)));
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        for (uint32_t g = 0; g < 8; ++g)
            for (uint32_t half = 0; half < 2; ++half)
                __builtin_memcpy(t.q + 256 * i + 128 * (g / 4) + 64 * half + 16 * (g % 4),
                                 a.q + 32 * g + 16 * half, 16);
        const int16_t* s = a.sums_of_32;
        const int16_t apart[8] = {s[0], s[2], s[4], s[6], s[1], s[3], s[5], s[7]};
        put_bytes_of_sums<8>(apart, t.for_header + i, t.entries);
        int32_t all = 0;
        for (int g = 0; g < 8; ++g) all += s[g];
        t.for_header[4 * t.entries + i] = all;
    }
};

}  // namespace
}  // namespace sluice::portable
