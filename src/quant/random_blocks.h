// Valid blocks with random weights, for models that only speed is asked of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "format/tensor_type.h"

namespace sluice {

/// Every byte of a block is random but its scales, which are set so that weights have mean 0 and the
/// deviation asked for. (MXFP4's scale is a power of two: its deviation is right to a factor of 1.5.) Such
/// bytes cannot be compressed, nor told from a real model's by a drive.
class RandomBlocks {
  public:
    RandomBlocks(TensorType type, double deviation);
    /// Fills whole blocks. The same seed gives the same bytes on every machine.
    void fill(std::span<std::byte> out, uint64_t seed) const;

  private:
    void set_scales(uint8_t* block, uint64_t random) const;

    TensorType type_;
    uint32_t block_bytes_;
    float scale_ = 1;
};

}  // namespace sluice
