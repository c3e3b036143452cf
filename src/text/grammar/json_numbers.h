// Numbers between bounds, as grammar expressions over their digits.
#pragma once

#include <optional>
#include <string>

#include "text/grammar/rules.h"

namespace sluice {

/// A number in decimal: digits before and after the point, without needless zeros.
struct Decimal {
    bool negative = false;
    std::string whole = "0", fraction{};
    bool is_zero() const { return whole == "0" && fraction.empty(); }
    /// From a JSON number's text; none if it has more than 16 digits on a side.
    static std::optional<Decimal> parse(std::string_view text);
};

struct NumberBound {
    Decimal value;
    bool exclusive = false;
};

/// Numbers from `least` to `most`, written without exponent and with at most 16 digits before and after the
/// point; integers have none after it. Nothing matches if no number lies between.
GrammarRules::Expr number_between(GrammarRules& rules, const std::optional<NumberBound>& least,
                                  const std::optional<NumberBound>& most, bool integer);

}  // namespace sluice
