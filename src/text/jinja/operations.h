// Python's operators and protocols on values: truth, comparison, arithmetic, iteration, attributes and items.
// Integer overflow is an error, sizes are bounded before memory is taken.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

enum class BinaryOperator : uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class Comparison : uint8_t { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };

/// bool(value); what is undefined is false.
bool is_true(const Value& value) noexcept;
/// Throws "'x' is undefined" if it is.
void require_defined(const Value& value);

bool equal(Runtime& runtime, const Value& a, const Value& b);
/// Throws if the two have no order.
bool less(Runtime& runtime, const Value& a, const Value& b);
bool compare(Runtime& runtime, Comparison comparison, const Value& a, const Value& b);
/// `item in container`.
bool contains(Runtime& runtime, const Value& container, const Value& item);

Value arithmetic(Runtime& runtime, BinaryOperator operation, const Value& a, const Value& b);
Value negate(const Value& value);
/// `count` copies of a string, list or tuple.
Value repeat(Runtime& runtime, const Value& sequence, int64_t count);
/// The number as a double, if it is one (booleans are).
std::optional<double> as_real(const Value& value) noexcept;
/// The integer, if it is one (booleans are).
std::optional<int64_t> as_integer(const Value& value) noexcept;

/// Counts the work of looking up or storing a key.
void charge_key(Runtime& runtime, const Value& key);
/// len(value); throws where Python has none.
size_t length(const Value& value);

/// Goes through what `for` can go through: items, keys of a dict, characters of a string; nothing if
/// undefined.
class Iteration {
  public:
    /// Throws if the value cannot be iterated.
    Iteration(Runtime& runtime, Value iterable);
    /// The next item, or nothing at the end.
    std::optional<Value> next();

  private:
    Runtime* runtime_;
    Value iterable_;
    size_t at_ = 0;
};
/// All items that an iteration gives.
std::vector<Value> items_of(Runtime& runtime, const Value& iterable);

/// value.name: methods before members, as Jinja looks things up. Undefined if there is neither.
Value attribute(Runtime& runtime, const Value& value, std::string_view name);
/// value[key]: members before methods. Undefined if there is neither.
Value item(Runtime& runtime, const Value& value, const Value& key);
/// value[start:stop:step]; none where a bound is left out.
Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop, const Value& step);
/// Calls it; throws if it cannot be called.
Value call(Runtime& runtime, const Value& callee, const Arguments& arguments);

}  // namespace sluice::jinja
