// What operations, filters and methods need from the rendering they run in: memory, and the bounds on time
// and size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/chat_template.h"
#include "text/jinja/arguments.h"
#include "text/jinja/heap.h"
#include "text/jinja/problem.h"
#include "text/jinja/value.h"

namespace sluice::jinja {

class Runtime {
  public:
    Runtime(const TemplateLimits& limits, const std::tm& now);

    Heap& heap() noexcept { return heap_; }
    const TemplateLimits& limits() const noexcept { return limits_; }
    const std::tm& now() const noexcept { return now_; }

    /// Counts evaluated nodes; throws out_of_budget when they are used up.
    void step(uint64_t count = 1);
    /// Counts bytes that are looked at one by one, at 32 to a step.
    void work(size_t bytes) { step(bytes / 32); }
    /// Counts bytes that are copied as a block, at 256 to a step.
    void copy(size_t bytes) { step(bytes / 256); }
    /// Throws out_of_budget if a string of this size may not be.
    void check_size(size_t bytes) const;
    /// a * b, where the product would be a size: throws instead of wrapping round.
    size_t checked_product(size_t a, size_t b) const;

    Value string(Text text, Markup markup = Markup::no);
    /// A string that is markup if `model` is.
    Value string_like(const Value& model, Text text) {
        return string(std::move(text), model.is_markup() ? Markup::yes : Markup::no);
    }
    Value string(std::string bytes, Origin origin) { return string(Text(std::move(bytes), origin)); }
    Value sequence(Kind kind, std::vector<Value> items, Access access = Access::open);
    Value list(std::vector<Value> items) { return sequence(Kind::list, std::move(items)); }
    Value tuple(std::vector<Value> items) { return sequence(Kind::tuple, std::move(items)); }
    Value generator(std::vector<Value> items) { return sequence(Kind::generator, std::move(items)); }
    Value undefined(std::string reason) { return Value(heap_.make<Undefined>(std::move(reason))); }

    /// Bounds recursion: evaluation, filters that apply filters, values inside values. Counts levels, the
    /// same in every build; the stack itself is watched too, for builds whose frames are much larger
    /// (sanitizers).
    class Depth {
      public:
        explicit Depth(Runtime& runtime) : runtime_(runtime) {
            const char* const here = static_cast<const char*>(__builtin_frame_address(0));
            const size_t used =
                static_cast<size_t>(here < runtime_.stack_ ? runtime_.stack_ - here : here - runtime_.stack_);
            if (runtime_.depth_ >= runtime_.depth_limit_ || used > stack_limit) runtime_.too_deep();
            ++runtime_.depth_;
        }
        Depth(const Depth&) = delete;
        Depth& operator=(const Depth&) = delete;
        ~Depth() { --runtime_.depth_; }

      private:
        Runtime& runtime_;
    };

  private:
    static constexpr size_t stack_limit = 4 << 20;
    [[noreturn]] void too_deep() const;

    const char* stack_;  // about where the C++ stack was when rendering began

    TemplateLimits limits_;
    std::tm now_;
    uint64_t steps_left_;
    uint32_t depth_ = 0, depth_limit_;
    Heap heap_;
};

}  // namespace sluice::jinja
