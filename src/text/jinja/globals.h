// What every template can name without being given it: range, namespace, dict, cycler, joiner,
// raise_exception and strftime_now, as transformers sets them up.
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

std::optional<Value> global(Runtime& runtime, std::string_view name);

/// strftime() of the C locale, with English names whatever the process's locale is. Knows the flags - _ 0 ^
/// #.
std::string format_time(std::string_view format, const std::tm& time);

}  // namespace sluice::jinja
