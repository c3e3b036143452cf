// Expressions, from the loosest binding (inline if) to the tightest (subscripts, calls, filters).
#include <array>
#include <charconv>

#include "text/jinja/token_stream.h"

namespace sluice::jinja {
namespace {

ExpressionPtr parse_unary(TokenStream& stream, bool with_filters);
ExpressionPtr parse_disjunction(TokenStream& stream);

int64_t integer_value(TokenStream& stream, const Token& token) {
    std::string digits;
    for (const char c : token.text) {
        if (c != '_') digits += c;
    }
    const std::string_view bases = "xXoObB";
    const size_t prefix = digits.size() > 2 ? bases.find(digits[1]) : bases.npos;
    const int base = prefix == bases.npos ? 10 : prefix < 2 ? 16 : prefix < 4 ? 8 : 2;
    const char* const begin = digits.c_str() + (base == 10 ? 0 : 2);
    const char* const end = digits.c_str() + digits.size();
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value, base);
    if (error != std::errc{} || stop != end) {
        stream.wrong(token.line, "'{}' is not an integer of 64 bits", token.text);
    }
    return value;
}

double real_value(const Token& token) {
    std::string digits;
    for (const char c : token.text) {
        if (c != '_') digits += c;
    }
    double value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

ExpressionPtr parse_list(TokenStream& stream) {
    auto list = std::make_unique<Operands>(Expression::Type::list, stream.line());
    stream.expect_symbol("[");
    while (!stream.at_symbol("]")) {
        if (!list->items.empty()) stream.expect_symbol(",");
        if (stream.at_symbol("]")) break;
        list->items.push_back(parse_expression(stream));
    }
    stream.expect_symbol("]");
    return list;
}

ExpressionPtr parse_dict(TokenStream& stream) {
    auto dict = std::make_unique<DictLiteral>(stream.line());
    stream.expect_symbol("{");
    while (!stream.at_symbol("}")) {
        if (!dict->entries.empty()) stream.expect_symbol(",");
        if (stream.at_symbol("}")) break;
        ExpressionPtr key = parse_expression(stream);
        stream.expect_symbol(":");
        dict->entries.emplace_back(std::move(key), parse_expression(stream));
    }
    stream.expect_symbol("}");
    return dict;
}

ExpressionPtr parse_parentheses(TokenStream& stream) {
    const uint32_t line = stream.line();
    stream.expect_symbol("(");
    if (stream.skip_symbol(")")) return std::make_unique<Operands>(Expression::Type::tuple, line);
    ExpressionPtr inside = parse_tuple(stream);
    stream.expect_symbol(")");
    return inside;
}

ExpressionPtr parse_name(TokenStream& stream) {
    const Token token = stream.take();
    using LiteralValue = std::variant<None, bool, int64_t, double>;
    const auto literal = [&](LiteralValue value) { return std::make_unique<Literal>(token.line, value); };
    if (token.text == "true" || token.text == "True") return literal(true);
    if (token.text == "false" || token.text == "False") return literal(false);
    if (token.text == "none" || token.text == "None") return literal(None{});
    for (Signature* macro : stream.enclosing_macros) {
        macro->uses_varargs |= token.text == "varargs";
        macro->uses_kwargs |= token.text == "kwargs";
        macro->uses_caller |= token.text == "caller";
    }
    return std::make_unique<Name>(token.line, stream.name_id(token.text));
}

ExpressionPtr parse_primary(TokenStream& stream) {
    const Token& token = stream.current();
    const uint32_t line = token.line;
    switch (token.type) {
        case TokenType::name:
            return parse_name(stream);
        case TokenType::string: {
            std::string text;  // strings side by side are one
            while (stream.current().type == TokenType::string) text += unescape(stream.take());
            return std::make_unique<TextLiteral>(line, stream.text_id(std::move(text)));
        }
        case TokenType::integer:
            return std::make_unique<Literal>(line, integer_value(stream, stream.take()));
        case TokenType::real:
            return std::make_unique<Literal>(line, real_value(stream.take()));
        default:
            break;
    }
    if (stream.at_symbol("(")) return parse_parentheses(stream);
    if (stream.at_symbol("[")) return parse_list(stream);
    if (stream.at_symbol("{")) return parse_dict(stream);
    stream.unexpected("an expression");
}

ArgumentList parse_arguments(TokenStream& stream) {
    ArgumentList arguments;
    stream.expect_symbol("(");
    bool first = true;
    while (!stream.at_symbol(")")) {
        if (!first) stream.expect_symbol(",");
        first = false;
        if (stream.at_symbol(")")) break;
        const uint32_t line = stream.line();
        if (stream.skip_symbol("*")) {
            if (arguments.spread_positional || arguments.spread_named)
                stream.wrong(line, "more than one *argument");
            arguments.spread_positional = parse_expression(stream);
        } else if (stream.skip_symbol("**")) {
            if (arguments.spread_named) stream.wrong(line, "more than one **argument");
            arguments.spread_named = parse_expression(stream);
        } else if (stream.current().type == TokenType::name &&
                   TokenStream::is(stream.ahead(), TokenType::symbol, "=")) {
            std::string name(stream.take().text);
            stream.take();
            arguments.named.push_back({std::move(name), parse_expression(stream)});
        } else {
            if (!arguments.named.empty() || arguments.spread_positional || arguments.spread_named) {
                stream.wrong(line, "a positional argument follows a keyword argument");
            }
            arguments.positional.push_back(parse_expression(stream));
        }
    }
    stream.expect_symbol(")");
    return arguments;
}

Suffix new_suffix(TokenStream& stream, Suffix::Type type) {
    Suffix suffix;
    suffix.type = type;
    suffix.line = stream.line();
    return suffix;
}

Suffix parse_call(TokenStream& stream) {
    Suffix suffix = new_suffix(stream, Suffix::Type::call);
    suffix.arguments = parse_arguments(stream);
    return suffix;
}

Suffix parse_dot(TokenStream& stream) {
    Suffix suffix = new_suffix(stream, Suffix::Type::attribute);
    stream.expect_symbol(".");
    const Token token = stream.take();
    if (token.type == TokenType::integer) {
        suffix.type = Suffix::Type::item;
        suffix.index = std::make_unique<Literal>(token.line, integer_value(stream, token));
    } else if (token.type == TokenType::name) {
        suffix.name = token.text;
    } else {
        stream.wrong(token.line, "expected a name or a number behind '.', found '{}'", token.text);
    }
    return suffix;
}

Suffix parse_brackets(TokenStream& stream) {
    Suffix suffix = new_suffix(stream, Suffix::Type::item);
    stream.expect_symbol("[");
    const auto at_bound_end = [&] { return stream.at_symbol(":") || stream.at_symbol("]"); };
    if (!stream.at_symbol(":")) {
        suffix.index = parse_tuple(stream);
        if (stream.skip_symbol("]")) return suffix;
    }
    suffix.type = Suffix::Type::slice;
    suffix.start = std::move(suffix.index);
    stream.expect_symbol(":");
    if (!at_bound_end()) suffix.stop = parse_expression(stream);
    if (stream.skip_symbol(":") && !at_bound_end()) suffix.step = parse_expression(stream);
    stream.expect_symbol("]");
    return suffix;
}

// .name [index] (arguments), as many as there are.
void parse_postfixes(TokenStream& stream, std::vector<Suffix>& suffixes) {
    while (true) {
        if (stream.at_symbol(".")) {
            suffixes.push_back(parse_dot(stream));
        } else if (stream.at_symbol("[")) {
            suffixes.push_back(parse_brackets(stream));
        } else if (stream.at_symbol("(")) {
            suffixes.push_back(parse_call(stream));
        } else {
            return;
        }
    }
}

ExpressionPtr with_suffixes(ExpressionPtr base, std::vector<Suffix> suffixes) {
    if (suffixes.empty()) return base;
    auto postfix = std::make_unique<Postfix>(base->line);
    postfix->base = std::move(base);
    postfix->suffixes = std::move(suffixes);
    return postfix;
}

std::string parse_dotted_name(TokenStream& stream) {
    std::string name(stream.expect(TokenType::name).text);
    while (stream.skip_symbol(".")) name.append(".").append(stream.expect(TokenType::name).text);
    return name;
}

// Does a test's argument without parentheses follow? (`x is divisibleby 3`)
bool at_test_argument(const TokenStream& stream) {
    switch (stream.current().type) {
        case TokenType::string:
        case TokenType::integer:
        case TokenType::real:
            return true;
        case TokenType::symbol:
            return stream.at_symbol("[") || stream.at_symbol("{");
        case TokenType::name: {
            constexpr std::array<std::string_view, 8> operators = {"else", "or",  "and", "if",
                                                                   "in",   "not", "is",  "recursive"};
            for (const std::string_view word : operators) {
                if (stream.at_name(word)) return false;
            }
            return true;
        }
        default:
            return false;
    }
}

Suffix parse_test(TokenStream& stream) {
    Suffix suffix = new_suffix(stream, Suffix::Type::test);
    stream.expect_name("is");
    suffix.negated = stream.skip_name("not");
    suffix.name = parse_dotted_name(stream);
    suffix.test = find_test(suffix.name);
    if (!suffix.test) {
        stream.complaints.push_back(
            fmt::format("chat template line {}: there is no test named '{}'", suffix.line, suffix.name));
    }
    if (stream.at_symbol("(")) {
        suffix.arguments = parse_arguments(stream);
    } else if (at_test_argument(stream)) {
        ExpressionPtr argument = parse_primary(stream);
        std::vector<Suffix> postfixes;
        parse_postfixes(stream, postfixes);
        suffix.arguments.positional.push_back(with_suffixes(std::move(argument), std::move(postfixes)));
    }
    return suffix;
}

// |filter, is test, and calls of what those give.
void parse_filters_and_tests(TokenStream& stream, std::vector<Suffix>& suffixes) {
    while (true) {
        if (stream.at_symbol("|")) {
            for (Suffix& filter : parse_filters(stream, FirstFilter::after_pipe))
                suffixes.push_back(std::move(filter));
        } else if (stream.at_name("is")) {
            suffixes.push_back(parse_test(stream));
        } else if (stream.at_symbol("(")) {
            suffixes.push_back(parse_call(stream));
        } else {
            return;
        }
    }
}

ExpressionPtr parse_unary(TokenStream& stream, bool with_filters) {
    const TokenStream::Depth depth(stream);
    const uint32_t line = stream.line();
    ExpressionPtr expression;
    std::vector<Suffix> suffixes;
    if (stream.at_symbol("-") || stream.at_symbol("+")) {
        const UnaryOperator sign = stream.take().text == "-" ? UnaryOperator::minus : UnaryOperator::plus;
        expression = std::make_unique<Unary>(line, sign, parse_unary(stream, false));
    } else {
        expression = parse_primary(stream);
    }
    parse_postfixes(stream, suffixes);
    if (with_filters) parse_filters_and_tests(stream, suffixes);
    return with_suffixes(std::move(expression), std::move(suffixes));
}

using SymbolTable = std::initializer_list<std::pair<std::string_view, BinaryOperator>>;

std::optional<BinaryOperator> skip_operator(TokenStream& stream, SymbolTable table) {
    for (const auto& [symbol, operation] : table) {
        if (stream.skip_symbol(symbol)) return operation;
    }
    return std::nullopt;
}

template <typename Operand>
ExpressionPtr parse_chain(TokenStream& stream, SymbolTable table, Operand parse_operand) {
    const uint32_t line = stream.line();
    ExpressionPtr first = parse_operand(stream);
    std::unique_ptr<ArithmeticChain> chain;
    while (const auto operation = skip_operator(stream, table)) {
        if (!chain) {
            chain = std::make_unique<ArithmeticChain>(line);
            chain->first = std::move(first);
        }
        chain->rest.emplace_back(*operation, parse_operand(stream));
    }
    if (chain) return chain;
    return first;
}

ExpressionPtr parse_power(TokenStream& stream) {
    return parse_chain(stream, {{"**", BinaryOperator::power}},
                       [](TokenStream& s) { return parse_unary(s, true); });
}

ExpressionPtr parse_product(TokenStream& stream) {
    return parse_chain(stream,
                       {{"*", BinaryOperator::multiply},
                        {"/", BinaryOperator::divide},
                        {"//", BinaryOperator::floor_divide},
                        {"%", BinaryOperator::modulo}},
                       parse_power);
}

ExpressionPtr parse_concatenation(TokenStream& stream) {
    const uint32_t line = stream.line();
    ExpressionPtr first = parse_product(stream);
    if (!stream.at_symbol("~")) return first;
    auto parts = std::make_unique<Operands>(Expression::Type::concatenation, line);
    parts->items.push_back(std::move(first));
    while (stream.skip_symbol("~")) parts->items.push_back(parse_product(stream));
    return parts;
}

ExpressionPtr parse_sum(TokenStream& stream) {
    return parse_chain(stream, {{"+", BinaryOperator::add}, {"-", BinaryOperator::subtract}},
                       parse_concatenation);
}

std::optional<Comparison> skip_comparison(TokenStream& stream) {
    constexpr std::array<std::pair<std::string_view, Comparison>, 6> table{{{"==", Comparison::equal},
                                                                            {"!=", Comparison::not_equal},
                                                                            {"<=", Comparison::less_equal},
                                                                            {">=", Comparison::greater_equal},
                                                                            {"<", Comparison::less},
                                                                            {">", Comparison::greater}}};
    for (const auto& [symbol, comparison] : table) {
        if (stream.skip_symbol(symbol)) return comparison;
    }
    if (stream.skip_name("in")) return Comparison::in;
    if (stream.at_name("not") && TokenStream::is(stream.ahead(), TokenType::name, "in")) {
        stream.take();
        stream.take();
        return Comparison::not_in;
    }
    return std::nullopt;
}

ExpressionPtr parse_comparison(TokenStream& stream) {
    const uint32_t line = stream.line();
    ExpressionPtr first = parse_sum(stream);
    std::unique_ptr<ComparisonChain> chain;
    while (const auto comparison = skip_comparison(stream)) {
        if (!chain) {
            chain = std::make_unique<ComparisonChain>(line);
            chain->first = std::move(first);
        }
        chain->rest.emplace_back(*comparison, parse_sum(stream));
    }
    if (chain) return chain;
    return first;
}

ExpressionPtr parse_negation(TokenStream& stream) {
    if (!stream.at_name("not")) return parse_comparison(stream);
    const TokenStream::Depth depth(stream);
    const uint32_t line = stream.take().line;
    return std::make_unique<Unary>(line, UnaryOperator::logical_not, parse_negation(stream));
}

template <typename Operand>
ExpressionPtr parse_logic(TokenStream& stream, std::string_view word, Expression::Type type,
                          Operand parse_operand) {
    const uint32_t line = stream.line();
    ExpressionPtr first = parse_operand(stream);
    if (!stream.at_name(word)) return first;
    auto operands = std::make_unique<Operands>(type, line);
    operands->items.push_back(std::move(first));
    while (stream.skip_name(word)) operands->items.push_back(parse_operand(stream));
    return operands;
}

ExpressionPtr parse_conjunction(TokenStream& stream) {
    return parse_logic(stream, "and", Expression::Type::conjunction, parse_negation);
}

ExpressionPtr parse_disjunction(TokenStream& stream) {
    return parse_logic(stream, "or", Expression::Type::disjunction, parse_conjunction);
}

}  // namespace

ExpressionPtr parse_expression(TokenStream& stream) {
    const TokenStream::Depth depth(stream);
    const size_t complaints = stream.complaints.size();
    const uint32_t line = stream.line();
    ExpressionPtr value = parse_disjunction(stream);
    size_t chained = 0;
    while (stream.skip_name("if")) {
        // "a if b if c" nests to the left without recursion here, but the tree gets deeper all the same.
        if (++chained > 16) stream.wrong(line, "too many inline ifs in a row");
        auto conditional = std::make_unique<Conditional>(line);
        conditional->value = std::move(value);
        conditional->test = parse_disjunction(stream);
        if (stream.skip_name("else")) conditional->otherwise = parse_expression(stream);
        value = std::move(conditional);
        stream.complaints.resize(complaints);
    }
    return value;
}

ExpressionPtr parse_tuple(TokenStream& stream, InlineIf inline_if) {
    const TokenStream::Depth depth(stream);
    const uint32_t line = stream.line();
    const auto element = [&] {
        return inline_if == InlineIf::allowed ? parse_expression(stream) : parse_disjunction(stream);
    };
    const auto at_end = [&] {
        const TokenType type = stream.current().type;
        return type == TokenType::print_end || type == TokenType::block_end || stream.at_symbol(")") ||
               stream.at_symbol("]") || stream.at_name("recursive");
    };
    ExpressionPtr first = element();
    if (!stream.at_symbol(",")) return first;
    auto tuple = std::make_unique<Operands>(Expression::Type::tuple, line);
    tuple->items.push_back(std::move(first));
    while (stream.skip_symbol(",")) {
        if (at_end()) break;
        tuple->items.push_back(element());
    }
    return tuple;
}

std::vector<Suffix> parse_filters(TokenStream& stream, FirstFilter first) {
    std::vector<Suffix> filters;
    bool at_name = first == FirstFilter::at_name;
    while (at_name || stream.skip_symbol("|")) {
        at_name = false;
        Suffix suffix = new_suffix(stream, Suffix::Type::filter);
        suffix.name = parse_dotted_name(stream);
        suffix.filter = find_filter(suffix.name);
        if (!suffix.filter) {
            stream.complaints.push_back(fmt::format("chat template line {}: there is no filter named '{}'",
                                                    suffix.line, suffix.name));
        }
        if (stream.at_symbol("(")) suffix.arguments = parse_arguments(stream);
        filters.push_back(std::move(suffix));
    }
    return filters;
}

}  // namespace sluice::jinja
