// Values as Python prints them: str() for output and joining, repr() inside lists and dicts.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

/// str(value). Strings keep their origins; numbers, booleans and none are the template's own (they hold no
/// token); everything else counts as input.
Text to_text(Runtime& runtime, const Value& value);
/// to_text() as a value; a string is returned as it is.
Value to_string(Runtime& runtime, const Value& value);
/// repr(value), bounded like any text.
std::string repr(Runtime& runtime, const Value& value);
/// repr() of a string, in Python's choice of quotes.
std::string quoted(std::string_view text);
/// The shortest text that reads back as the same number, in Python's layout: 1.0, 1e+16, 1e-05, inf, nan.
std::string real_text(double real);
/// type(value).__name__
std::string_view type_name(const Value& value) noexcept;

}  // namespace sluice::jinja
