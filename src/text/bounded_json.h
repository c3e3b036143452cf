// JSON from outside. nlohmann's parser takes any depth and its ordered objects search all their names for
// each new one; a few megabytes made for the purpose would overflow a stack that walks them, or take hours.
// So texts are looked through before they are kept.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace sluice {

struct JsonLimits {
    int depth = 64;
    uint64_t values = 4'000'000;
    uint64_t name_comparisons = 20'000'000;  // about what one object of 6,000 names needs
};

/// One JSON value in valid UTF-8 within the limits. Throws Error (invalid_argument): where the mistake is, or
/// which limit was exceeded.
nlohmann::ordered_json parse_bounded_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace sluice
