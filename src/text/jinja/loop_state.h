// A running for loop, and the variable `loop` that its body sees.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "text/jinja/evaluator.h"
#include "text/jinja/operations.h"

namespace sluice::jinja {

/// Items are drawn one at a time, so that a loop's condition sees what the body changed in the rounds before;
/// only loop.length and what depends on it draws all that are left.
class LoopState final : public Callable {
  public:
    LoopState(Evaluator& evaluator, const ForStatement& statement, Ref<Scope> outside, const Value& iterable,
              int64_t depth);

    /// Goes to the next item; nothing at the end.
    std::optional<Value> advance();
    const ForStatement& statement() const noexcept { return statement_; }
    const Ref<Scope>& outside() const noexcept { return outside_; }
    int64_t depth() const noexcept { return depth_; }

    Value call(Runtime& runtime, const Arguments& arguments) override;  // loop(items), if recursive
    std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
    std::string description() const override;

    Value cycle(const Arguments& arguments) const;
    Value changed(Runtime& runtime, const Arguments& arguments);

  private:
    void clear() noexcept override;
    std::optional<Value> draw();
    bool fill(size_t count);  // ahead_ holds at least `count` items, if there are so many
    int64_t length();

    Evaluator& evaluator_;
    const ForStatement& statement_;
    Ref<Scope> outside_;
    std::optional<Iteration> items_;
    std::deque<Value> ahead_;
    std::optional<Value> previous_, current_;
    std::optional<std::vector<Value>> last_changed_;
    std::optional<int64_t> length_;
    int64_t index0_ = -1, depth_;
};

}  // namespace sluice::jinja
