// Filters that make numbers.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "text/jinja/filters.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

Value absolute(Runtime&, const Value& value, const Arguments& arguments) {
    const Parameters given("abs", arguments, {});
    require_defined(value);
    if (const auto integer = as_integer(value)) return *integer < 0 ? negate(value) : Value(*integer);
    if (value.is(Kind::real)) return Value(std::abs(value.real()));
    refuse("bad operand type for abs(): '{}'", type_name(value));
}

// The text as Python's int(text, base) and float(text) read it: space around and single underscores inside
// are fine.
std::optional<std::string> cleaned(Runtime& runtime, const Text& text) {
    runtime.work(text.size());
    const Text stripped = strip(runtime, text, Ends::both);
    std::string out;
    const std::string_view view = stripped.view();
    for (size_t i = 0; i < view.size(); ++i) {
        if (view[i] != '_') {
            out += view[i];
        } else if (i == 0 || i + 1 == view.size() || !std::isalnum(static_cast<unsigned char>(view[i - 1])) ||
                   !std::isalnum(static_cast<unsigned char>(view[i + 1]))) {
            return std::nullopt;
        }
    }
    return out;
}

std::optional<int64_t> parse_integer(Runtime& runtime, const Text& text, int64_t base) {
    if (base != 0 && (base < 2 || base > 36)) refuse("int() base must be >= 2 and <= 36, or 0");
    auto digits = cleaned(runtime, text);
    if (!digits) return std::nullopt;
    std::string_view view = *digits;
    const bool negative = view.starts_with('-');
    if (negative || view.starts_with('+')) view.remove_prefix(1);
    const auto skip_prefix = [&](int64_t wanted, std::string_view letters) {
        const bool prefixed = view.size() > 2 && view[0] == '0' && letters.find(view[1]) != letters.npos;
        if (!prefixed || (base != wanted && base != 0)) return;
        base = wanted;
        view.remove_prefix(2);
    };
    skip_prefix(16, "xX");
    skip_prefix(8, "oO");
    skip_prefix(2, "bB");
    uint64_t magnitude = 0;
    const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), magnitude,
                                              base == 0 ? 10 : static_cast<int>(base));
    if (view.empty() || end != view.data() + view.size()) return std::nullopt;
    constexpr uint64_t limit = uint64_t{1} << 63;
    if (error != std::errc{} || magnitude > limit || (magnitude == limit && !negative)) {
        refuse("the integer {} does not fit in 64 bits", view.substr(0, 40));
    }
    return static_cast<int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<double> parse_real(Runtime& runtime, const Text& text) {
    const auto cleaned_text = cleaned(runtime, text);
    if (!cleaned_text) return std::nullopt;
    std::string_view view = *cleaned_text;
    if (view.starts_with('+') && !view.starts_with("+-")) view.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
    if (view.empty() || end != view.data() + view.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) return std::strtod(std::string(view).c_str(), nullptr);
    return error == std::errc{} ? std::optional(value) : std::nullopt;
}

std::optional<double> to_real(Runtime& runtime, const Value& value) {
    return value.is_string() ? parse_real(runtime, value.text()) : as_real(value);
}

Value to_integer(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("int", arguments, {"default", "base"});
    require_defined(value);
    if (const auto integer = as_integer(value)) return Value(*integer);
    if (value.is_string()) {
        if (const auto integer = parse_integer(runtime, value.text(), given.integer(1, 10)))
            return Value(*integer);
    }
    const auto real = to_real(runtime, value);
    if (!real || std::isnan(*real)) return given.get(0) ? *given.get(0) : Value(int64_t{0});
    if (!(std::abs(*real) < 0x1p63)) refuse("the number {} does not fit in 64 bits", real_text(*real));
    return Value(static_cast<int64_t>(*real));
}

Value to_real_filter(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("float", arguments, {"default"});
    require_defined(value);
    if (const auto real = to_real(runtime, value)) return Value(*real);
    return given.get(0) ? *given.get(0) : Value(0.0);
}

// Python's round(): ties of the exact binary value go to the even neighbour, which is how printf rounds.
double rounded(double value, int64_t precision) {
    constexpr int64_t most_digits = 320;
    if (!std::isfinite(value) || precision > most_digits) return value;
    if (precision < -most_digits) return 0.0 * value;
    if (precision >= 0) return std::strtod(fmt::format("{:.{}f}", value, precision).c_str(), nullptr);
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
}

Value round(Runtime& runtime, const Value& value, const Arguments& arguments) {
    const Parameters given("round", arguments, {"precision", "method"});
    require_defined(value);
    runtime.step(200);  // hundreds of digits take microseconds
    const int64_t precision = given.integer(0, 0);
    const std::string_view method = given.get(1) ? given.text(1).view() : "common";
    const auto real = as_real(value);
    if (!real) refuse("round() expects a number, not '{}'", type_name(value));
    if (method == "common") {
        if (as_integer(value) && precision >= 0) return Value(*as_integer(value));
        const double result = rounded(*real, precision);
        return as_integer(value) ? Value(static_cast<int64_t>(result)) : Value(result);
    }
    if (method != "ceil" && method != "floor") refuse("method must be common, ceil or floor");
    const double scale = std::pow(10.0, static_cast<double>(precision));
    return Value((method == "ceil" ? std::ceil(*real * scale) : std::floor(*real * scale)) / scale);
}

constexpr std::array<Filter, 4> number_filters{{
    {"abs", absolute},
    {"float", to_real_filter},
    {"int", to_integer},
    {"round", round},
}};

}  // namespace

const Filter* find_number_filter(std::string_view name) noexcept {
    const auto found = std::find_if(number_filters.begin(), number_filters.end(),
                                    [&](const Filter& f) { return f.name == name; });
    return found == number_filters.end() ? nullptr : &*found;
}

}  // namespace sluice::jinja
