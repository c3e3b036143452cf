// The half of the evaluator that runs statements.
#include "text/jinja/evaluator.h"
#include "text/jinja/loop_state.h"
#include "text/jinja/macro.h"
#include "text/jinja/operations.h"
#include "text/jinja/python_text.h"

namespace sluice::jinja {

Evaluator::Inside::Inside(Evaluator& evaluator, const Ref<Scope>& parent)
    : evaluator_(evaluator), before_(evaluator.scope_) {
    evaluator.scope_ = evaluator.runtime_.heap().make<Scope>(parent);
}

Evaluator::CallDepth::CallDepth(Evaluator& evaluator) : evaluator_(evaluator) {
    const uint32_t limit = evaluator.runtime_.limits().depth;
    if (evaluator.call_depth_ >= limit) {
        throw Problem(ErrorCode::out_of_budget,
                      fmt::format("macros or recursive loops call each other more than {} deep", limit));
    }
    ++evaluator.call_depth_;
}

Text Evaluator::run() {
    return capture([&] { run(syntax_.body); });
}

// What `work` prints, instead of where it would go.
template <typename Work>
Text Evaluator::capture(Work work) {
    struct Redirection {
        Evaluator& evaluator;
        Text text;
        Text* before;
        explicit Redirection(Evaluator& e) : evaluator(e), before(e.output_) { e.output_ = &text; }
        ~Redirection() {
            evaluator.output_ = before;
            evaluator.buffered_ -= text.size();
        }
    } redirection(*this);
    work();
    buffered_ -= redirection.text.size();
    return std::exchange(redirection.text, Text());
}

// Ranges take memory too: a page of them is free, then four bytes of output for each.
void Evaluator::check_ranges() const {
    constexpr size_t free_ranges = 65536;
    const size_t ranges = output_->trusted().size();
    if (ranges > free_ranges) runtime_.check_size((ranges - free_ranges) * 4);
}

void Evaluator::emit(const Text& text) {
    runtime_.check_size(buffered_ + text.size());
    check_ranges();
    runtime_.copy(text.cost());
    buffered_ += text.size();
    output_->append(text);
}

void Evaluator::emit(std::string_view literal) {
    runtime_.check_size(buffered_ + literal.size());
    runtime_.copy(literal.size());
    buffered_ += literal.size();
    output_->append(literal, Origin::source);
}

Evaluator::Flow Evaluator::run(const Body& body) {
    for (const auto& statement : body) {
        if (const Flow flow = run(*statement); flow != Flow::on) return flow;
    }
    return Flow::on;
}

Evaluator::Flow Evaluator::run(const Statement& statement) {
    const Runtime::Depth depth(runtime_);
    runtime_.step();
    line_ = statement.line;
    using Type = Statement::Type;
    switch (statement.type) {
        case Type::data:
            emit(syntax_.texts[static_cast<const DataStatement&>(statement).text]);
            break;
        case Type::print: {
            const Value value = evaluate(*static_cast<const ExpressionStatement&>(statement).expression);
            if (value.is_string()) {
                emit(value.text());
            } else {
                emit(to_text(runtime_, value));
            }
            break;
        }
        case Type::evaluate:
            evaluate(*static_cast<const ExpressionStatement&>(statement).expression);
            break;
        case Type::conditional:
            return run_if(static_cast<const IfStatement&>(statement));
        case Type::loop:
            return run_for(static_cast<const ForStatement&>(statement));
        case Type::assign:
            run_assign(static_cast<const AssignStatement&>(statement));
            break;
        case Type::assign_block:
        case Type::filter_block:
            run_block(static_cast<const BlockStatement&>(statement));
            break;
        case Type::macro:
            run_macro(static_cast<const MacroStatement&>(statement));
            break;
        case Type::call_block:
            run_call_block(static_cast<const CallBlockStatement&>(statement));
            break;
        case Type::with:
        case Type::scope:
            return run_scope(static_cast<const ScopeStatement&>(statement));
        case Type::break_loop:
            return Flow::break_loop;
        case Type::continue_loop:
            return Flow::continue_loop;
    }
    return Flow::on;
}

void Evaluator::assign(const Target& target, const Value& value) {
    line_ = target.line;
    if (target.unpacks) {
        const std::vector<Value> items = items_of(runtime_, value);
        if (items.size() != target.items.size()) {
            refuse("{} values to unpack (expected {}, got {})",
                   items.size() < target.items.size() ? "not enough" : "too many", target.items.size(),
                   items.size());
        }
        for (size_t i = 0; i < items.size(); ++i) assign(target.items[i], items[i]);
    } else if (target.member.empty()) {
        scope_->set(runtime_, target.name, value);
    } else {
        const Value owner = evaluate_name(target.name);
        require_defined(owner);
        if (!owner.is(Kind::space)) refuse("cannot assign attribute on non-namespace object");
        Space& space = owner.as<Space>();
        const auto [member, added] = space.members.insert_or_assign(target.member, value);
        if (added) space.heap().charge(space, sizeof(*member) + target.member.size() + 32);
    }
}

void Evaluator::run_assign(const AssignStatement& statement) {
    assign(statement.target, evaluate(*statement.value));
}

void Evaluator::run_block(const BlockStatement& statement) {
    Text text = capture([&] {
        const Inside inside(*this, scope_);
        run(statement.body);
    });
    const Value value = apply_filters(runtime_.string(std::move(text)), statement.filters);
    if (statement.type == Statement::Type::assign_block) {
        assign(statement.target, value);
    } else {
        emit(to_text(runtime_, value));
    }
}

Evaluator::Flow Evaluator::run_if(const IfStatement& statement) {
    for (const auto& [test, body] : statement.branches) {
        if (is_true(evaluate(*test))) return run(body);
    }
    return run(statement.otherwise);
}

Evaluator::Flow Evaluator::run_for(const ForStatement& statement) {
    return run_for(statement, evaluate(*statement.iterable), 0);
}

Evaluator::Flow Evaluator::run_for(const ForStatement& statement, const Value& iterable, int64_t depth) {
    line_ = statement.line;
    const Ref<Scope> outside = scope_;
    const Ref<LoopState> loop = runtime_.heap().make<LoopState>(*this, statement, outside, iterable, depth);
    const Inside inside(*this, outside);
    bool any = false;
    while (const auto item = loop->advance()) {
        any = true;
        if (!scope_->recycle()) scope_ = runtime_.heap().make<Scope>(outside);
        scope_->set(runtime_, syntax_.loop, Value(loop));
        assign(statement.target, *item);
        if (run(statement.body) == Flow::break_loop) return Flow::on;
    }
    if (any) return Flow::on;
    scope_ = runtime_.heap().make<Scope>(outside);
    return run(statement.otherwise);
}

bool Evaluator::passes(const ForStatement& loop, const Ref<Scope>& outside, const Value& item) {
    const Inside inside(*this, outside);
    assign(loop.target, item);
    return is_true(evaluate(*loop.condition));
}

Value Evaluator::run_loop_again(LoopState& loop, const Value& iterable) {
    const CallDepth depth(*this);
    const uint32_t line = line_;
    Text text = capture([&] {
        const Inside inside(*this, loop.outside());
        run_for(loop.statement(), iterable, loop.depth() + 1);
    });
    line_ = line;
    return runtime_.string(std::move(text));
}

void Evaluator::run_macro(const MacroStatement& statement) {
    const MacroDefinition definition{syntax_.names[statement.name], statement.signature, statement.body};
    scope_->set(runtime_, statement.name, Value(runtime_.heap().make<Macro>(*this, definition, scope_)));
}

void Evaluator::run_call_block(const CallBlockStatement& statement) {
    const MacroDefinition definition{"caller", statement.signature, statement.body};
    const Value caller(runtime_.heap().make<Macro>(*this, definition, scope_));
    emit(to_text(runtime_, evaluate_postfix(static_cast<const Postfix&>(*statement.call), &caller)));
}

Evaluator::Flow Evaluator::run_scope(const ScopeStatement& statement) {
    std::vector<Value> values;  // all are evaluated before any is assigned
    for (const auto& assignment : statement.assignments) values.push_back(evaluate(*assignment.second));
    const Inside inside(*this, scope_);
    for (size_t i = 0; i < values.size(); ++i) assign(statement.assignments[i].first, values[i]);
    return run(statement.body);
}

Value Evaluator::call_macro(const MacroDefinition& macro, const Ref<Scope>& home,
                            const Arguments& arguments) {
    const CallDepth depth(*this);
    const uint32_t line = line_;
    const Signature& signature = macro.signature;
    const size_t count = signature.parameters.size();
    const Inside inside(*this, home);

    if (arguments.positional.size() > count && !signature.uses_varargs) {
        refuse("macro '{}' takes not more than {} argument(s)", macro.name, count);
    }
    std::vector<bool> used(arguments.named.size(), false);
    const auto take_named = [&](std::string_view name) -> const Value* {
        runtime_.step(arguments.named.size() / 8);
        for (size_t i = 0; i < arguments.named.size(); ++i) {
            if (arguments.named[i].first != name) continue;
            used[i] = true;
            return &arguments.named[i].second;
        }
        return nullptr;
    };
    for (size_t i = 0; i < count; ++i) {
        const Signature::Parameter& parameter = signature.parameters[i];
        const std::string& name = syntax_.names[parameter.name];
        const Value* const named = take_named(name);
        if (i < arguments.positional.size()) {
            if (named) refuse("macro '{}' got multiple values for argument '{}'", macro.name, name);
            scope_->set(runtime_, parameter.name, arguments.positional[i]);
        } else if (named) {
            scope_->set(runtime_, parameter.name, *named);
        } else if (parameter.otherwise) {
            scope_->set(runtime_, parameter.name, evaluate(*parameter.otherwise));
        } else {
            scope_->set(runtime_, parameter.name,
                        runtime_.undefined(fmt::format("parameter '{}' was not provided", name)));
        }
    }
    if (signature.uses_caller) {
        const Value* const caller = take_named("caller");
        scope_->set(runtime_, syntax_.caller, caller ? *caller : runtime_.undefined("No caller defined"));
    }
    if (signature.uses_varargs) {
        const size_t extra = std::min(count, arguments.positional.size());
        scope_->set(runtime_, syntax_.varargs,
                    runtime_.tuple({arguments.positional.begin() + static_cast<std::ptrdiff_t>(extra),
                                    arguments.positional.end()}));
    }
    const Ref<Dict> rest = signature.uses_kwargs ? runtime_.heap().make<Dict>() : Ref<Dict>();
    for (size_t i = 0; i < used.size(); ++i) {
        if (used[i]) continue;
        const auto& [name, value] = arguments.named[i];
        if (!rest) refuse("macro '{}' takes no keyword argument '{}'", macro.name, name);
        rest->set(runtime_.string(name, Origin::input), value);
    }
    if (rest) scope_->set(runtime_, syntax_.kwargs, Value(rest));

    Text text = capture([&] { run(macro.body); });
    line_ = line;
    return runtime_.string(std::move(text));
}

}  // namespace sluice::jinja
