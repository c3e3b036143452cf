// json.dumps(), as transformers' `tojson` calls it: no ASCII escaping unless asked, ", " and ": " unless told
// otherwise.
#pragma once

#include <optional>
#include <string>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    std::optional<std::string> indent;  // one level's; without it all is on one line
    std::string item_separator = ", ", key_separator = ": ";
};

/// Throws for what JSON cannot say (undefined values, generators, macros).
std::string to_json(Runtime& runtime, const Value& value, const JsonStyle& style);

}  // namespace sluice::jinja
