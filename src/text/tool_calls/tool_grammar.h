// Grammars for answers that must call a tool (tool_choice "required", or one by name): the family's form, the
// name of an offered tool, arguments that are valid under its schema.
#pragma once

#include <string_view>

#include "text/grammar/rules.h"
#include "text/tool_calls/tool_format.h"
#include "text/tool_calls/tool_set.h"

namespace sluice {

class Tokenizer;

struct ToolDemand {
    std::string_view name{};  // the tool to call; empty: any of them
    bool parallel = true;     // several calls may follow each other
};

/// Throws invalid_argument (no tools, no tool of that name), unsupported (the template knows no tools; what a
/// schema uses). `tokenizer`: which markers are control tokens.
GrammarRules tool_call_rules(ToolFormat format, const ToolSet& tools, const ToolDemand& demand,
                             const Tokenizer& tokenizer);

}  // namespace sluice
