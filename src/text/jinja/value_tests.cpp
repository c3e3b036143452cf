// Jinja's tests: value is name(arguments).
#include <algorithm>
#include <array>

#include "text/jinja/characters.h"
#include "text/jinja/filters.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {
namespace {

template <Kind... kinds>
bool is_kind(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("is", arguments, {});
    return (value.is(kinds) || ...);
}

bool is_defined(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("defined", arguments, {});
    return !value.is_undefined();
}

template <bool wanted>
bool is_exactly(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("true", arguments, {});
    return value.is(Kind::boolean) && value.boolean() == wanted;
}

template <Comparison comparison>
bool compares(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("is", arguments, {"other"});
    return compare(runtime, comparison, value, given.required(0));
}

int64_t remainder(Runtime& runtime, const Value& value, const Value& divisor) {
    const Value rest = arithmetic(runtime, BinaryOperator::modulo, value, divisor);
    if (const auto integer = as_integer(rest)) return *integer;
    const auto real = as_real(rest);
    if (!real) refuse("a number is expected, not '{}'", type_name(value));
    return *real == 0 ? 0 : *real == 1 ? 1 : -1;
}

bool is_divisible(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("divisibleby", arguments, {"num"});
    return remainder(runtime, value, given.required(0)) == 0;
}

template <int64_t parity>
bool has_parity(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("is", arguments, {});
    return remainder(runtime, value, Value(int64_t{2})) == parity;
}

bool is_same(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("sameas", arguments, {"other"});
    return value.same_as(given.required(0));
}

template <bool (*wanted)(char32_t) noexcept, bool (*other)(char32_t) noexcept>
bool is_cased(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("is", arguments, {});
    const Text text = to_text(runtime, value);
    runtime.work(text.size());
    bool found = false;
    for (size_t at = 0; at < text.size();) {
        const Character c = character_at(text.view(), at);
        if (other(c.code)) return false;
        found |= wanted(c.code);
        at += c.bytes;
    }
    return found;
}

template <auto find>
bool is_known(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("is", arguments, {});
    return value.is_string() && find(value.view()) != nullptr;
}

bool is_escaped(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("escaped", arguments, {});
    return value.is_markup();
}

constexpr std::array<Test, 39> tests{{
    {"!=", compares<Comparison::not_equal>},
    {"<", compares<Comparison::less>},
    {"<=", compares<Comparison::less_equal>},
    {"==", compares<Comparison::equal>},
    {">", compares<Comparison::greater>},
    {">=", compares<Comparison::greater_equal>},
    {"boolean", is_kind<Kind::boolean>},
    {"callable", is_kind<Kind::callable>},
    {"defined", is_defined},
    {"divisibleby", is_divisible},
    {"eq", compares<Comparison::equal>},
    {"equalto", compares<Comparison::equal>},
    {"escaped", is_escaped},
    {"even", has_parity<0>},
    {"false", is_exactly<false>},
    {"filter", is_known<find_filter>},
    {"float", is_kind<Kind::real>},
    {"ge", compares<Comparison::greater_equal>},
    {"greaterthan", compares<Comparison::greater>},
    {"gt", compares<Comparison::greater>},
    {"in", compares<Comparison::in>},
    {"integer", is_kind<Kind::integer>},
    {"iterable", is_kind<Kind::undefined, Kind::string, Kind::list, Kind::tuple, Kind::view, Kind::generator,
                         Kind::dict>},
    {"le", compares<Comparison::less_equal>},
    {"lessthan", compares<Comparison::less>},
    {"lower", is_cased<is_lower, is_upper>},
    {"lt", compares<Comparison::less>},
    {"mapping", is_kind<Kind::dict>},
    {"ne", compares<Comparison::not_equal>},
    {"none", is_kind<Kind::none>},
    {"number", is_kind<Kind::boolean, Kind::integer, Kind::real>},
    {"odd", has_parity<1>},
    {"sameas", is_same},
    {"sequence", is_kind<Kind::undefined, Kind::string, Kind::list, Kind::tuple, Kind::dict>},
    {"string", is_kind<Kind::string>},
    {"test", is_known<find_test>},
    {"true", is_exactly<true>},
    {"undefined", is_kind<Kind::undefined>},
    {"upper", is_cased<is_upper, is_lower>},
}};

}  // namespace

const Test* find_test(std::string_view name) noexcept {
    const auto found =
        std::find_if(tests.begin(), tests.end(), [&](const Test& test) { return test.name == name; });
    return found == tests.end() ? nullptr : &*found;
}

}  // namespace sluice::jinja
