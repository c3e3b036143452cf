#include "text/grammar/gbnf.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/fail.h"
#include "text/utf8.h"

namespace sluice {

namespace {

using Expr = GrammarRules::Expr;

constexpr uint32_t max_depth = 200;
constexpr uint32_t max_count = 1'000'000'000;

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<uint32_t> hex_digit(char c) {
    if (c >= '0' && c <= '9') return uint32_t(c - '0');
    if (c >= 'a' && c <= 'f') return uint32_t(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return uint32_t(c - 'A' + 10);
    return std::nullopt;
}

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += char(c);
    } else if (c < 0x800) {
        out += {char(0xC0 | (c >> 6)), char(0x80 | (c & 63))};
    } else if (c < 0x10000) {
        out += {char(0xE0 | (c >> 12)), char(0x80 | ((c >> 6) & 63)), char(0x80 | (c & 63))};
    } else {
        out += {char(0xF0 | (c >> 18)), char(0x80 | ((c >> 12) & 63)), char(0x80 | ((c >> 6) & 63)),
                char(0x80 | (c & 63))};
    }
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}
    GrammarRules parse();

  private:
    char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    bool at_end() const { return at_ >= text_.size(); }
    bool take(char c);
    void skip_blanks(bool newlines);
    [[noreturn]] void expected(std::string_view what) const;
    std::string place(size_t at) const;
    std::string_view name();
    void rule();
    Expr alternatives(uint32_t depth);
    Expr sequence(uint32_t depth);
    std::optional<Expr> item(uint32_t depth);
    Expr repeated(Expr what);
    Expr literal();
    Expr char_class();
    Expr control_token();
    char32_t character();
    char32_t escape();
    uint32_t number();

    std::string_view text_;
    size_t at_ = 0;
    GrammarRules rules_;
    std::vector<std::pair<GrammarRules::Rule, size_t>> used_;  // rules called, and where first
};

std::string Parser::place(size_t at) const {
    const std::string_view before = text_.substr(0, at);
    const size_t line = 1 + size_t(std::count(before.begin(), before.end(), '\n'));
    const size_t begin = before.rfind('\n');
    return fmt::format("line {}, column {}", line,
                       at - (begin == std::string_view::npos ? 0 : begin + 1) + 1);
}

void Parser::expected(std::string_view what) const {
    const std::string_view rest = text_.substr(std::min(at_, text_.size()));
    const std::string found =
        rest.empty()
            ? "the end"
            : fmt::format("\"{}\"", sanitize_utf8(rest.substr(0, std::min<size_t>(rest.find('\n'), 20))));
    fail(ErrorCode::invalid_argument, "the grammar, {}: expected {}, found {}", place(at_), what,
         found == "\"\"" ? "the end of the line" : found);
}

bool Parser::take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
}

void Parser::skip_blanks(bool newlines) {
    while (!at_end()) {
        const char c = text_[at_];
        if (c == '#') {
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (c == ' ' || c == '\t' || (newlines && (c == '\n' || c == '\r'))) {
            ++at_;
        } else {
            return;
        }
    }
}

GrammarRules Parser::parse() {
    if (!is_valid_utf8(text_)) fail(ErrorCode::invalid_argument, "the grammar is not valid UTF-8");
    skip_blanks(true);
    while (!at_end()) {
        rule();
        skip_blanks(true);
    }
    for (const auto& [rule, at] : used_)
        if (!rules_.is_defined(rule))
            fail(ErrorCode::invalid_argument, "the grammar, {}: the rule \"{}\" is used but not defined",
                 place(at), rules_.rules()[rule].name);
    rules_.root = rules_.declare("root");
    if (!rules_.is_defined(rules_.root))
        fail(ErrorCode::invalid_argument,
             "the grammar has no rule \"root\"; expected root ::= … where a text begins");
    return std::move(rules_);
}

std::string_view Parser::name() {
    const size_t begin = at_;
    while (is_word(peek())) ++at_;
    if (at_ == begin) expected("a rule's name");
    return text_.substr(begin, at_ - begin);
}

void Parser::rule() {
    const size_t begin = at_;
    const std::string_view called = name();
    const auto rule = rules_.declare(called);
    if (rules_.is_defined(rule))
        fail(ErrorCode::invalid_argument, "the grammar, {}: the rule \"{}\" is defined twice", place(begin),
             called);
    skip_blanks(false);
    if (!(take(':') && take(':') && take('='))) expected("::=");
    skip_blanks(true);
    rules_.define(rule, alternatives(0));
    skip_blanks(false);
    if (!at_end() && peek() != '\n' && peek() != '\r') expected("the end of the rule");
}

Expr Parser::alternatives(uint32_t depth) {
    if (depth > max_depth)
        fail(ErrorCode::invalid_argument, "the grammar, {}: parentheses are nested more than {} deep",
             place(at_), max_depth);
    std::vector<Expr> all{sequence(depth)};
    while (take('|')) {
        skip_blanks(true);
        all.push_back(sequence(depth));
    }
    return rules_.choice(std::move(all));
}

Expr Parser::sequence(uint32_t depth) {
    std::vector<Expr> parts;
    while (auto part = item(depth)) {
        // Between an item and its repetition llama.cpp allows blanks.
        skip_blanks(depth > 0);
        for (char c = peek(); c == '*' || c == '+' || c == '?' || c == '{'; c = peek()) {
            part = repeated(*part);
            skip_blanks(depth > 0);
        }
        parts.push_back(*part);
    }
    return rules_.sequence(std::move(parts));
}

std::optional<Expr> Parser::item(uint32_t depth) {
    const char c = peek();
    if (c == '"') return literal();
    if (c == '[') return char_class();
    if (c == '<') return control_token();
    if (c == '.') {
        ++at_;
        return rules_.chars({{0, 0x10FFFF}});
    }
    if (c == '(') {
        ++at_;
        skip_blanks(true);
        const Expr inner = alternatives(depth + 1);
        if (!take(')')) expected("\")\"");
        return inner;
    }
    if (!is_word(c)) return std::nullopt;
    const size_t begin = at_;
    const auto rule = rules_.declare(name());
    if (!rules_.is_defined(rule)) used_.emplace_back(rule, begin);
    return rules_.call(rule);
}

uint32_t Parser::number() {
    uint64_t n = 0;
    const size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') {
        n = n * 10 + uint64_t(text_[at_++] - '0');
        if (n > max_count)
            fail(ErrorCode::invalid_argument, "the grammar, {}: expected a repetition of at most {}",
                 place(begin), max_count);
    }
    if (at_ == begin) expected("a number");
    return uint32_t(n);
}

Expr Parser::repeated(Expr what) {
    if (take('*')) return rules_.repeat(what, 0, GrammarRules::unlimited);
    if (take('+')) return rules_.repeat(what, 1, GrammarRules::unlimited);
    if (take('?')) return rules_.repeat(what, 0, 1);
    const size_t begin = at_++;
    skip_blanks(true);
    const bool open_start = peek() == ',';
    const uint32_t min = open_start ? 0 : number();
    uint32_t max = min;
    skip_blanks(true);
    if (take(',')) {
        skip_blanks(true);
        max = !open_start && peek() == '}' ? GrammarRules::unlimited : number();
        skip_blanks(true);
    }
    if (!take('}')) expected("\"}\"");
    if (min > max)
        fail(ErrorCode::invalid_argument, "the grammar, {}: expected a repetition {{m,n}} with m at most n",
             place(begin));
    return rules_.repeat(what, min, max);
}

Expr Parser::literal() {
    const size_t begin = at_++;
    std::string bytes;
    while (!take('"')) {
        if (at_end() || peek() == '\n') {
            at_ = begin;
            expected("a literal that ends with \" on its line");
        }
        append_utf8(bytes, character());
    }
    return rules_.literal(bytes);
}

Expr Parser::char_class() {
    const size_t begin = at_++;
    const bool negated = take('^');
    std::vector<CharRange> ranges;
    while (!take(']')) {
        if (at_end() || peek() == '\n') {
            at_ = begin;
            expected("a class that ends with ] on its line");
        }
        const char32_t first = character();
        char32_t last = first;
        if (peek() == '-' && peek(1) != ']') {
            ++at_;
            if (at_end() || peek() == '\n') continue;
            last = character();
        }
        if (first > last) {
            at_ = begin;
            expected("ranges a-b in a class with a not above b");
        }
        ranges.push_back({first, last});
    }
    return rules_.chars(negated ? complement(std::move(ranges)) : std::move(ranges));
}

/// The text is valid UTF-8.
char32_t Parser::character() {
    if (peek() == '\\') return escape();
    const auto byte = [&] { return char32_t(uint8_t(text_[at_++])); };
    const char32_t lead = byte();
    if (lead < 0x80) return lead;
    const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t c = lead & (0x3F >> more);
    for (int i = 0; i < more; ++i) c = c << 6 | (byte() & 63);
    return c;
}

char32_t Parser::escape() {
    const size_t begin = at_++;
    const char kind = peek();
    ++at_;
    switch (kind) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case '\\':
        case '"':
        case '[':
        case ']':
        case '-':
        case '^':
            return char32_t(kind);
        default:
            break;
    }
    const int digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    uint64_t c = 0;
    for (int i = 0; i < digits; ++i) {
        const auto digit = hex_digit(peek());
        if (!digit) expected(fmt::format("{} hexadecimal digits", digits));
        c = c << 4 | *digit;
        ++at_;
    }
    if (digits == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
        at_ = begin;
        expected("one of the escapes \\n \\r \\t \\\\ \\\" \\[ \\] \\xHH \\uHHHH \\UHHHHHHHH of a character");
    }
    return char32_t(c);
}

Expr Parser::control_token() {
    const size_t end = std::min(text_.find('>', at_), text_.find('\n', at_));
    if (end == std::string_view::npos || text_[end] != '>' || peek(1) == '[')
        expected("a control token's name such as <|python_tag|>");
    const std::string_view token = text_.substr(at_, end + 1 - at_);
    at_ = end + 1;
    return rules_.control(token);
}

}  // namespace

GrammarRules parse_gbnf(std::string_view text) {
    return Parser(text).parse();
}

}  // namespace sluice
