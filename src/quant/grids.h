// Code books of the IQ types: generated from the format's reference tables. Each entry of a grid packs 8 (or,
// for IQ3, 4) values, the first in the lowest byte; ksigns_iq2xs maps 7 bits to 8 signs of even parity.
#pragma once

#include <cstdint>

namespace sluice::quant {

extern const uint8_t kmask_iq2xs[8];
extern const uint8_t ksigns_iq2xs[128];
extern const uint64_t iq2xxs_grid[256];
extern const uint64_t iq2xs_grid[512];
extern const uint64_t iq2s_grid[1024];
extern const uint32_t iq3xxs_grid[256];
extern const uint32_t iq3s_grid[512];
extern const uint64_t iq1s_grid[2048];
extern const int8_t kvalues_iq4nl[16];

/// A book of eight values an entry, each one of three levels: two bits a value, those of values 0 to 3 in a
/// byte of `first`, of 4 to 7 in one of `second`, from the lowest bits on. A byte of levels is found by an
/// instruction that looks up many at once, where values would be too large for it.
template <int N>
struct CodesOf8 {
    alignas(64) uint8_t first[N];
    alignas(64) uint8_t second[N];
};
/// Of four values an entry, one of eight levels each: those of values 0 and 1 in bits 0 to 2 and 4 to 6 of
/// `first`, of 2 and 3 in those of `second`.
template <int N>
struct CodesOf4 {
    alignas(64) uint8_t first[N];
    alignas(64) uint8_t second[N];
};
/// IQ1's book, where the levels are -1, 0, 1. It is sorted so that the second half of an entry changes once at
/// most among sixteen: from `before` to `after`, at entry `changes_at` (16: does not change).
struct CodesOfIq1 {
    alignas(64) uint8_t first[2048];
    alignas(64) uint8_t before[128];
    alignas(64) uint8_t after[128];
    alignas(64) uint8_t changes_at[128];
};
extern const CodesOf8<256> iq2xxs_codes;
extern const CodesOf8<512> iq2xs_codes;
extern const CodesOf8<1024> iq2s_codes;
extern const CodesOf4<256> iq3xxs_codes;
extern const CodesOf4<512> iq3s_codes;
extern const CodesOfIq1 iq1_codes;

}  // namespace sluice::quant
