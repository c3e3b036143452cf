// What the code-book types have in common: entries read from a book, and a byte of signs for each eight
// weights.
#pragma once

#include "kernels/portable/bytes.h"
#include "quant/floats.h"

namespace sluice::portable {

/// Four entries of eight weights, which lie at entry(0) to entry(3).
template <typename Entry>
[[gnu::always_inline]] static inline Bytes32 four_entries(const Entry& entry) {
#if defined(__AVX2__)
    const auto two = [&](int l) __attribute__((always_inline)) {
        return _mm_loadh_pd(_mm_castsi128_pd(_mm_loadu_si64(entry(l))),
                            reinterpret_cast<const double*>(entry(l + 1)));
    };
    return Bytes32(_mm256_set_m128d(two(2), two(0)));
#else
    return four_words(*entry(0), *entry(1), *entry(2), *entry(3));
#endif
}
/// The entries of four places in a book of eight weights each: place(0) to place(3).
template <typename Place>
[[gnu::always_inline]] static inline Bytes32 entries_of_8(const uint64_t* book, const Place& place) {
    return four_entries([&](int l) __attribute__((always_inline)) { return book + place(l); });
}
/// The entries of eight places in a book of four weights each: place(0) to place(7).
template <typename Place>
[[gnu::always_inline]] static inline Bytes32 entries_of_4(const uint32_t* book, const Place& place) {
#if defined(__AVX2__)
    const auto four = [&](int l) __attribute__((always_inline)) {
        __m128i v = _mm_loadu_si32(book + place(l));
        v = _mm_insert_epi32(v, int32_t(book[place(l + 1)]), 1);
        v = _mm_insert_epi32(v, int32_t(book[place(l + 2)]), 2);
        return _mm_insert_epi32(v, int32_t(book[place(l + 3)]), 3);
    };
    return Bytes32(_mm256_set_m128i(four(4), four(0)));
#else
    const auto two = [&](int l) __attribute__((always_inline)) {
        return book[place(l)] | uint64_t(book[place(l + 1)]) << 32;
    };
    return four_words(two(0), two(2), two(4), two(6));
#endif
}

/// Every other dword of 64 bytes, from the second one on.
[[gnu::always_inline]] static inline Dwords8 odd_dwords(const uint8_t* p) {
    const Dwords8 low = Dwords8(load32(p)), high = Dwords8(load32(p + 32));
#if defined(__AVX2__)
    return Dwords8(_mm256_permute4x64_epi64(
        _mm256_castps_si256(_mm256_shuffle_ps(__m256(low), __m256(high), 0xdd)), 0xd8));
#else
    return __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
#endif
}
/// Eight times four bits.
[[gnu::always_inline]] static inline Dwords8 nibbles_of_dword(const uint8_t* p) {
    return (Dwords8{} + load_u32(p)) >> Dwords8{0, 4, 8, 12, 16, 20, 24, 28} & 15;
}
/// Eight scales of 32 weights each, as sixteen of 16 each.
[[gnu::always_inline]] static inline void put_scales_of_32(Dwords8 scales, int16_t* out) {
    scales |= scales << 16;
    __builtin_memcpy(out, &scales, sizeof scales);
}

/// The highest bit where the number of the others' bits is odd.
static constexpr int8_t odd_nibbles[16] = {0,    -128, -128, 0,    -128, 0,    0,    -128,
                                           -128, 0,    0,    -128, 0,    -128, -128, 0};
/// Signs of which seven of eight are stored: their number is even.
[[gnu::always_inline]] static inline Bytes32 even_signs(Bytes32 sevens) {
    const Bytes32 halves = sevens ^ bits_of(sevens, 4, 15);
    return sevens | look_up(odd_nibbles, halves & uint8_t(15));
}
/// … of dwords, four times seven in the low bits.
[[gnu::always_inline]] static inline Bytes32 signs_of_dwords(Dwords8 packed) {
    return even_signs(Bytes32((packed & 0x7f) | (packed << 1 & 0x7f00) | (packed << 2 & 0x7f0000) |
                              (packed << 3 & 0x7f000000)));
}
/// … of 32 words, seven in the high bits.
[[gnu::always_inline]] static inline Bytes32 signs_of_words(const uint8_t* words) {
    const Words16 first = Words16(load32(words)) >> 9, last = Words16(load32(words + 32)) >> 9;
#if defined(__AVX2__)
    const __m256i sevens = _mm256_permute4x64_epi64(_mm256_packus_epi16(__m256i(first), __m256i(last)), 0xd8);
    return even_signs(Bytes32(sevens));
#else
    const Bytes16 halves[2] = {__builtin_convertvector(first, Bytes16),
                               __builtin_convertvector(last, Bytes16)};
    Bytes32 sevens;
    __builtin_memcpy(&sevens, halves, sizeof sevens);
    return even_signs(sevens);
#endif
}

/// A byte of signs for each eight weights of a block.
struct SignsOfBlock {
#if defined(__AVX2__)
    __m256i half[2];  // of the first or the last 128 weights, twice
    [[gnu::always_inline]] inline explicit SignsOfBlock(Bytes32 bytes)
        : half{_mm256_permute2x128_si256(__m256i(bytes), __m256i(bytes), 0x00),
               _mm256_permute2x128_si256(__m256i(bytes), __m256i(bytes), 0x11)} {}
#else
    uint32_t of_32[8];
    [[gnu::always_inline]] inline explicit SignsOfBlock(Bytes32 bytes) {
        __builtin_memcpy(of_32, &bytes, sizeof of_32);
    }
#endif
    /// 0xff where one of the G-th 32 weights is negative.
    template <int G>
    [[gnu::always_inline]] inline Bytes32 minus(lanes::Index<G>) const {
#if defined(__AVX2__)
        return spread_bits(half[G / 4], 4 * (G % 4));
#else
        return spread_bits(of_32[G]);
#endif
    }
};

}  // namespace sluice::portable
