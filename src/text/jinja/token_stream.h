// What both halves of the parser (statements, expressions) share: the position in the tokens, the tables of
// names and texts, and the bound on nesting.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/fail.h"
#include "text/jinja/lexer.h"
#include "text/jinja/syntax.h"

namespace sluice::jinja {

class TokenStream {
  public:
    TokenStream(std::string_view source, uint32_t depth_limit, Syntax& syntax);

    const Token& current() const { return tokens_[at_]; }
    const Token& ahead() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
    uint32_t line() const { return current().line; }
    Token take();

    bool at_symbol(std::string_view symbol) const { return is(current(), TokenType::symbol, symbol); }
    bool at_name(std::string_view name) const { return is(current(), TokenType::name, name); }
    static bool is(const Token& token, TokenType type, std::string_view text) {
        return token.type == type && token.text == text;
    }
    /// Takes the token if it is there.
    bool skip_symbol(std::string_view symbol);
    bool skip_name(std::string_view name);
    /// Takes the token or fails.
    void expect_symbol(std::string_view symbol);
    void expect_name(std::string_view name);
    Token expect(TokenType type);

    template <typename... Arguments>
    [[noreturn]] void wrong(uint32_t line, fmt::format_string<Arguments...> what,
                            Arguments&&... arguments) const {
        fail(ErrorCode::invalid_file, "chat template line {}: {}", line,
             fmt::format(what, std::forward<Arguments>(arguments)...));
    }
    [[noreturn]] void unexpected(std::string_view expected) const;

    NameId name_id(std::string_view name);
    TextId text_id(std::string text);

    class Depth {
      public:
        explicit Depth(TokenStream& stream);
        Depth(const Depth&) = delete;
        Depth& operator=(const Depth&) = delete;
        ~Depth() { --stream_.depth_; }

      private:
        TokenStream& stream_;
    };

    /// Signatures of the macros that enclose the current position.
    std::vector<Signature*> enclosing_macros;
    /// What unknown filters and tests make of the template, unless they stand inside an if: one that is never
    /// reached does no harm there, so the conditional takes its own complaints back.
    std::vector<std::string> complaints;

  private:
    std::vector<Token> tokens_;
    size_t at_ = 0;
    uint32_t depth_ = 0, depth_limit_;
    Syntax& syntax_;
    std::unordered_map<std::string, NameId> name_ids_;
};

/// Expressions. The statements' parser calls these.
ExpressionPtr parse_expression(TokenStream& stream);
/// One expression, or several with commas between them: a tuple. In `if` and `for` heads there is no inline
/// if.
enum class InlineIf : uint8_t { allowed, excluded };
ExpressionPtr parse_tuple(TokenStream& stream, InlineIf inline_if = InlineIf::allowed);
/// `| name(arguments) | …`, at a "|" or, for {% filter name %}, at the name.
enum class FirstFilter : uint8_t { after_pipe, at_name };
std::vector<Suffix> parse_filters(TokenStream& stream, FirstFilter first);

}  // namespace sluice::jinja
