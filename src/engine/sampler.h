// Chooses tokens from logits by SamplingOptions; the order of the steps is documented there.
// Deterministic: depends on the logits, the options, the seed and the tokens accepted, never on time or
// machine (the generator and the draw are our own arithmetic on std::mt19937_64's bits, not
// std::discrete_distribution).
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "sluice/sampling.h"

#include "text/grammar/vocabulary.h"

namespace sluice {

class Sampler {
  public:
    /// Throws invalid_argument naming the option that is out of range or not a number.
    /// n_vocab: ids at and above it are never chosen (embedding rows without a token).
    Sampler(const SamplingOptions& options, uint32_t n_vocab);
    /// A token that is now part of the text (prompt tokens too, in order): counts for the penalties.
    void accept(int32_t token);
    /// One choice, of `allowed` if given. Not accepted yet. NaN logits are an Error (internal), not a token.
    int32_t sample(std::span<const float> logits, const TokenMask* allowed = nullptr);

  private:
    struct Candidate {
        int32_t id;
        float logit;
        double probability;
    };
    float penalised(int32_t id, float logit) const;
    int32_t greedy(std::span<const float> logits, const TokenMask* allowed) const;
    void collect(std::span<const float> logits, const TokenMask* allowed);
    void keep_top_k();
    void normalise();
    void keep_typical();
    void keep_top_p();
    void keep_min_p();
    int32_t draw();

    SamplingOptions options_;
    uint32_t n_vocab_;
    std::mt19937_64 random_;
    std::unordered_map<int32_t, float> bias_;
    std::deque<int32_t> recent_;                    // the last penalty_last_n tokens
    std::unordered_map<int32_t, uint32_t> counts_;  // of each in recent_
    std::vector<Candidate> candidates_;             // best first once sorted
};

}  // namespace sluice
