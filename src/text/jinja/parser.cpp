#include "text/jinja/parser.h"

#include <algorithm>

#include "text/jinja/token_stream.h"

namespace sluice::jinja {
namespace {

using Words = std::initializer_list<std::string_view>;

class StatementParser {
  public:
    StatementParser(TokenStream& stream) : stream_(stream) {}

    /// Statements up to a tag with one of these names (left at the name), or to the template's end.
    Body body(Words ends) {
        const TokenStream::Depth depth(stream_);
        Body statements;
        while (stream_.current().type != TokenType::end) {
            switch (stream_.current().type) {
                case TokenType::data:
                    statements.push_back(data());
                    break;
                case TokenType::print_begin:
                    statements.push_back(print());
                    break;
                default:
                    stream_.expect(TokenType::block_begin);
                    for (const std::string_view end : ends) {
                        if (stream_.at_name(end)) return statements;
                    }
                    statements.push_back(tag());
            }
        }
        if (ends.size() > 0) stream_.unexpected(fmt::format("{{% {} %}}", *(ends.end() - 1)));
        return statements;
    }

  private:
    using StatementPtr = std::unique_ptr<Statement>;

    StatementPtr data() {
        const Token token = stream_.take();
        return std::make_unique<DataStatement>(token.line, stream_.text_id(std::string(token.text)));
    }

    StatementPtr print() {
        const uint32_t line = stream_.take().line;
        ExpressionPtr expression = parse_tuple(stream_);
        stream_.expect(TokenType::print_end);
        return std::make_unique<ExpressionStatement>(Statement::Type::print, line, std::move(expression));
    }

    void tag_end() { stream_.expect(TokenType::block_end); }
    /// The body up to {% end %}, tag and all.
    Body body_until(std::string_view end) {
        tag_end();
        Body statements = body({end});
        stream_.take();
        tag_end();
        return statements;
    }

    StatementPtr tag() {
        using Rule = StatementPtr (StatementParser::*)(uint32_t line);
        struct Tag {
            std::string_view name;
            Rule rule;
        };
        static constexpr Tag tags[] = {
            {"if", &StatementParser::conditional},   {"for", &StatementParser::loop},
            {"set", &StatementParser::assign},       {"macro", &StatementParser::macro},
            {"call", &StatementParser::call_block},  {"filter", &StatementParser::filter_block},
            {"with", &StatementParser::with},        {"generation", &StatementParser::generation},
            {"do", &StatementParser::evaluate},      {"print", &StatementParser::print_tag},
            {"break", &StatementParser::break_loop}, {"continue", &StatementParser::continue_loop},
        };
        const Token& token = stream_.current();
        if (token.type != TokenType::name) stream_.unexpected("the name of a tag");
        for (const Tag& known : tags) {
            if (token.text == known.name) return (this->*known.rule)(stream_.take().line);
        }
        static constexpr std::string_view not_here[] = {"block", "extends",    "include", "import",
                                                        "from",  "autoescape", "trans"};
        if (std::find(std::begin(not_here), std::end(not_here), token.text) != std::end(not_here)) {
            fail(ErrorCode::unsupported, "chat template line {}: the tag '{}' is not supported", token.line,
                 token.text);
        }
        stream_.wrong(token.line, "unknown tag '{}'", token.text);
    }

    StatementPtr conditional(uint32_t line) {
        auto statement = std::make_unique<IfStatement>(line);
        const size_t complaints = stream_.complaints.size();
        while (true) {
            ExpressionPtr test = parse_tuple(stream_, InlineIf::excluded);
            tag_end();
            statement->branches.emplace_back(std::move(test), body({"elif", "else", "endif"}));
            if (stream_.skip_name("elif")) continue;
            if (stream_.skip_name("else")) {
                tag_end();
                statement->otherwise = body({"endif"});
            }
            break;
        }
        stream_.complaints.resize(complaints);
        stream_.expect_name("endif");
        tag_end();
        return statement;
    }

    StatementPtr loop(uint32_t line) {
        auto statement = std::make_unique<ForStatement>(line);
        statement->target = target();
        stream_.expect_name("in");
        statement->iterable = parse_tuple(stream_, InlineIf::excluded);
        if (stream_.skip_name("if")) statement->condition = parse_expression(stream_);
        statement->recursive = stream_.skip_name("recursive");
        tag_end();
        ++loops_;
        statement->body = body({"else", "endfor"});
        --loops_;
        if (stream_.skip_name("else")) {
            tag_end();
            statement->otherwise = body({"endfor"});
        }
        stream_.expect_name("endfor");
        tag_end();
        return statement;
    }

    Target single_target() {
        const TokenStream::Depth depth(stream_);
        Target single;
        single.line = stream_.line();
        if (stream_.skip_symbol("(")) {
            single = target();
            stream_.expect_symbol(")");
            return single;
        }
        const Token token = stream_.expect(TokenType::name);
        static constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
        if (std::find(std::begin(constants), std::end(constants), token.text) != std::end(constants)) {
            stream_.wrong(token.line, "cannot assign to '{}'", token.text);
        }
        single.name = stream_.name_id(token.text);
        if (stream_.skip_symbol(".")) single.member = stream_.expect(TokenType::name).text;
        return single;
    }

    Target target() {
        Target first = single_target();
        if (!stream_.at_symbol(",")) return first;
        Target several;
        several.line = first.line;
        several.unpacks = true;
        several.items.push_back(std::move(first));
        while (stream_.skip_symbol(",")) {
            if (stream_.at_symbol(")") || stream_.at_symbol("=") || stream_.at_name("in")) break;
            several.items.push_back(single_target());
        }
        return several;
    }

    StatementPtr assign(uint32_t line) {
        Target assigned = target();
        if (stream_.skip_symbol("=")) {
            auto statement = std::make_unique<AssignStatement>(line);
            statement->target = std::move(assigned);
            statement->value = parse_tuple(stream_);
            tag_end();
            return statement;
        }
        auto block = std::make_unique<BlockStatement>(Statement::Type::assign_block, line);
        block->target = std::move(assigned);
        block->filters = parse_filters(stream_, FirstFilter::after_pipe);
        block->body = body_until("endset");
        return block;
    }

    Signature signature() {
        Signature result;
        stream_.expect_symbol("(");
        while (!stream_.at_symbol(")")) {
            if (!result.parameters.empty()) stream_.expect_symbol(",");
            if (stream_.at_symbol(")")) break;
            Signature::Parameter parameter{stream_.name_id(stream_.expect(TokenType::name).text), nullptr};
            if (stream_.skip_symbol("=")) {
                parameter.otherwise = parse_expression(stream_);
            } else if (!result.parameters.empty() && result.parameters.back().otherwise) {
                stream_.wrong(stream_.line(), "a parameter without default follows one that has a default");
            }
            result.parameters.push_back(std::move(parameter));
        }
        stream_.expect_symbol(")");
        return result;
    }

    /// The body of a macro: notes which of the catch-all names it mentions, and is no part of a loop around
    /// it.
    Body macro_body(Signature& of, std::string_view end) {
        stream_.enclosing_macros.push_back(&of);
        const size_t loops = std::exchange(loops_, 0);
        Body statements = body_until(end);
        loops_ = loops;
        stream_.enclosing_macros.pop_back();
        return statements;
    }

    StatementPtr macro(uint32_t line) {
        auto statement = std::make_unique<MacroStatement>(line);
        statement->name = stream_.name_id(stream_.expect(TokenType::name).text);
        statement->signature = signature();
        statement->body = macro_body(statement->signature, "endmacro");
        return statement;
    }

    StatementPtr call_block(uint32_t line) {
        auto statement = std::make_unique<CallBlockStatement>(line);
        if (stream_.at_symbol("(")) statement->signature = signature();
        statement->call = parse_expression(stream_);
        const bool is_call =
            statement->call->type == Expression::Type::postfix &&
            static_cast<Postfix&>(*statement->call).suffixes.back().type == Suffix::Type::call;
        if (!is_call) stream_.wrong(line, "expected a call of a macro behind 'call'");
        statement->body = macro_body(statement->signature, "endcall");
        return statement;
    }

    StatementPtr filter_block(uint32_t line) {
        auto block = std::make_unique<BlockStatement>(Statement::Type::filter_block, line);
        block->filters = parse_filters(stream_, FirstFilter::at_name);
        block->body = body_until("endfilter");
        return block;
    }

    StatementPtr with(uint32_t line) {
        auto statement = std::make_unique<ScopeStatement>(Statement::Type::with, line);
        while (stream_.current().type != TokenType::block_end) {
            if (!statement->assignments.empty()) stream_.expect_symbol(",");
            Target assigned = single_target();
            stream_.expect_symbol("=");
            statement->assignments.emplace_back(std::move(assigned), parse_expression(stream_));
        }
        statement->body = body_until("endwith");
        return statement;
    }

    // transformers marks what the assistant said with this tag; it changes nothing in the text.
    StatementPtr generation(uint32_t line) {
        auto statement = std::make_unique<ScopeStatement>(Statement::Type::scope, line);
        statement->body = body_until("endgeneration");
        return statement;
    }

    StatementPtr evaluate(uint32_t line) {
        ExpressionPtr expression = parse_tuple(stream_);
        tag_end();
        return std::make_unique<ExpressionStatement>(Statement::Type::evaluate, line, std::move(expression));
    }

    StatementPtr print_tag(uint32_t line) {
        ExpressionPtr expression = parse_tuple(stream_);
        tag_end();
        return std::make_unique<ExpressionStatement>(Statement::Type::print, line, std::move(expression));
    }

    StatementPtr jump(Statement::Type type, uint32_t line, std::string_view word) {
        if (loops_ == 0) stream_.wrong(line, "'{}' outside of a loop", word);
        tag_end();
        return std::make_unique<Statement>(type, line);
    }
    StatementPtr break_loop(uint32_t line) { return jump(Statement::Type::break_loop, line, "break"); }
    StatementPtr continue_loop(uint32_t line) {
        return jump(Statement::Type::continue_loop, line, "continue");
    }

    TokenStream& stream_;
    size_t loops_ = 0;
};

}  // namespace

Syntax parse(std::string_view source, uint32_t depth_limit) {
    Syntax syntax;
    TokenStream stream(source, std::min(depth_limit, uint32_t{400}), syntax);
    syntax.loop = stream.name_id("loop");
    syntax.caller = stream.name_id("caller");
    syntax.varargs = stream.name_id("varargs");
    syntax.kwargs = stream.name_id("kwargs");
    syntax.body = StatementParser(stream).body({});
    if (!stream.complaints.empty()) fail(ErrorCode::unsupported, "{}", stream.complaints.front());
    return syntax;
}

}  // namespace sluice::jinja
