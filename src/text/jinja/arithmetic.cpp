// The arithmetic half of operations.h.
#include <cmath>

#include "text/jinja/formatting.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace sluice::jinja {
namespace {

std::string_view symbol(BinaryOperator operation) noexcept {
    switch (operation) {
        case BinaryOperator::add:
            return "+";
        case BinaryOperator::subtract:
            return "-";
        case BinaryOperator::multiply:
            return "*";
        case BinaryOperator::divide:
            return "/";
        case BinaryOperator::floor_divide:
            return "//";
        case BinaryOperator::modulo:
            return "%";
        case BinaryOperator::power:
            return "** or pow()";
    }
    return "?";
}

[[noreturn]] void refuse_operands(BinaryOperator operation, const Value& a, const Value& b) {
    require_defined(a);
    require_defined(b);
    if (operation == BinaryOperator::add && a.is_string()) {
        refuse("can only concatenate str (not \"{}\") to str", type_name(b));
    }
    refuse("unsupported operand type(s) for {}: '{}' and '{}'", symbol(operation), type_name(a),
           type_name(b));
}

[[noreturn]] void refuse_overflow(BinaryOperator operation) {
    refuse("the result of {} does not fit in 64 bits", symbol(operation));
}

int64_t integer_power(int64_t base, int64_t exponent) {
    int64_t result = 1;
    while (true) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) {
            refuse_overflow(BinaryOperator::power);
        }
        exponent >>= 1;
        if (exponent == 0) return result;
        if (__builtin_mul_overflow(base, base, &base)) refuse_overflow(BinaryOperator::power);
    }
}

Value on_reals(BinaryOperator operation, double a, double b) {
    switch (operation) {
        case BinaryOperator::add:
            return Value(a + b);
        case BinaryOperator::subtract:
            return Value(a - b);
        case BinaryOperator::multiply:
            return Value(a * b);
        case BinaryOperator::divide:
            if (b == 0) refuse("division by zero");
            return Value(a / b);
        case BinaryOperator::floor_divide:
            if (b == 0) refuse("float floor division by zero");
            return Value(std::floor(a / b));
        case BinaryOperator::modulo: {
            if (b == 0) refuse("float modulo");
            const double rest = std::fmod(a, b);  // takes the sign of a; Python's takes the sign of b
            return Value(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
        }
        case BinaryOperator::power: {
            const double power = std::pow(a, b);
            if (std::isnan(power) && !std::isnan(a) && !std::isnan(b))
                refuse("the power is a complex number");
            if (a == 0 && b < 0) refuse("0.0 cannot be raised to a negative power");
            return Value(power);
        }
    }
    return Value();
}

Value on_integers(BinaryOperator operation, int64_t a, int64_t b) {
    int64_t result = 0;
    switch (operation) {
        case BinaryOperator::add:
            if (__builtin_add_overflow(a, b, &result)) refuse_overflow(operation);
            return Value(result);
        case BinaryOperator::subtract:
            if (__builtin_sub_overflow(a, b, &result)) refuse_overflow(operation);
            return Value(result);
        case BinaryOperator::multiply:
            if (__builtin_mul_overflow(a, b, &result)) refuse_overflow(operation);
            return Value(result);
        case BinaryOperator::divide:
            return on_reals(operation, static_cast<double>(a), static_cast<double>(b));
        case BinaryOperator::floor_divide:
        case BinaryOperator::modulo: {
            if (b == 0) refuse("integer division or modulo by zero");
            if (b == -1) {  // INT64_MIN / -1 does not fit
                if (operation == BinaryOperator::modulo) return Value(int64_t{0});
                return negate(Value(a));
            }
            const bool downwards = a % b != 0 && (a < 0) != (b < 0);
            if (operation == BinaryOperator::modulo) return Value(downwards ? a % b + b : a % b);
            return Value(downwards ? a / b - 1 : a / b);
        }
        case BinaryOperator::power:
            if (b < 0) return on_reals(operation, static_cast<double>(a), static_cast<double>(b));
            return Value(integer_power(a, b));
    }
    return Value();
}

Value concatenation(Runtime& runtime, const Value& a, const Value& b) {
    if (a.is_string()) {
        const bool markup = a.is_markup() || b.is_markup();
        const auto operand = [&](const Value& value) {
            return markup && !value.is_markup() ? escape_html(runtime, value.text()) : value.text();
        };
        runtime.check_size(a.text().size() + b.text().size());
        Text joined = operand(a);
        joined.append(markup ? operand(b) : b.text());
        return runtime.string(std::move(joined), markup ? Markup::yes : Markup::no);
    }
    const auto &first = a.as<Sequence>().items(), &second = b.as<Sequence>().items();
    runtime.step((first.size() + second.size()) / 4);
    std::vector<Value> items;
    items.reserve(first.size() + second.size());
    items.insert(items.end(), first.begin(), first.end());
    items.insert(items.end(), second.begin(), second.end());
    return runtime.sequence(a.kind(), std::move(items));
}

bool can_repeat(const Value& value) noexcept {
    return value.is_string() || value.is(Kind::list) || value.is(Kind::tuple);
}

}  // namespace

Value repeat(Runtime& runtime, const Value& sequence, int64_t count) {
    const size_t times = count < 0 ? 0 : static_cast<size_t>(count);
    if (sequence.is_string()) {
        const Text& text = sequence.text();
        const size_t copies = text.empty() ? 0 : times;
        runtime.check_size(runtime.checked_product(text.size(), copies));
        runtime.check_size(runtime.checked_product(text.trusted().size(), copies));
        runtime.work(text.cost() * copies);
        Text repeated;
        for (size_t i = 0; i < copies; ++i) repeated.append(text);
        return runtime.string_like(sequence, std::move(repeated));
    }
    const auto& items = sequence.as<Sequence>().items();
    const size_t copies = items.empty() ? 0 : times;
    const size_t total = runtime.checked_product(items.size(), copies);
    runtime.check_size(runtime.checked_product(total, sizeof(Value)));
    runtime.step(total / 4);
    std::vector<Value> repeated;
    repeated.reserve(total);
    for (size_t i = 0; i < copies; ++i) repeated.insert(repeated.end(), items.begin(), items.end());
    return runtime.sequence(sequence.kind(), std::move(repeated));
}

Value negate(const Value& value) {
    require_defined(value);
    if (const auto integer = as_integer(value)) {
        int64_t result = 0;
        if (__builtin_sub_overflow(int64_t{0}, *integer, &result)) refuse_overflow(BinaryOperator::subtract);
        return Value(result);
    }
    if (value.is(Kind::real)) return Value(-value.real());
    refuse("bad operand type for unary -: '{}'", type_name(value));
}

Value arithmetic(Runtime& runtime, BinaryOperator operation, const Value& a, const Value& b) {
    if (const auto i = as_integer(a), j = as_integer(b); i && j) return on_integers(operation, *i, *j);
    if (const auto x = as_real(a), y = as_real(b); x && y) return on_reals(operation, *x, *y);
    if (operation == BinaryOperator::add && can_repeat(a) && a.kind() == b.kind()) {
        return concatenation(runtime, a, b);
    }
    if (operation == BinaryOperator::multiply) {
        if (const auto count = as_integer(b); count && can_repeat(a)) return repeat(runtime, a, *count);
        if (const auto count = as_integer(a); count && can_repeat(b)) return repeat(runtime, b, *count);
    }
    if (operation == BinaryOperator::modulo && a.is_string() && !b.is_undefined()) {
        return percent_format(runtime, a.text(), b);
    }
    refuse_operands(operation, a, b);
}

}  // namespace sluice::jinja
