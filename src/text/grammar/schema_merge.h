// Two JSON schemas that must both hold, as one: allOf, and keywords beside $ref or anyOf.
#pragma once

#include <functional>
#include <string_view>

#include <nlohmann/json.hpp>

namespace sluice {

/// True for keywords that say something about which values are valid (as far as Sluice reads them).
bool is_schema_constraint(std::string_view keyword);

/// A schema whose valid values are those of both. Keywords that cannot be joined throw unsupported, with the
/// keyword; `where` is the place for the sentence. References stay references, joined by allOf.
nlohmann::ordered_json merge_schemas(const nlohmann::ordered_json& a, const nlohmann::ordered_json& b,
                                     std::string_view where);

}  // namespace sluice
