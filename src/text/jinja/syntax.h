// The tree a template is parsed into. Chains (a + b - c, x.y[0]|f(1), a and b and c) are lists rather than
// nested pairs, so the depth of the tree is the depth of nesting in the source, which the parser bounds;
// nothing that walks the tree can overflow the stack.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/filters.h"
#include "text/jinja/operations.h"

namespace sluice::jinja {

using NameId = uint32_t;  // index into Syntax::names
using TextId = uint32_t;  // index into Syntax::texts

struct None {};

struct Expression {
    enum class Type : uint8_t {
        literal,
        text,
        name,
        list,
        tuple,
        dict,
        unary,
        arithmetic,
        concatenation,
        comparison,
        conjunction,
        disjunction,
        conditional,
        postfix,
    };
    Expression(Type t, uint32_t l) : type(t), line(l) {}
    virtual ~Expression() = default;

    const Type type;
    const uint32_t line;
};
using ExpressionPtr = std::unique_ptr<Expression>;

/// none, true, 1, 1.5
struct Literal : Expression {
    Literal(uint32_t l, std::variant<None, bool, int64_t, double> v)
        : Expression(Type::literal, l), value(v) {}
    std::variant<None, bool, int64_t, double> value;
};
struct TextLiteral : Expression {
    TextLiteral(uint32_t l, TextId id) : Expression(Type::text, l), text(id) {}
    TextId text;
};
struct Name : Expression {
    Name(uint32_t l, NameId i) : Expression(Type::name, l), id(i) {}
    NameId id;
};
/// list, tuple, concatenation (a ~ b), conjunction (and), disjunction (or)
struct Operands : Expression {
    using Expression::Expression;
    std::vector<ExpressionPtr> items;
};
struct DictLiteral : Expression {
    explicit DictLiteral(uint32_t l) : Expression(Type::dict, l) {}
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};
enum class UnaryOperator : uint8_t { logical_not, minus, plus };
struct Unary : Expression {
    Unary(uint32_t l, UnaryOperator o, ExpressionPtr e)
        : Expression(Type::unary, l), operation(o), operand(std::move(e)) {}
    UnaryOperator operation;
    ExpressionPtr operand;
};
/// Operators of one precedence, from left to right.
struct ArithmeticChain : Expression {
    explicit ArithmeticChain(uint32_t l) : Expression(Type::arithmetic, l) {}
    ExpressionPtr first;
    std::vector<std::pair<BinaryOperator, ExpressionPtr>> rest;
};
/// a < b < c: true if every neighbouring pair is.
struct ComparisonChain : Expression {
    explicit ComparisonChain(uint32_t l) : Expression(Type::comparison, l) {}
    ExpressionPtr first;
    std::vector<std::pair<Comparison, ExpressionPtr>> rest;
};
/// value if test else otherwise
struct Conditional : Expression {
    explicit Conditional(uint32_t l) : Expression(Type::conditional, l) {}
    ExpressionPtr test, value, otherwise;  // otherwise may be missing
};

struct ArgumentList {
    struct Named {
        std::string name;
        ExpressionPtr value;
    };
    std::vector<ExpressionPtr> positional;
    std::vector<Named> named;
    ExpressionPtr spread_positional, spread_named;  // *args, **kwargs
};

/// One step of a postfix chain: .name, [index], [a:b:c], (arguments), |filter, is test.
struct Suffix {
    enum class Type : uint8_t { attribute, item, slice, call, filter, test };
    Type type;
    uint32_t line;
    std::string name;                 // of the attribute, filter or test
    ExpressionPtr index;              // of item
    ExpressionPtr start, stop, step;  // of slice; each may be missing
    ArgumentList arguments;           // of call, filter, test
    bool negated = false;             // is not
    const Filter* filter = nullptr;   // missing: unknown, an error when it is reached
    const Test* test = nullptr;
};
struct Postfix : Expression {
    explicit Postfix(uint32_t l) : Expression(Type::postfix, l) {}
    ExpressionPtr base;
    std::vector<Suffix> suffixes;
};

/// What can stand left of "=" or after "for": a name, namespace.member, or several of them.
struct Target {
    uint32_t line = 0;
    NameId name = 0;
    std::string member;    // not empty: namespace.member
    bool unpacks = false;  // items are assigned one by one
    std::vector<Target> items;
};

struct Statement;
using Body = std::vector<std::unique_ptr<Statement>>;

struct Statement {
    enum class Type : uint8_t {
        data,
        print,
        conditional,
        loop,
        assign,
        assign_block,
        macro,
        call_block,
        filter_block,
        with,
        scope,
        evaluate,
        break_loop,
        continue_loop,
    };
    Statement(Type t, uint32_t l) : type(t), line(l) {}
    virtual ~Statement() = default;

    const Type type;
    const uint32_t line;
};

struct DataStatement : Statement {
    DataStatement(uint32_t l, TextId id) : Statement(Type::data, l), text(id) {}
    TextId text;
};
/// print, evaluate ({% do %})
struct ExpressionStatement : Statement {
    ExpressionStatement(Type t, uint32_t l, ExpressionPtr e) : Statement(t, l), expression(std::move(e)) {}
    ExpressionPtr expression;
};
struct IfStatement : Statement {
    explicit IfStatement(uint32_t l) : Statement(Type::conditional, l) {}
    std::vector<std::pair<ExpressionPtr, Body>> branches;
    Body otherwise;
};
struct ForStatement : Statement {
    explicit ForStatement(uint32_t l) : Statement(Type::loop, l) {}
    Target target;
    ExpressionPtr iterable, condition;  // condition may be missing
    bool recursive = false;
    Body body, otherwise;
};
struct AssignStatement : Statement {
    explicit AssignStatement(uint32_t l) : Statement(Type::assign, l) {}
    Target target;
    ExpressionPtr value;
};
/// {% set x | filter %}…{% endset %}; filter blocks have no target.
struct BlockStatement : Statement {
    using Statement::Statement;
    Target target;
    std::vector<Suffix> filters;
    Body body;
};
struct Signature {
    struct Parameter {
        NameId name;
        ExpressionPtr otherwise;  // default; may be missing
    };
    std::vector<Parameter> parameters;
    // Whether the body mentions the names that catch what no parameter does.
    bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
};
struct MacroStatement : Statement {
    explicit MacroStatement(uint32_t l) : Statement(Type::macro, l) {}
    NameId name = 0;
    Signature signature;
    Body body;
};
struct CallBlockStatement : Statement {
    explicit CallBlockStatement(uint32_t l) : Statement(Type::call_block, l) {}
    Signature signature;  // of the caller() that the body becomes
    ExpressionPtr call;   // a Postfix whose last suffix is a call
    Body body;
};
/// with, scope ({% generation %})
struct ScopeStatement : Statement {
    using Statement::Statement;
    std::vector<std::pair<Target, ExpressionPtr>> assignments;
    Body body;
};

/// A parsed template. Immutable: may be rendered by several threads at once.
struct Syntax {
    std::vector<std::string> names;  // each once
    std::vector<std::string> texts;
    Body body;
    // Names the evaluator itself gives meaning to.
    NameId loop = 0, caller = 0, varargs = 0, kwargs = 0;
};

}  // namespace sluice::jinja
