// Cuts a template into tokens. All of Jinja's whitespace control happens here (trim_blocks and lstrip_blocks
// on, as transformers sets them), so the parser sees only text that is really printed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::jinja {

enum class TokenType : uint8_t {
    data,  // text outside of tags
    print_begin,
    print_end,
    block_begin,
    block_end,
    name,
    string,   // with its quotes, escapes not yet resolved
    integer,  // as written
    real,
    symbol,  // an operator or bracket
    end,
};

struct Token {
    TokenType type = TokenType::end;
    uint32_t line = 0;
    std::string_view text;  // lies in the source
};

/// Line ends become "\n" and one at the very end is dropped, as Jinja does before anything else.
std::string normalize_source(std::string_view source);

/// Throws Error (invalid_file) with the line. The tokens point into `source`; the last one is `end`.
std::vector<Token> tokenize(std::string_view source);

/// The text a string token stands for: quotes removed, Python's escapes resolved.
std::string unescape(const Token& token);

}  // namespace sluice::jinja
