// Rotary position embeddings: frequencies with their scaling (linear, YaRN, Llama 3's divisors), and the
// turning itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/hparams.h"

namespace sluice {

class Rope {
  public:
    /// divisors: of each frequency (rope_freqs.weight), or empty.
    Rope(const RopeParams& params, std::span<const float> divisors);

    /// cos and sin of one position for all pairs, interleaved: (dims / 2, 2).
    void angles(uint32_t position, float* out) const;
    uint32_t angle_count() const { return uint32_t(frequencies_.size()) * 2; }
    /// Turns one head's first `dims` values by the angles of a position.
    void turn(const float* angles, float* head) const;

  private:
    RopePairs pairs_;
    double magnitude_;
    std::vector<double> frequencies_;  // radians per position, by pair
};

}  // namespace sluice
