// Runs a parsed template once. Scoping follows Jinja: a loop's body starts afresh in every round and what it
// sets stays inside, an `if` has no scope of its own, a macro sees the scope it was defined in and its
// parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/chat_template.h"
#include "text/jinja/runtime.h"
#include "text/jinja/syntax.h"

namespace sluice::jinja {

/// Variables of one block, by name; looked up from the innermost outwards.
class Scope final : public Object {
  public:
    explicit Scope(Ref<Scope> parent) : Object(Kind::scope), parent_(std::move(parent)) {}
    Scope* parent() const noexcept { return parent_.get(); }
    /// Charges one step per 16 variables it goes through.
    const Value* find(Runtime& runtime, NameId name) const;
    void set(Runtime& runtime, NameId name, Value value);
    /// Makes the scope new again if nobody else holds it.
    bool recycle() noexcept {
        if (!unshared()) return false;
        variables_.clear();
        return true;
    }

  private:
    void clear() noexcept override {
        variables_.clear();
        parent_ = {};
    }
    std::vector<std::pair<NameId, Value>> variables_;
    Ref<Scope> parent_;
};

class LoopState;
struct MacroDefinition;

class Evaluator {
  public:
    /// `inputs[id]` is the input variable with that name, if there is one.
    Evaluator(const Syntax& syntax, Runtime& runtime, std::vector<std::optional<Value>> inputs);
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    /// The whole template's output.
    Text run();
    /// Where it was when something went wrong.
    uint32_t line() const noexcept { return line_; }

    Runtime& runtime() noexcept { return runtime_; }
    const Syntax& syntax() const noexcept { return syntax_; }

    // What macros and loops call back.
    Value call_macro(const MacroDefinition& macro, const Ref<Scope>& home, const Arguments& arguments);
    Value run_loop_again(LoopState& loop, const Value& iterable);
    /// The condition of `for … if …` for one item.
    bool passes(const ForStatement& loop, const Ref<Scope>& outside, const Value& item);

  private:
    enum class Flow : uint8_t { on, break_loop, continue_loop };

    // Statements (statements.cpp).
    Flow run(const Body& body);
    Flow run(const Statement& statement);
    void run_assign(const AssignStatement& statement);
    void run_block(const BlockStatement& statement);
    Flow run_if(const IfStatement& statement);
    Flow run_for(const ForStatement& statement);
    Flow run_for(const ForStatement& statement, const Value& iterable, int64_t depth);
    void run_macro(const MacroStatement& statement);
    void run_call_block(const CallBlockStatement& statement);
    Flow run_scope(const ScopeStatement& statement);
    void assign(const Target& target, const Value& value);
    void check_ranges() const;
    void emit(const Text& text);
    void emit(std::string_view literal);
    template <typename Work>
    Text capture(Work work);

    // Expressions (evaluator.cpp).
    Value evaluate(const Expression& expression);
    Value evaluate_literal(const Literal& literal);
    Value evaluate_text(TextId id);
    Value evaluate_name(NameId id);
    Value evaluate_items(const Operands& operands);
    Value evaluate_dict(const DictLiteral& dict);
    Value evaluate_unary(const Unary& unary);
    Value evaluate_arithmetic(const ArithmeticChain& chain);
    Value evaluate_concatenation(const Operands& operands);
    Value evaluate_comparison(const ComparisonChain& chain);
    Value evaluate_logic(const Operands& operands, bool stops_at);
    Value evaluate_conditional(const Conditional& conditional);
    Value evaluate_postfix(const Postfix& postfix, const Value* caller = nullptr);
    Value apply(const Value& value, const Suffix& suffix, const Value* caller);
    Value apply_filters(Value value, const std::vector<Suffix>& filters);
    Arguments evaluate_arguments(const ArgumentList& list);
    Value evaluate_optional(const ExpressionPtr& expression);

    /// Enters a scope below `parent` for as long as this lives.
    class Inside {
      public:
        Inside(Evaluator& evaluator, const Ref<Scope>& parent);
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside() { evaluator_.scope_ = std::move(before_); }

      private:
        Evaluator& evaluator_;
        Ref<Scope> before_;
    };

    /// Bounds macros and recursive loops that call each other.
    class CallDepth {
      public:
        explicit CallDepth(Evaluator& evaluator);
        CallDepth(const CallDepth&) = delete;
        CallDepth& operator=(const CallDepth&) = delete;
        ~CallDepth() { --evaluator_.call_depth_; }

      private:
        Evaluator& evaluator_;
    };

    const Syntax& syntax_;
    Runtime& runtime_;
    std::vector<std::optional<Value>> inputs_;
    std::vector<std::optional<Value>> texts_;  // the literals, made when first used
    Ref<Scope> scope_;
    Text* output_ = nullptr;
    size_t buffered_ = 0;  // bytes in all outputs that are being written
    uint32_t line_ = 1, call_depth_ = 0;
};

}  // namespace sluice::jinja
