// Methods of Python's built-in types that templates call: message.content.split(…), tools.items(),
// loop.cycle(…).
#pragma once

#include <optional>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

using MethodBody = Value (*)(Runtime& runtime, const Value& self, const Arguments& arguments);

struct Method {
    std::string_view name;
    MethodBody body;
};

/// The method `name` of the value's type, bound to the value.
std::optional<Value> bound_method(Runtime& runtime, const Value& self, std::string_view name);
/// Any function, bound to a value.
Value bind(Runtime& runtime, const Method& method, const Value& self);

// The tables, by type; each lives beside its bodies.
const Method* find_string_method(std::string_view name) noexcept;
const Method* find_list_method(std::string_view name) noexcept;
const Method* find_tuple_method(std::string_view name) noexcept;
const Method* find_dict_method(std::string_view name) noexcept;

}  // namespace sluice::jinja
