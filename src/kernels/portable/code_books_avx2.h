// A block of a code-book type with one token, AVX2. Entries come out of their book as they are, without a
// sign; the activations get the signs instead, so that nothing has to be subtracted afterwards. What is
// narrower than a byte (indices' high bits, signs, scales) is taken apart for the whole block at once.
// Included by one_token.h alone.
#pragma once

#include "kernels/portable/token_of_blocks.h"

namespace sluice::portable {
namespace {  // its constants are in no other object

/// Derived::find(block, places) finds an entry's place where it is not a byte of the block;
/// Derived::products(block, places, token, place among the token's blocks): scaled products with nothing to
/// be taken off, as lanes that are still to be added up.
template <typename Derived, typename Places = NothingPrepared>
struct BookWithToken {
    static constexpr int zero = 0;
    typedef Places Prepared;
    [[gnu::always_inline]] static inline void find(const uint8_t*, Places&) {}
    [[gnu::always_inline]] static inline void prepare(const uint8_t* block, Places& places) {
        Derived::find(block, places);
        places.settle();
    }
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_in_order(a, t, i);
    }
    [[gnu::always_inline]] static inline void multiply(const uint8_t* block, const Places& places,
                                                       const TokenOfBlocks& t, uint32_t i, Ints* products,
                                                       int32_t*) {
        ints::store(products, Derived::products(block, places, t, i));
    }
};

[[gnu::always_inline]] static inline __m128i load_half(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}
/// 16 bytes, twice.
[[gnu::always_inline]] static inline __m256i load_twice(const void* p) {
    return _mm256_broadcastsi128_si256(load_half(p));
}
[[gnu::always_inline]] static inline __m256i each_word(int x) {
    return _mm256_set1_epi16(int16_t(x));
}
/// (v & mask) + 1 in each word, where bit 0 is not in the mask.
[[gnu::always_inline]] static inline __m256i masked_words_and_one(__m256i v, int mask) {
    return _mm256_or_si256(_mm256_and_si256(v, each_word(mask)), each_word(1));
}
/// 32 bytes known when this is compiled: fn(i) each, or fn(i) for each word.
struct Constant32 {
    alignas(32) uint8_t at[32];
    [[gnu::always_inline]] inline operator __m256i() const {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
    }
};
template <typename Fn>
constexpr Constant32 bytes32(Fn fn) {
    Constant32 b{};
    for (int i = 0; i < 32; ++i) b.at[i] = uint8_t(fn(i));
    return b;
}
template <typename Fn>
constexpr Constant32 words16(Fn fn) {
    return bytes32([=](int i) { return fn(i / 2) >> i % 2 * 8 & 255; });
}

/// Places in a book that were put together in vectors. They go through memory, long before they are read: a
/// narrow load waits for a wide store. (g++ would rather take them out of the vectors one by one.)
template <int N>
struct PlacesOfBlock {
    alignas(32) uint16_t at[N];
    [[gnu::always_inline]] inline void put(int i, __m256i sixteen) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(at + i), sixteen);
    }
    [[gnu::always_inline]] inline void settle() { asm("" : "+m"(at)); }
};
/// 16 bytes as words, with what is above them in `high`: words that are moved by multiplying them with
/// `moves`, of which mask stays.
[[gnu::always_inline]] static inline __m256i places_of(__m256i low, __m256i high, const Constant32& moves,
                                                       int mask) {
    return _mm256_or_si256(low, _mm256_and_si256(_mm256_mullo_epi16(high, moves), each_word(mask)));
}

/// Scales of 32 weights each from dwords.
[[gnu::always_inline]] static inline ints::Scales scales_of_dwords(Dwords8 scales) {
    return {_mm256_permute4x64_epi64(_mm256_packus_epi32(__m256i(scales), __m256i(scales)), 0x88)};
}
/// … from the highest four bits, 2 s + 1.
[[gnu::always_inline]] static inline ints::Scales scales_above_signs(Dwords8 packed) {
    return scales_of_dwords((packed >> 27 & 30) + 1);
}
/// 2 s + 1 for the four bits s of sixteen weights each: the low halves of eight bytes are those of even
/// sixteens, which ints::Scales has in front.
[[gnu::always_inline]] static inline ints::Scales odd_scales_of_16(const uint8_t* packed) {
    const __m128i low = _mm_loadu_si64(packed), high = _mm_srli_epi16(low, 4);
    const __m256i words = _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(low, high));
    return {masked_words_and_one(_mm256_add_epi16(words, words), 0x1e)};
}

/// The sum over 32 weights at a time of magnitudes (fn(number)) times activations with signs, scaled.
template <typename Fn>
[[gnu::always_inline]] static inline Ints signed_products(const SignsOfBlock& signs,
                                                          const ints::Scales& scales, const int8_t* a,
                                                          const Fn& magnitudes) {
    Ints acc = ints::zero();
    lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
        const __m256i minus_or_one = _mm256_or_si256(__m256i(signs.minus(g)), _mm256_set1_epi8(1)),
                      x = _mm256_sign_epi8(ints::load(a + 32 * g), minus_or_one);
        acc = ints::dot2(acc, ints::pairs(__m256i(magnitudes(g)), x), ints::scales16(scales, g));
    });
    return acc;
}

template <>
struct BlockWithToken<Block256<TensorType::IQ2_XXS>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ2_XXS>>> {
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared&,
                                                       const TokenOfBlocks& token, uint32_t i) {
        // Groups are four indices, then a dword: four times seven signs, and a scale.
        const uint8_t* groups = block + 2;
        const Dwords8 packed = odd_dwords(groups);
        return signed_products(
            SignsOfBlock(signs_of_dwords(packed)), scales_above_signs(packed),
            token.q + 256 * i, [&](int g) __attribute__((always_inline)) {
                return entries_of_8(quant::iq2xxs_grid, [&](int l) { return groups[8 * g + l]; });
            });
    }
};

template <>
struct BlockWithToken<Block256<TensorType::IQ2_XS>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ2_XS>>, PlacesOfBlock<32>> {
    // Words: nine bits of index, seven of signs.
    [[gnu::always_inline]] static inline void find(const uint8_t* block, Prepared& places) {
        for (int half = 0; half < 2; ++half)
            places.put(16 * half, _mm256_and_si256(ints::load(block + 2 + 32 * half), each_word(511)));
    }
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared& places,
                                                       const TokenOfBlocks& token, uint32_t i) {
        return signed_products(
            SignsOfBlock(signs_of_words(block + 2)), odd_scales_of_16(block + 66),
            token.q + 256 * i, [&](int g) __attribute__((always_inline)) {
                return entries_of_8(quant::iq2xs_grid, [&](int l) { return places.at[4 * g + l]; });
            });
    }
};

template <>
struct BlockWithToken<Block256<TensorType::IQ2_S>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ2_S>>, PlacesOfBlock<32>> {
    // 32 low bytes of indices, 32 of signs, 32 pairs of high bits, sixteen scales.
    static constexpr Constant32 bytes_of_half[2] = {bytes32([](int k) { return k % 2 ? 128 : k / 8; }),
                                                    bytes32([](int k) { return k % 2 ? 128 : 4 + k / 8; })},
                                moves = words16([](int k) { return 256 >> 2 * (k % 4); });
    [[gnu::always_inline]] static inline void find(const uint8_t* block, Prepared& places) {
        const __m256i high = _mm256_set1_epi64x(int64_t(load_u64(block + 66)));
        for (int half = 0; half < 2; ++half)
            places.put(16 * half, places_of(_mm256_cvtepu8_epi16(load_half(block + 2 + 16 * half)),
                                            _mm256_shuffle_epi8(high, bytes_of_half[half]), moves, 0x300));
    }
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared& places,
                                                       const TokenOfBlocks& token, uint32_t i) {
        return signed_products(
            SignsOfBlock(load32(block + 34)), odd_scales_of_16(block + 74),
            token.q + 256 * i, [&](int g) __attribute__((always_inline)) {
                return entries_of_8(quant::iq2s_grid, [&](int l) { return places.at[4 * g + l]; });
            });
    }
};

template <>
struct BlockWithToken<Block256<TensorType::IQ3_XXS>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ3_XXS>>> {
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared&,
                                                       const TokenOfBlocks& token, uint32_t i) {
        // 64 indices, then dwords as those of IQ2_XXS.
        const Dwords8 packed = Dwords8(load32(block + 66));
        return signed_products(
            SignsOfBlock(signs_of_dwords(packed)), scales_above_signs(packed),
            token.q + 256 * i, [&](int g) __attribute__((always_inline)) {
                return entries_of_4(quant::iq3xxs_grid, [&](int l) { return block[2 + 8 * g + l]; });
            });
    }
};

template <>
struct BlockWithToken<Block256<TensorType::IQ3_S>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ3_S>>, PlacesOfBlock<64>> {
    // 64 low bytes of indices, as many high bits, 32 bytes of signs, eight scales.
    template <int Quarter>
    static constexpr Constant32 bytes_of_quarter = bytes32([](int k) {
        return k % 2 ? 128 : 2 * Quarter + k / 16;
    });
    static constexpr Constant32 moves = words16([](int k) { return 256 >> k % 8; });
    [[gnu::always_inline]] static inline void find(const uint8_t* block, Prepared& places) {
        const __m256i high = _mm256_set1_epi64x(int64_t(load_u64(block + 66)));
        lanes::unrolled<4>([&](auto k) __attribute__((always_inline)) {
            const __m256i bytes = bytes_of_quarter<decltype(k)::value>;
            places.put(16 * k, places_of(_mm256_cvtepu8_epi16(load_half(block + 2 + 16 * k)),
                                         _mm256_shuffle_epi8(high, bytes), moves, 0x100));
        });
    }
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared& places,
                                                       const TokenOfBlocks& token, uint32_t i) {
        const Dwords8 nibbles = nibbles_of_dword(block + 106);
        return signed_products(
            SignsOfBlock(load32(block + 74)), scales_of_dwords(2 * nibbles + 1),
            token.q + 256 * i, [&](int g) __attribute__((always_inline)) {
                return entries_of_4(quant::iq3s_grid, [&](int l) { return places.at[8 * g + l]; });
            });
    }
};

// IQ1: entries are -1, 0 or 1, plus or minus an eighth. Activations get entries as signs; in eighths that is
// eight times their sum, plus or minus the sum of the activations.

/// Products with entries, scaled. Places are those of their bytes in the book.
[[gnu::always_inline]] static inline Ints products_of_iq1(const PlacesOfBlock<32>& places,
                                                          const ints::Scales& scales, const int8_t* a) {
    Ints acc = ints::zero();
    lanes::unrolled<8>([&](auto g) __attribute__((always_inline)) {
        const auto entry = [&](int l) __attribute__((always_inline)) {
            const auto* book = reinterpret_cast<const uint8_t*>(quant::iq1s_grid);
            return reinterpret_cast<const uint64_t*>(book + places.at[4 * g + l]);
        };
        const __m256i x = _mm256_sign_epi8(ints::load(a + 32 * g), __m256i(four_entries(entry)));
        acc = ints::dot2(acc, ints::pairs(_mm256_set1_epi8(1), x), ints::scales16(scales, g));
    });
    return _mm256_slli_epi32(acc, 3);
}
/// Scales, negated where bit 15 of as many words is set.
[[gnu::always_inline]] static inline __m256i with_sign_of(__m256i words, __m256i scales) {
    return _mm256_sign_epi16(scales, _mm256_or_si256(words, each_word(1)));
}
/// Places of sixteen entries, from low bytes and words that have three more bits at several places.
[[gnu::always_inline]] static inline __m256i places_of_iq1(const uint8_t* low, __m256i high,
                                                           const Constant32& moves) {
    return places_of(_mm256_slli_epi16(_mm256_cvtepu8_epi16(load_half(low)), 3), high, moves, 7 << 11);
}

template <>
struct BlockWithToken<Block256<TensorType::IQ1_S>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ1_S>>, PlacesOfBlock<32>> {
    // 32 low bytes of indices; eight words: four times three high bits, a scale, the eighth's sign.
    static constexpr Constant32 words_of_half[2] = {bytes32([](int k) { return k / 8 * 2 + k % 2; }),
                                                    bytes32([](int k) { return 8 + k / 8 * 2 + k % 2; })},
                                moves = words16([](int k) { return 2048 >> 3 * (k % 4); });
    [[gnu::always_inline]] static inline void find(const uint8_t* block, Prepared& places) {
        const __m256i high = load_twice(block + 34);
        for (int half = 0; half < 2; ++half)
            places.put(16 * half, places_of_iq1(block + 2 + 16 * half,
                                                _mm256_shuffle_epi8(high, words_of_half[half]), moves));
    }
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared& places,
                                                       const TokenOfBlocks& token, uint32_t i) {
        const __m256i high = load_twice(block + 34),
                      scales = masked_words_and_one(_mm256_srli_epi16(high, 11), 0xe),
                      eighths = with_sign_of(high, scales);
        const __m256i of_sixteens = _mm256_blend_epi32(_mm256_unpacklo_epi16(eighths, eighths),
                                                       _mm256_unpackhi_epi16(eighths, eighths), 0xf0);
        return ints::dot2(products_of_iq1(places, {scales}, token.q + 256 * i), of_sixteens,
                          ints::load(token.sums + 16 * i));
    }
};

template <>
struct BlockWithToken<Block256<TensorType::IQ1_M>>
    : BookWithToken<BlockWithToken<Block256<TensorType::IQ1_M>>, PlacesOfBlock<32>> {
    // 32 low bytes of indices; as many times three high bits and the eighth's sign; words of four scales.
    static constexpr Constant32 bytes_of_half[2] = {bytes32([](int k) { return k % 2 ? 128 : k / 4; }),
                                                    bytes32([](int k) { return k % 2 ? 128 : 8 + k / 4; })},
                                moves = words16([](int k) { return 2048 >> 4 * (k % 2); });
    // Of even sixteens and of odd ones; and of each eight weights of a half.
    static constexpr Constant32 words = bytes32([](int k) { return k % 16 / 4 * 2 + k % 2; }),
                                up = words16([](int k) { return 1 << (13 - 3 * (k % 2 * 2 + k / 8)); }),
                                words_of_eights[2] = {bytes32([](int k) { return k / 16 * 2 + k % 2; }),
                                                      bytes32([](int k) { return 4 + k / 16 * 2 + k % 2; })},
                                up_eights = words16([](int k) { return 1 << (13 - 3 * (k % 8 / 2)); });
    [[gnu::always_inline]] static inline __m256i high_of_half(const uint8_t* block, int half) {
        return _mm256_shuffle_epi8(load_twice(block + 32), bytes_of_half[half]);
    }
    [[gnu::always_inline]] static inline void find(const uint8_t* block, Prepared& places) {
        for (int half = 0; half < 2; ++half)
            places.put(16 * half, places_of_iq1(block + 16 * half, high_of_half(block, half), moves));
    }
    [[gnu::always_inline]] static inline Ints products(const uint8_t* block, const Prepared& places,
                                                       const TokenOfBlocks& token, uint32_t i) {
        const __m256i packed = _mm256_set1_epi64x(int64_t(load_u64(block + 48)));
        const auto scales = [&](__m256i which, __m256i moved) __attribute__((always_inline)) {
            const __m256i above = _mm256_mullo_epi16(_mm256_shuffle_epi8(packed, which), moved);
            return masked_words_and_one(_mm256_srli_epi16(above, 12), 0xe);
        };
        Ints acc = products_of_iq1(places, {scales(words, up)}, token.q + 256 * i);
        for (int half = 0; half < 2; ++half) {
            const __m256i minus = _mm256_slli_epi16(_mm256_mullo_epi16(high_of_half(block, half), moves), 1);
            acc = ints::dot2(acc, with_sign_of(minus, scales(words_of_eights[half], up_eights)),
                             ints::load(token.for_header + 16 * i + 8 * half));
        }
        return acc;
    }
    /// … and the sums of each eight, 32 words.
    [[gnu::always_inline]] static inline void put_activations(const Activations256& a, const TokenOfBlocks& t,
                                                              uint32_t i) {
        put_in_order(a, t, i);
        const auto of_fours = [&](int k) __attribute__((always_inline)) {
            return ints::dot2(ints::zero(), ints::pairs(_mm256_set1_epi8(1), ints::load(a.q + 32 * k)),
                              each_word(1));
        };
        for (int k = 0; k < 8; k += 4) {
            const __m256i first = _mm256_hadd_epi32(of_fours(k), of_fours(k + 1)),
                          last = _mm256_hadd_epi32(of_fours(k + 2), of_fours(k + 3));
            // Dwords of two sums each: the first halves of four vectors, then the last ones.
            const __m256i sums = _mm256_packs_epi32(first, last),
                          in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
            ints::store(t.for_header + 16 * i + 2 * k, _mm256_permutevar8x32_epi32(sums, in_order));
        }
    }
};

}  // namespace
}  // namespace sluice::portable
