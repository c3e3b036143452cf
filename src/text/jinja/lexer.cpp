#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/fail.h"
#include "text/jinja/characters.h"

namespace sluice::jinja {
namespace {

constexpr std::array<std::string_view, 27> symbols = {"//", "**", "==", "!=", "<=", ">=", "+", "-", "/",
                                                      "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                      "<",  ">",  "=",  ".",  ":",  "|",  ",", ";", "!"};

bool is_digit_byte(char c) noexcept {
    return c >= '0' && c <= '9';
}

class Lexer {
  public:
    explicit Lexer(std::string_view source) : source_(source) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) text_and_tag();
        add(TokenType::end, at_, at_);
        return std::move(tokens_);
    }

  private:
    std::string_view rest() const { return source_.substr(at_); }
    bool ahead(std::string_view text) const { return rest().starts_with(text); }
    char sign_at(size_t at) const {
        return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
    }

    // Tokens are added in source order, so lines are counted as we go.
    uint32_t line_of(size_t at) {
        line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                                  source_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
        counted_ = at;
        return line_;
    }
    void add(TokenType type, size_t begin, size_t end) {
        tokens_.push_back({type, line_of(begin), source_.substr(begin, end - begin)});
    }
    [[noreturn]] void wrong(size_t at, std::string_view what) {
        fail(ErrorCode::invalid_file, "chat template line {}: {}", line_of(std::max(at, counted_)), what);
    }

    void skip_space() {
        while (at_ < source_.size()) {
            const Character c = character_at(source_, at_);
            if (!is_space(c.code)) return;
            at_ += c.bytes;
        }
    }
    void skip_newline() {
        if (ahead("\n")) ++at_;
    }

    // Where the text before a tag ends. '-' eats all space before the tag; lstrip_blocks eats the space
    // between the line's start and a tag that is not a print, unless '+' forbids it.
    size_t text_end(size_t begin, size_t tag, char sign, bool print) const {
        size_t end = tag;
        const auto strip_until = [&](size_t limit) {
            while (end > limit) {
                const size_t before =
                    limit + character_before(source_.substr(limit, end - limit), end - limit);
                if (!is_space(character_at(source_, before).code)) return false;
                end = before;
            }
            return true;
        };
        if (sign == '-') {
            strip_until(begin);
            return end;
        }
        if (sign == '+' || print) return tag;
        const size_t newline = source_.substr(begin, tag - begin).rfind('\n');
        const bool starts_line =
            newline != std::string_view::npos || begin == 0 || source_[begin - 1] == '\n';
        const size_t line_begin = newline == std::string_view::npos ? begin : begin + newline + 1;
        return starts_line && strip_until(line_begin) ? line_begin : tag;
    }

    void data(size_t begin, size_t tag, char sign, bool print) {
        const size_t end = text_end(begin, tag, sign, print);
        if (end > begin) add(TokenType::data, begin, end);
    }

    void text_and_tag() {
        const size_t begin = at_;
        size_t tag = begin;
        while (true) {
            tag = source_.find('{', tag);
            if (tag == source_.npos || tag + 1 >= source_.size()) {
                at_ = source_.size();
                add(TokenType::data, begin, at_);
                return;
            }
            const char second = source_[tag + 1];
            if (second == '{' || second == '%' || second == '#') break;
            ++tag;
        }
        const char kind = source_[tag + 1], sign = sign_at(tag + 2);
        data(begin, tag, sign, kind == '{');
        at_ = tag + 2 + (sign ? 1 : 0);
        if (kind == '#') return comment(tag);
        if (kind == '%' && raw_begins()) return raw(tag);
        add(kind == '{' ? TokenType::print_begin : TokenType::block_begin, tag, at_);
        expression(kind == '{' ? TokenType::print_end : TokenType::block_end);
    }

    void comment(size_t tag) {
        const size_t close = source_.find("#}", at_);
        if (close == source_.npos) wrong(tag, "this comment has no end; expected \"#}\"");
        const char sign = close > at_ ? sign_at(close - 1) : '\0';
        at_ = close + 2;
        after_block_end(sign);
    }

    void after_block_end(char sign) {
        if (sign == '-') {
            skip_space();
        } else if (sign != '+') {
            skip_newline();  // trim_blocks
        }
    }

    // At the inside of a "{%": does it read `raw %}`? If so, at_ moves behind it.
    bool raw_begins() {
        const size_t start = at_;
        skip_space();
        if (ahead("raw")) {
            at_ += 3;
            skip_space();
            const bool strip = ahead("-%}");
            if (strip || ahead("%}")) {
                at_ += strip ? 3 : 2;
                if (strip) skip_space();
                return true;
            }
        }
        at_ = start;
        return false;
    }

    void raw(size_t tag) {
        const size_t begin = at_;
        for (size_t close = source_.find("{%", at_); close != source_.npos;
             close = source_.find("{%", close + 2)) {
            const char sign = sign_at(close + 2);
            at_ = close + 2 + (sign ? 1 : 0);
            skip_space();
            if (!ahead("endraw")) continue;
            at_ += 6;
            skip_space();
            const char end_sign = sign_at(at_);
            if (end_sign) ++at_;
            if (!ahead("%}")) continue;
            data(begin, close, sign, false);
            at_ += 2;
            after_block_end(end_sign);
            return;
        }
        wrong(tag, "this raw block has no end; expected \"{% endraw %}\"");
    }

    // Is this the end of the tag? Inside brackets it is not: {{ {'a': {}} }}.
    bool tag_ends(TokenType end_type) {
        if (!brackets_.empty()) return false;
        const std::string_view close = end_type == TokenType::print_end ? "}}" : "%}";
        const char sign = sign_at(at_);
        const bool signed_end = sign && source_.substr(at_ + 1).starts_with(close);
        if (signed_end && (sign == '-' || end_type == TokenType::block_end)) {
            add(end_type, at_, at_ + 3);
            at_ += 3;
            if (sign == '-') skip_space();
            return true;
        }
        if (!ahead(close)) return false;
        add(end_type, at_, at_ + 2);
        at_ += 2;
        if (end_type == TokenType::block_end) skip_newline();
        return true;
    }

    void expression(TokenType end_type) {
        brackets_.clear();
        while (at_ < source_.size()) {
            if (tag_ends(end_type)) return;
            const Character c = character_at(source_, at_);
            if (is_space(c.code)) {
                at_ += c.bytes;
            } else if (c.code < 0x80 && is_digit_byte(source_[at_])) {
                number();
            } else if (c.code == '_' || is_letter(c.code)) {
                name();
            } else if (c.code == '\'' || c.code == '"') {
                string();
            } else {
                symbol();
            }
        }
    }

    void name() {
        const size_t begin = at_;
        while (at_ < source_.size()) {
            const Character c = character_at(source_, at_);
            if (c.code != '_' && !is_letter(c.code) && !is_digit(c.code)) break;
            at_ += c.bytes;
        }
        add(TokenType::name, begin, at_);
    }

    // Behind `at`: digits with single underscores between them.
    size_t digits_end(size_t at) const {
        while (at < source_.size() &&
               (is_digit_byte(source_[at]) ||
                (source_[at] == '_' && at + 1 < source_.size() && is_digit_byte(source_[at + 1])))) {
            ++at;
        }
        return at;
    }

    void number() {
        const size_t begin = at_;
        if (source_[at_] == '0' && at_ + 1 < source_.size()) {
            const std::string_view bases = "xXoObB";
            if (bases.find(source_[at_ + 1]) != bases.npos) {
                at_ += 2;
                while (at_ < source_.size() &&
                       (std::isxdigit(static_cast<unsigned char>(source_[at_])) || source_[at_] == '_'))
                    ++at_;
                return add(TokenType::integer, begin, at_);
            }
        }
        at_ = digits_end(at_);
        const bool after_dot = begin > 0 && source_[begin - 1] == '.';  // x.0.1 is two subscripts
        bool real = false;
        if (!after_dot) {
            const auto digit_at = [&](size_t at) {
                return at < source_.size() && is_digit_byte(source_[at]);
            };
            if (ahead(".") && digit_at(at_ + 1)) {
                at_ = digits_end(at_ + 1);
                real = true;
            }
            if (ahead("e") || ahead("E")) {
                const size_t exponent = at_ + 1 + (sign_at(at_ + 1) ? 1 : 0);
                if (digit_at(exponent)) {
                    at_ = digits_end(exponent);
                    real = true;
                }
            }
        }
        add(real ? TokenType::real : TokenType::integer, begin, at_);
    }

    void string() {
        const size_t begin = at_;
        const char quote = source_[at_++];
        while (at_ < source_.size() && source_[at_] != quote) at_ += source_[at_] == '\\' ? 2 : 1;
        if (at_ >= source_.size()) wrong(begin, "this string has no closing quote");
        ++at_;
        add(TokenType::string, begin, at_);
    }

    void symbol() {
        const auto found =
            std::find_if(symbols.begin(), symbols.end(), [&](std::string_view s) { return ahead(s); });
        if (found == symbols.end() || *found == "!") {
            wrong(at_, fmt::format("unexpected character '{}'",
                                   source_.substr(at_, character_at(source_, at_).bytes)));
        }
        const char c = (*found)[0];
        if (c == '(' || c == '[' || c == '{') brackets_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
        if (c == ')' || c == ']' || c == '}') {
            if (brackets_.empty() || brackets_.back() != c) {
                wrong(at_, brackets_.empty()
                               ? fmt::format("unexpected '{}'", c)
                               : fmt::format("unexpected '{}'; expected '{}'", c, brackets_.back()));
            }
            brackets_.pop_back();
        }
        add(TokenType::symbol, at_, at_ + found->size());
        at_ += found->size();
    }

    std::string_view source_;
    size_t at_ = 0;
    size_t counted_ = 0;  // line_ is the line of this byte
    uint32_t line_ = 1;
    std::vector<char> brackets_;  // the closing ones that are due
    std::vector<Token> tokens_;
};

// Reads one escape behind a backslash.
class Escapes {
  public:
    explicit Escapes(const Token& token)
        : text_(token.text.substr(1, token.text.size() - 2)), line_(token.line) {}

    std::string run() {
        while (at_ < text_.size()) {
            if (text_[at_] != '\\' || at_ + 1 >= text_.size()) {
                out_ += text_[at_++];
            } else {
                at_ += 2;
                escape(text_[at_ - 1]);
            }
        }
        return std::move(out_);
    }

  private:
    void escape(char c) {
        constexpr std::string_view letters = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
        if (const size_t simple = letters.find(c); simple != letters.npos) {
            out_ += meanings[simple];
        } else if (c == '\n') {
            return;  // a line continued
        } else if (c >= '0' && c <= '7') {
            octal();
        } else if (c == 'x') {
            append_character(out_, hexadecimal(2));
        } else if (c == 'u') {
            utf16();
        } else if (c == 'U') {
            append_character(out_, hexadecimal(8));
        } else {
            out_ += '\\';
            out_ += c;
        }
    }

    void octal() {
        char32_t code = 0;
        --at_;
        for (int i = 0; i < 3 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
            code = code * 8 + static_cast<char32_t>(text_[at_++] - '0');
        }
        append_character(out_, code);
    }

    char32_t hexadecimal(size_t digits) {
        uint32_t code = 0;
        const std::string_view part = text_.substr(at_, digits);
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
        if (part.size() != digits || error != std::errc{} || end != part.data() + digits) {
            fail(ErrorCode::invalid_file,
                 "chat template line {}: an escape in a string needs {} hexadecimal digits, found '{}'",
                 line_, digits, part);
        }
        at_ += digits;
        return code;
    }

    void utf16() {
        const char32_t first = hexadecimal(4);
        if (first >= 0xD800 && first < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
            const size_t back = at_;
            at_ += 2;
            const char32_t second = hexadecimal(4);
            if (second >= 0xDC00 && second < 0xE000) {
                return append_character(out_, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
            }
            at_ = back;
        }
        append_character(out_, first);
    }

    std::string_view text_;
    uint32_t line_;
    size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string normalize_source(std::string_view source) {
    std::string normalized;
    normalized.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            normalized += '\n';
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            normalized += source[i];
        }
    }
    if (normalized.ends_with('\n')) normalized.pop_back();
    return normalized;
}

std::vector<Token> tokenize(std::string_view source) {
    return Lexer(source).run();
}

std::string unescape(const Token& token) {
    return Escapes(token).run();
}

}  // namespace sluice::jinja
