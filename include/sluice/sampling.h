// How the next token is chosen from the logits.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

/// The steps are applied in this order, each neutral at the value named in its comment:
///   1. logit_bias                  added to the logits of the named tokens
///   2. repeat, presence, frequency penalties over the last `penalty_last_n` tokens (prompt included)
///   3. greedy, if temperature is 0 or top_k is 1: the largest logit, the lowest id on a tie; nothing below
///   applies
///   4. top_k, 5. typical_p, 6. top_p, 7. min_p   each on the renormalised rest, at temperature 1
///   8. temperature, then one draw from what is left, from a generator seeded by `seed`
/// The order is llama.cpp's. The same logits, options, seed and history give the same token on every machine.
struct SamplingOptions {
    float temperature = 0.8f;  // 1: as trained; 0: greedy
    uint32_t top_k = 40;       // 0: off
    float top_p = 0.95f;       // 1: off
    float min_p = 0.05f;       // 0: off
    float typical_p = 1.0f;    // 1: off
    float repeat_penalty =
        1.0f;  // 1: off; divides positive, multiplies negative logits of seen tokens (CTRL)
    float presence_penalty = 0.0f;   // 0: off; subtracted once from tokens seen
    float frequency_penalty = 0.0f;  // 0: off; subtracted once for each time a token was seen
    int32_t penalty_last_n = 64;     // tokens looked back; -1: all; 0: penalties off
    std::vector<std::pair<int32_t, float>> logit_bias{};  // token id, addend; -infinity forbids
    uint64_t seed = 0;
};

}  // namespace sluice
