// Expressions.
#include "text/jinja/evaluator.h"

#include "text/jinja/globals.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {

const Value* Scope::find(Runtime& runtime, NameId name) const {
    runtime.step(variables_.size() / 16);
    for (const auto& [id, value] : variables_) {
        if (id == name) return &value;
    }
    return nullptr;
}

void Scope::set(Runtime& runtime, NameId name, Value value) {
    runtime.step(variables_.size() / 16);
    for (auto& [id, old] : variables_) {
        if (id == name) {
            old = std::move(value);
            return;
        }
    }
    heap().charge(*this, sizeof(variables_[0]));
    variables_.emplace_back(name, std::move(value));
}

Evaluator::Evaluator(const Syntax& syntax, Runtime& runtime, std::vector<std::optional<Value>> inputs)
    : syntax_(syntax),
      runtime_(runtime),
      inputs_(std::move(inputs)),
      texts_(syntax.texts.size()),
      scope_(runtime.heap().make<Scope>(Ref<Scope>())) {
    for (size_t id = 0; id < inputs_.size(); ++id) {
        if (!inputs_[id]) inputs_[id] = global(runtime, syntax.names[id]);
    }
}

Value Evaluator::evaluate(const Expression& expression) {
    const Runtime::Depth depth(runtime_);
    runtime_.step();
    using Type = Expression::Type;
    switch (expression.type) {
        case Type::literal:
            return evaluate_literal(static_cast<const Literal&>(expression));
        case Type::text:
            return evaluate_text(static_cast<const TextLiteral&>(expression).text);
        case Type::name:
            return evaluate_name(static_cast<const Name&>(expression).id);
        case Type::list:
        case Type::tuple:
            return evaluate_items(static_cast<const Operands&>(expression));
        case Type::dict:
            return evaluate_dict(static_cast<const DictLiteral&>(expression));
        case Type::unary:
            return evaluate_unary(static_cast<const Unary&>(expression));
        case Type::arithmetic:
            return evaluate_arithmetic(static_cast<const ArithmeticChain&>(expression));
        case Type::concatenation:
            return evaluate_concatenation(static_cast<const Operands&>(expression));
        case Type::comparison:
            return evaluate_comparison(static_cast<const ComparisonChain&>(expression));
        case Type::conjunction:
            return evaluate_logic(static_cast<const Operands&>(expression), false);
        case Type::disjunction:
            return evaluate_logic(static_cast<const Operands&>(expression), true);
        case Type::conditional:
            return evaluate_conditional(static_cast<const Conditional&>(expression));
        case Type::postfix:
            return evaluate_postfix(static_cast<const Postfix&>(expression));
    }
    return Value();
}

Value Evaluator::evaluate_literal(const Literal& literal) {
    switch (literal.value.index()) {
        case 1:
            return Value(std::get<bool>(literal.value));
        case 2:
            return Value(std::get<int64_t>(literal.value));
        case 3:
            return Value(std::get<double>(literal.value));
        default:
            return Value();
    }
}

Value Evaluator::evaluate_text(TextId id) {
    auto& text = texts_[id];
    if (!text) text = runtime_.string(syntax_.texts[id], Origin::source);
    return *text;
}

Value Evaluator::evaluate_name(NameId id) {
    for (const Scope* scope = scope_.get(); scope; scope = scope->parent()) {
        if (const Value* const found = scope->find(runtime_, id)) return *found;
    }
    if (id < inputs_.size() && inputs_[id]) return *inputs_[id];
    return runtime_.undefined(
        fmt::format("'{}' is undefined; the template needs it in its input", syntax_.names[id]));
}

Value Evaluator::evaluate_items(const Operands& operands) {
    std::vector<Value> items;
    items.reserve(operands.items.size());
    for (const ExpressionPtr& item : operands.items) items.push_back(evaluate(*item));
    return runtime_.sequence(operands.type == Expression::Type::list ? Kind::list : Kind::tuple,
                             std::move(items));
}

Value Evaluator::evaluate_dict(const DictLiteral& literal) {
    const Ref<Dict> dict = runtime_.heap().make<Dict>();
    for (const auto& [key, value] : literal.entries) {
        const Value evaluated_key = evaluate(*key);
        charge_key(runtime_, evaluated_key);
        dict->set(evaluated_key, evaluate(*value));
    }
    return Value(dict);
}

Value Evaluator::evaluate_unary(const Unary& unary) {
    const Value operand = evaluate(*unary.operand);
    line_ = unary.line;
    switch (unary.operation) {
        case UnaryOperator::logical_not:
            return Value(!is_true(operand));
        case UnaryOperator::minus:
            return negate(operand);
        case UnaryOperator::plus:
            break;
    }
    require_defined(operand);
    if (const auto integer = as_integer(operand)) return Value(*integer);
    if (operand.is(Kind::real)) return operand;
    refuse("bad operand type for unary +: '{}'", type_name(operand));
}

Value Evaluator::evaluate_arithmetic(const ArithmeticChain& chain) {
    Value result = evaluate(*chain.first);
    for (const auto& [operation, operand] : chain.rest) {
        const Value right = evaluate(*operand);
        line_ = operand->line;
        result = arithmetic(runtime_, operation, result, right);
    }
    return result;
}

Value Evaluator::evaluate_concatenation(const Operands& operands) {
    Text joined;
    for (const ExpressionPtr& item : operands.items) {
        const Value part = evaluate(*item);
        if (part.is_string()) {
            runtime_.check_size(joined.size() + part.text().size());
            joined.append(part.text());
        } else {
            joined.append(to_text(runtime_, part));
        }
    }
    return runtime_.string(std::move(joined));
}

Value Evaluator::evaluate_comparison(const ComparisonChain& chain) {
    Value left = evaluate(*chain.first);
    for (const auto& [comparison, operand] : chain.rest) {
        Value right = evaluate(*operand);
        line_ = operand->line;
        if (!compare(runtime_, comparison, left, right)) return Value(false);
        left = std::move(right);
    }
    return Value(true);
}

// `and` gives the first false operand, `or` the first true one, else the last.
Value Evaluator::evaluate_logic(const Operands& operands, bool stops_at) {
    Value result;
    for (const ExpressionPtr& item : operands.items) {
        result = evaluate(*item);
        if (is_true(result) == stops_at) break;
    }
    return result;
}

Value Evaluator::evaluate_conditional(const Conditional& conditional) {
    if (is_true(evaluate(*conditional.test))) return evaluate(*conditional.value);
    if (conditional.otherwise) return evaluate(*conditional.otherwise);
    return runtime_.undefined(
        fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.",
                    conditional.line));
}

Value Evaluator::evaluate_optional(const ExpressionPtr& expression) {
    return expression ? evaluate(*expression) : Value();
}

Arguments Evaluator::evaluate_arguments(const ArgumentList& list) {
    Arguments arguments;
    arguments.positional.reserve(list.positional.size());
    for (const ExpressionPtr& value : list.positional) arguments.positional.push_back(evaluate(*value));
    for (const ArgumentList::Named& named : list.named) {
        arguments.named.emplace_back(named.name, evaluate(*named.value));
    }
    if (list.spread_positional) {
        for (Value& value : items_of(runtime_, evaluate(*list.spread_positional))) {
            arguments.positional.push_back(std::move(value));
        }
    }
    if (list.spread_named) {
        const Value spread = evaluate(*list.spread_named);
        require_defined(spread);
        if (!spread.is(Kind::dict)) refuse("argument after ** must be a mapping, not {}", type_name(spread));
        for (const Dict::Entry& entry : spread.as<Dict>().entries()) {
            if (!entry.key.is_string()) refuse("keywords must be strings");
            runtime_.step();
            arguments.named.emplace_back(std::string(entry.key.view()), entry.value);
        }
    }
    return arguments;
}

Value Evaluator::apply(const Value& value, const Suffix& suffix, const Value* caller) {
    switch (suffix.type) {
        case Suffix::Type::attribute:
            return attribute(runtime_, value, suffix.name);
        case Suffix::Type::item: {
            const Value key = evaluate(*suffix.index);
            line_ = suffix.line;
            return item(runtime_, value, key);
        }
        case Suffix::Type::slice: {
            const Value start = evaluate_optional(suffix.start), stop = evaluate_optional(suffix.stop),
                        step = evaluate_optional(suffix.step);
            line_ = suffix.line;
            return slice(runtime_, value, start, stop, step);
        }
        default:
            break;
    }
    Arguments arguments = evaluate_arguments(suffix.arguments);
    if (caller) arguments.named.emplace_back("caller", *caller);
    line_ = suffix.line;
    switch (suffix.type) {
        case Suffix::Type::filter:
            if (!suffix.filter) refuse_unknown_filter(suffix.name);
            return suffix.filter->body(runtime_, value, arguments);
        case Suffix::Type::test:
            if (!suffix.test) refuse_unknown_test(suffix.name);
            return Value(suffix.test->body(runtime_, value, arguments) != suffix.negated);
        default:
            return call(runtime_, value, arguments);
    }
}

// `caller` goes to the last suffix, which is the call of a {% call %} block.
Value Evaluator::evaluate_postfix(const Postfix& postfix, const Value* caller) {
    Value value = evaluate(*postfix.base);
    for (const Suffix& suffix : postfix.suffixes) {
        runtime_.step();
        line_ = suffix.line;
        value = apply(value, suffix, &suffix == &postfix.suffixes.back() ? caller : nullptr);
        line_ = suffix.line;
    }
    return value;
}

Value Evaluator::apply_filters(Value value, const std::vector<Suffix>& filters) {
    for (const Suffix& suffix : filters) {
        runtime_.step();
        line_ = suffix.line;
        value = apply(value, suffix, nullptr);
    }
    return value;
}

}  // namespace sluice::jinja
