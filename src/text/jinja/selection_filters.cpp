// Filters that apply other filters and tests to items, default and attr; and the lookup in all tables.
#include <algorithm>
#include <array>

#include "text/jinja/attribute_path.h"
#include "text/jinja/filters.h"
#include "text/jinja/methods.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {

namespace {

Arguments all_but_first(const Arguments& arguments, size_t skipped) {
    Arguments rest;
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(skipped),
                           arguments.positional.end());
    rest.named = arguments.named;
    return rest;
}

std::string_view name_argument(const Arguments& arguments, size_t at, std::string_view filter) {
    const Value& name = arguments.positional[at];
    if (!name.is_string())
        refuse("{}() expects a name as argument {}, not '{}'", filter, at + 1, type_name(name));
    return name.view();
}

Value map_attribute(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("map", arguments, {"attribute", "default"});
    const AttributePath path(runtime, given.required(0), given.get(1));
    std::vector<Value> mapped;
    Iteration items(runtime, value);
    while (const auto next = items.next()) mapped.push_back(path.of(runtime, *next));
    return runtime.generator(std::move(mapped));
}

Value map(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Runtime::Depth depth(runtime);
    if (!is_true(value)) return runtime.generator({});
    if (arguments.positional.empty()) {
        if (!arguments.find("attribute")) refuse("map requires a filter argument");
        return map_attribute(runtime, value, arguments);
    }
    const std::string_view name = name_argument(arguments, 0, "map");
    const Filter* const filter = find_filter(name);
    if (!filter) refuse_unknown_filter(name);
    const Arguments rest = all_but_first(arguments, 1);
    std::vector<Value> mapped;
    Iteration items(runtime, value);
    while (const auto next = items.next()) {
        runtime.step();
        mapped.push_back(filter->body(runtime, *next, rest));
    }
    return runtime.generator(std::move(mapped));
}

enum class Keep : uint8_t { matching, others };
enum class By : uint8_t { item, attribute };

// select, reject: (test, arguments…); selectattr, rejectattr: (attribute, test, arguments…). Without a test,
// truth.
template <Keep keep, By by>
Value select(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Runtime::Depth depth(runtime);
    if (!is_true(value)) return runtime.generator({});
    constexpr size_t own = by == By::attribute ? 1 : 0;
    std::optional<AttributePath> path;
    if (by == By::attribute) {
        if (arguments.positional.empty()) refuse("Missing parameter for attribute name");
        path.emplace(runtime, arguments.positional[0]);
    }
    const Test* test = nullptr;
    Arguments rest;
    if (arguments.positional.size() > own) {
        const std::string_view name = name_argument(arguments, own, "select");
        test = find_test(name);
        if (!test) refuse_unknown_test(name);
        rest = all_but_first(arguments, own + 1);
    }
    std::vector<Value> kept;
    Iteration items(runtime, value);
    while (const auto next = items.next()) {
        runtime.step();
        const Value tested = path ? path->of(runtime, *next) : *next;
        const bool matches = test ? test->body(runtime, tested, rest) : is_true(tested);
        if (matches == (keep == Keep::matching)) kept.push_back(*next);
    }
    return runtime.generator(std::move(kept));
}

Value default_value(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("default", arguments, {"default_value", "boolean"});
    if (!value.is_undefined() && !(given.flag(1, false) && !is_true(value))) return value;
    return given.get(0) ? *given.get(0) : runtime.string(Text());
}

// Attributes only: members of a dict are not looked at.
Value attr(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("attr", arguments, {"name"});
    const std::string_view name = given.text(0).view();
    require_defined(value);
    if (!value.is(Kind::dict)) return attribute(runtime, value, name);
    if (auto method = bound_method(runtime, value, name)) return *method;
    return runtime.undefined(fmt::format("'dict object' has no attribute {}", quoted(name)));
}

constexpr std::array<Filter, 8> selection_filters{{
    {"attr", attr},
    {"d", default_value},
    {"default", default_value},
    {"map", map},
    {"reject", select<Keep::others, By::item>},
    {"rejectattr", select<Keep::others, By::attribute>},
    {"select", select<Keep::matching, By::item>},
    {"selectattr", select<Keep::matching, By::attribute>},
}};

}  // namespace

const Filter* find_selection_filter(std::string_view name) noexcept {
    const auto found = std::find_if(selection_filters.begin(), selection_filters.end(),
                                    [&](const Filter& f) { return f.name == name; });
    return found == selection_filters.end() ? nullptr : &*found;
}

const Filter* find_filter(std::string_view name) noexcept {
    for (const auto find :
         {find_text_filter, find_selection_filter, find_sequence_filter, find_number_filter}) {
        if (const Filter* const found = find(name)) return found;
    }
    return nullptr;
}

void refuse_unknown_filter(std::string_view name) {
    throw Problem(ErrorCode::unsupported, fmt::format("there is no filter named '{}'", name));
}

void refuse_unknown_test(std::string_view name) {
    throw Problem(ErrorCode::unsupported, fmt::format("there is no test named '{}'", name));
}

}  // namespace sluice::jinja
