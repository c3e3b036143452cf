// Tokens to a tree, by recursive descent. Nesting is bounded, so hostile sources cannot overflow the stack.
#pragma once

#include <string_view>

#include "text/jinja/syntax.h"

namespace sluice::jinja {

/// Parses a template (already normalized, see lexer.h). Throws Error: invalid_file with the line and what was
/// expected, or unsupported naming the tag, filter or test.
Syntax parse(std::string_view source, uint32_t depth_limit);

}  // namespace sluice::jinja
