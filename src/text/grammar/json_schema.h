// JSON schema (draft 2020-12) as a grammar: every text it allows is a JSON value that is valid under the
// schema; it does not allow every such text. Properties come in the order of the schema; whitespace is
// bounded; where `properties` is given and additionalProperties is not, there are no others.
// docs/grammar.md has the table of keywords. oneOf is taken as anyOf.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "text/grammar/rules.h"

namespace sluice {

/// Throws invalid_argument (not JSON, not a schema, nothing is valid) or unsupported; the sentence names the
/// place in the schema as a JSON pointer, and the keyword.
GrammarRules parse_json_schema(std::string_view text);

/// The same as a part of other rules: an expression for the values that are valid under `schema`. `$ref`s are
/// looked up in it; `where` names it in errors ("the schema").
GrammarRules::Expr json_schema_value(GrammarRules& rules, const nlohmann::ordered_json& schema,
                                     std::string_view where);

/// Any JSON object.
GrammarRules json_object_rules();

}  // namespace sluice
