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

}  // namespace sluice::quant
