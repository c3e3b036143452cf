// Jinja's filters (value|name) and tests (value is name): tables from name to function.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

using FilterBody = Value (*)(Runtime& runtime, const Value& value, const Arguments& arguments);
using TestBody = bool (*)(Runtime& runtime, const Value& value, const Arguments& arguments);

struct Filter {
    std::string_view name;
    FilterBody body;
};
struct Test {
    std::string_view name;
    TestBody body;
};

/// nullptr if there is no such filter.
const Filter* find_filter(std::string_view name) noexcept;
/// nullptr if there is no such test.
const Test* find_test(std::string_view name) noexcept;
/// Throws unsupported, naming what is missing.
[[noreturn]] void refuse_unknown_filter(std::string_view name);
[[noreturn]] void refuse_unknown_test(std::string_view name);

// The parts of the filter table, each beside its bodies.
const Filter* find_text_filter(std::string_view name) noexcept;
const Filter* find_number_filter(std::string_view name) noexcept;
const Filter* find_sequence_filter(std::string_view name) noexcept;
const Filter* find_selection_filter(std::string_view name) noexcept;

}  // namespace sluice::jinja
