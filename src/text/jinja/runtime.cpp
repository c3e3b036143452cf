#include "text/jinja/runtime.h"

#include <algorithm>

namespace sluice::jinja {
namespace {

constexpr size_t small_values = 1 << 20;  // room for scopes and numbers whatever the output may be
constexpr size_t strings_alive = 4;       // strings of the largest size that may exist at a time

size_t memory_limit(const TemplateLimits& limits) {
    const uint64_t output = std::min<uint64_t>(limits.output_bytes, SIZE_MAX / 16);
    return small_values + strings_alive * static_cast<size_t>(output);
}

// A call of a macro takes about a dozen nested evaluations (statements, expressions, operands). The cap keeps
// the C++ stack below a few MiB whatever depth a caller asks for.
uint32_t evaluation_depth(const TemplateLimits& limits) {
    return std::min<uint32_t>(limits.depth, 400) * 12 + 16;
}

}  // namespace

Runtime::Runtime(const TemplateLimits& limits, const std::tm& now)
    : stack_(static_cast<const char*>(__builtin_frame_address(0))),
      limits_(limits),
      now_(now),
      steps_left_(limits.steps),
      depth_limit_(evaluation_depth(limits)),
      heap_(memory_limit(limits)) {}

void Runtime::step(uint64_t count) {
    if (count > steps_left_) {
        throw Problem(ErrorCode::out_of_budget,
                      fmt::format("the template did not end within {} steps; it may loop without end, or the "
                                  "conversation is too long for it",
                                  limits_.steps));
    }
    steps_left_ -= count;
}

void Runtime::check_size(size_t bytes) const {
    if (bytes > limits_.output_bytes) {
        throw Problem(
            ErrorCode::out_of_budget,
            fmt::format("a text of {} bytes is longer than the {} allowed; shorten the conversation", bytes,
                        limits_.output_bytes));
    }
}

size_t Runtime::checked_product(size_t a, size_t b) const {
    size_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        throw Problem(ErrorCode::out_of_budget, "a text or list would be longer than memory");
    }
    return product;
}

Value Runtime::string(Text text, Markup markup) {
    check_size(text.size());
    step(1 + text.size() / 256);
    const size_t cost = text.cost();
    Ref<String> made = heap_.make<String>(std::move(text), markup);
    heap_.charge(*made, cost);
    return Value(made);
}

Value Runtime::sequence(Kind kind, std::vector<Value> items, Access access) {
    step(1 + items.size() / 4);
    const size_t cost = items.size() * sizeof(Value);
    Ref<Sequence> made = heap_.make<Sequence>(kind, std::move(items), access);
    heap_.charge(*made, cost);
    return Value(made);
}

void Runtime::too_deep() const {
    throw Problem(ErrorCode::out_of_budget, "macros, loops or values are nested too deep");
}

}  // namespace sluice::jinja
