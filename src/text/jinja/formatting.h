// Python's two ways of formatting: 'a %s b' % x, and 'a {} b'.format(x). Literal parts and strings keep their
// origin.
#pragma once

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

/// `pattern % values`: a tuple gives several values, a dict named ones, anything else is the only one.
Value percent_format(Runtime& runtime, const Text& pattern, const Value& values);
/// `pattern.format(…)`: fields {} {0} {name}, with conversions !r !s, members {0.a} {0[b]}, and format
/// specifications.
Value brace_format(Runtime& runtime, const Text& pattern, const Arguments& arguments);

}  // namespace sluice::jinja
