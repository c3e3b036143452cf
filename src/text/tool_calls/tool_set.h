// The tools that a request offers: names, and schemas of their parameters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice {

struct Tool {
    std::string name{};
    nlohmann::ordered_json parameters{};  // a JSON schema; an object without members if none was given
};

class ToolSet {
  public:
    ToolSet() = default;
    /// A JSON array of {"type": "function", "function": {…}}, or of the inner objects, as text; empty: no
    /// tools. Throws invalid_argument.
    explicit ToolSet(std::string_view json);

    const std::vector<Tool>& all() const { return tools_; }
    const Tool* find(std::string_view name) const;

  private:
    std::vector<Tool> tools_;
};

/// Something that can be a tool's name in any family's form: no blanks, quotes, brackets or control
/// characters.
bool is_tool_name(std::string_view name);

/// What a model wrote for a parameter, in a format that does not mark types, as JSON: a string where the
/// schema wants one, else the JSON it is, else a string.
std::string argument_json(const Tool* tool, const std::string& parameter, std::string_view text);
/// The schema of a parameter, or none.
const nlohmann::ordered_json* parameter_schema(const Tool& tool, const std::string& parameter);
/// The schema allows strings.
bool wants_text(const nlohmann::ordered_json& schema);

}  // namespace sluice
