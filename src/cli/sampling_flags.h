// The options that choose tokens and end an answer, shared by run and chat: what is not given stays as the
// model's file recommends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "sluice/engine.h"

namespace sluice::cli {

struct SamplingFlags {
    std::optional<float> temperature, top_p, min_p, typical_p;
    std::optional<float> repeat_penalty, presence_penalty, frequency_penalty;
    std::optional<uint32_t> top_k;
    std::optional<int32_t> penalty_last_n;
    std::optional<uint64_t> seed;  // none: drawn anew for each answer
    std::vector<std::string> logit_bias;
    int64_t max_tokens = -1;
    std::vector<std::string> stop;
    bool ignore_end = false;

    void add_to(CLI::App& command);
    /// Throws UsageError for values that cannot be, before any model is opened.
    void check() const;
    /// `recommended` with what was given; the seed is drawn if none was.
    GenerateOptions generate_options(const SamplingOptions& recommended) const;
};

/// A seed nobody chose.
uint64_t random_seed();

}  // namespace sluice::cli
