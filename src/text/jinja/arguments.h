// The arguments of a call, and their way to the parameters of a built-in function, filter or method.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace sluice::jinja {

struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;

    const Value* find(std::string_view name) const;
};

/// Arguments matched to parameter names. Too many, unknown or doubled ones throw, as Python's TypeError
/// would.
///     Parameters given("indent", arguments, {"width", "first", "blank"});
///     const int64_t width = given.integer(0, 4);
class Parameters {
  public:
    Parameters(std::string_view function, const Arguments& arguments,
               std::initializer_list<std::string_view> names);

    /// nullptr if the caller left it out.
    const Value* get(size_t parameter) const { return values_[parameter]; }
    const Value& required(size_t parameter) const;
    /// Left out, or none.
    bool absent(size_t parameter) const { return !values_[parameter] || values_[parameter]->is_none(); }
    int64_t integer(size_t parameter, std::optional<int64_t> otherwise = std::nullopt) const;
    bool flag(size_t parameter, bool otherwise) const;
    /// A string argument; throws if it is something else.
    const Text& text(size_t parameter) const;

  private:
    [[noreturn]] void wrong_type(size_t parameter, std::string_view expected) const;
    std::string_view name(size_t parameter) const { return names_[parameter]; }

    std::string_view function_;
    std::vector<std::string_view> names_;
    std::vector<const Value*> values_;
};

}  // namespace sluice::jinja
