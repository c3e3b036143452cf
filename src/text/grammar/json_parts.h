// The pieces of JSON as grammar expressions: strings, numbers, bounded whitespace, any value, given values.
// Each is made once for a grammar, so that the states inside strings are the same wherever strings occur.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "text/grammar/rules.h"

namespace sluice {

class JsonParts {
  public:
    using Expr = GrammarRules::Expr;

    explicit JsonParts(GrammarRules& rules) : rules_(rules) {}

    /// Where JSON may have whitespace: nothing, one blank, or one or two newlines with up to 20 blanks or
    /// tabs.
    Expr space();
    /// A string of min to max characters (GrammarRules::unlimited: any number).
    Expr string(uint32_t min = 0, uint32_t max = GrammarRules::unlimited);
    /// A string with these contents: an expression made of characters() and one_character().
    Expr quoted(Expr contents);
    /// One character of a string as JSON writes it, escapes included.
    Expr one_character();
    /// One character out of `ranges`, as JSON writes it: itself, or its shortest escape.
    Expr characters(const std::vector<CharRange>& ranges);
    /// A key that is none of `names`.
    Expr other_key(const std::vector<std::string>& names);
    Expr integer();
    Expr number();
    Expr boolean();
    Expr null();
    Expr any_value();
    Expr any_object();
    Expr any_array();
    /// Exactly this value; whitespace between its tokens may vary.
    Expr value(const nlohmann::ordered_json& value);

    /// "{" members "}" with whitespace; members: none if it may only be empty.
    Expr braces(std::optional<Expr> members, bool may_be_empty, std::string_view open = "{",
                std::string_view close = "}");
    /// key ":" value.
    Expr member(Expr key, Expr value);
    /// "," and whitespace.
    Expr comma();

  private:
    Expr string_rest();
    template <typename Make>
    Expr shared(const char* name, Make make);

    GrammarRules& rules_;
    std::map<std::string, Expr> shared_;
    std::map<std::pair<uint32_t, uint32_t>, Expr> strings_;
};

}  // namespace sluice
