#include "text/grammar/json_pattern.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/fail.h"

namespace sluice {

namespace {

using Expr = GrammarRules::Expr;
using Ranges = std::vector<CharRange>;

constexpr uint32_t max_groups = 100;
constexpr uint32_t max_repeats = 1'000'000;

const Ranges digit_chars{{'0', '9'}};
const Ranges word{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges blank_chars{{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                         {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                         {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const Ranges line_end{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class PatternParser {
  public:
    PatternParser(GrammarRules& rules, JsonParts& parts, std::string_view pattern, std::string_view where)
        : rules_(rules), parts_(parts), text_(pattern), where_(where) {}

    Expr parse() {
        const Expr whole = alternatives(0, true, true);
        if (at_ < text_.size()) broken("an unmatched )");
        return whole;
    }

  private:
    char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    bool at_end() const { return at_ >= text_.size(); }
    bool take(std::string_view s) {
        if (!text_.substr(at_).starts_with(s)) return false;
        at_ += s.size();
        return true;
    }
    [[noreturn]] void broken(std::string_view what) const {
        fail(ErrorCode::invalid_argument, "{}: expected a regular expression, found {} in \"{}\"", where_,
             what, text_);
    }
    [[noreturn]] void unsupported(std::string_view what) const {
        fail(ErrorCode::unsupported,
             "{}: \"{}\" uses {}, which a grammar cannot follow; write the pattern without it", where_, text_,
             what);
    }

    Expr anything() { return rules_.repeat(parts_.one_character(), 0, GrammarRules::unlimited); }
    Expr alternatives(uint32_t depth, bool begins, bool ends);
    Expr alternative(uint32_t depth, bool begins, bool ends);
    Expr item(uint32_t depth, bool begins, bool ends);
    Expr group(uint32_t depth, bool begins, bool ends);
    bool group_ends_pattern() const;
    Expr repeated(Expr what);
    std::optional<std::pair<uint32_t, uint32_t>> braces();
    Ranges char_class();
    Ranges class_escape();
    char32_t character();
    char32_t hex(int length);

    GrammarRules& rules_;
    JsonParts& parts_;
    std::string_view text_, where_;
    size_t at_ = 0;
};

Expr PatternParser::alternatives(uint32_t depth, bool begins, bool ends) {
    if (depth > max_groups) broken("more than 100 nested groups");
    std::vector<Expr> all{alternative(depth, begins, ends)};
    while (take("|")) all.push_back(alternative(depth, begins, ends));
    return rules_.choice(std::move(all));
}

/// begins, ends: whether the alternative begins or ends the whole pattern. There ^ and $ mean something, and
/// where they are missing anything may stand.
Expr PatternParser::alternative(uint32_t depth, bool begins, bool ends) {
    std::vector<Expr> items;
    bool inner_begins = false, inner_ends = false;  // a group took over the side
    if (begins && peek() == '(' && !text_.substr(at_).starts_with("(?=") &&
        !text_.substr(at_).starts_with("(?!"))
        inner_begins = true;
    bool anchored = false;
    while (take("^")) anchored = true;
    if (anchored && !begins) unsupported("^ in the middle");
    bool ended = false, first = true;
    while (!at_end() && peek() != '|' && peek() != ')') {
        if (take("$")) {
            if (!ends || (!at_end() && peek() != '|' && peek() != ')' && peek() != '$'))
                unsupported("$ in the middle");
            ended = true;
            continue;
        }
        if (peek() == '^') unsupported("^ in the middle");
        const bool group_begins = first && inner_begins && group_ends_pattern();
        if (first && inner_begins && !group_begins) inner_begins = false;
        inner_ends = group_begins && ends;
        items.push_back(item(depth, group_begins && begins, group_begins && ends));
        first = false;
    }
    if (begins && !anchored && !inner_begins) items.insert(items.begin(), anything());
    if (ends && !ended && !inner_ends) items.push_back(anything());
    return rules_.sequence(std::move(items));
}

/// Whether the group that begins here is all of its alternative, so that ^ and $ inside are at its ends.
bool PatternParser::group_ends_pattern() const {
    size_t depth = 0;
    bool in_class = false;
    for (size_t i = at_; i < text_.size(); ++i) {
        const char c = text_[i];
        if (c == '\\') {
            ++i;
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
        } else if (c == '(') {
            ++depth;
        } else if (c == ')' && --depth == 0) {
            return i + 1 == text_.size() || text_[i + 1] == '|' || text_[i + 1] == ')';
        }
    }
    return false;
}

Expr PatternParser::item(uint32_t depth, bool begins, bool ends) {
    const char c = peek();
    if (c == '(') return repeated(group(depth, begins, ends));
    if (c == '*' || c == '+' || c == '?') broken(fmt::format("\"{}\" with nothing before it", c));
    if (c == '[') return repeated(parts_.characters(char_class()));
    if (c == '.') {
        ++at_;
        return repeated(parts_.characters(complement(line_end)));
    }
    if (c == '\\') return repeated(parts_.characters(class_escape()));
    const char32_t one = character();
    return repeated(parts_.characters({{one, one}}));
}

Expr PatternParser::group(uint32_t depth, bool begins, bool ends) {
    ++at_;
    if (take("?<") && peek() != '=' && peek() != '!') {
        const size_t end = text_.find('>', at_);
        if (end == std::string_view::npos) broken("a group's name without its end");
        at_ = end + 1;
    } else if (text_[at_ - 1] == '<' || (!take("?:") && peek() == '?')) {
        unsupported("a lookaround or flags");
    }
    const Expr inner = alternatives(depth + 1, begins, ends);
    if (!take(")")) broken("a group without its )");
    return inner;
}

Expr PatternParser::repeated(Expr what) {
    for (int n = 0;; ++n) {
        std::optional<std::pair<uint32_t, uint32_t>> times;
        if (take("*"))
            times = {0, GrammarRules::unlimited};
        else if (take("+"))
            times = {1, GrammarRules::unlimited};
        else if (take("?"))
            times = {0, 1};
        else if (peek() == '{')
            times = braces();
        if (!times) return what;
        if (n > 0) broken("two repetitions in a row");
        take("?");  // lazy: the same texts match
        if (peek() == '+') unsupported("a possessive repetition");
        what = rules_.repeat(what, times->first, times->second);
    }
}

/// {n}, {n,}, {n,m}; anything else is text, as browsers take it.
std::optional<std::pair<uint32_t, uint32_t>> PatternParser::braces() {
    size_t i = at_ + 1;
    const auto number = [&]() -> std::optional<uint32_t> {
        const size_t begin = i;
        uint64_t n = 0;
        for (; i < text_.size() && text_[i] >= '0' && text_[i] <= '9'; ++i) {
            n = n * 10 + uint64_t(text_[i] - '0');
            if (n > max_repeats) broken("a repetition above 1,000,000");
        }
        if (i == begin) return std::nullopt;
        return uint32_t(n);
    };
    const auto min = number();
    if (!min || i >= text_.size()) return std::nullopt;
    uint32_t max = *min;
    if (text_[i] == ',') {
        ++i;
        max = number().value_or(GrammarRules::unlimited);
    }
    if (i >= text_.size() || text_[i] != '}') return std::nullopt;
    if (*min > max) broken("a repetition {n,m} with n above m");
    at_ = i + 1;
    return std::pair(*min, max);
}

Ranges PatternParser::char_class() {
    ++at_;
    const bool negated = take("^");
    Ranges all;
    while (!take("]")) {
        if (at_end()) broken("a class without its ]");
        Ranges one;
        if (peek() == '\\') {
            one = class_escape();
        } else {
            const char32_t c = character();
            one = {{c, c}};
        }
        const bool single = one.size() == 1 && one[0].first == one[0].last;
        if (single && peek() == '-' && peek(1) != ']' && at_ + 1 < text_.size()) {
            ++at_;
            Ranges last;
            if (peek() == '\\') {
                last = class_escape();
            } else {
                const char32_t c = character();
                last = {{c, c}};
            }
            if (last.size() != 1 || last[0].first != last[0].last || last[0].first < one[0].first)
                broken("a range a-b in a class with a above b");
            one[0].last = last[0].last;
        }
        all.insert(all.end(), one.begin(), one.end());
    }
    return negated ? complement(std::move(all)) : normalised(std::move(all));
}

Ranges PatternParser::class_escape() {
    ++at_;
    if (at_end()) broken("a \\ at the end");
    const char c = text_[at_];
    const auto one = [&](char32_t value) {
        ++at_;
        return Ranges{{value, value}};
    };
    const auto all = [&](const Ranges& ranges, bool negated) {
        ++at_;
        return negated ? complement(ranges) : ranges;
    };
    const auto numbered = [&](int length) {
        ++at_;
        const char32_t value = hex(length);
        return Ranges{{value, value}};
    };
    switch (c) {
        case 'd':
        case 'D':
            return all(digit_chars, c == 'D');
        case 'w':
        case 'W':
            return all(word, c == 'W');
        case 's':
        case 'S':
            return all(blank_chars, c == 'S');
        case 'n':
            return one('\n');
        case 't':
            return one('\t');
        case 'r':
            return one('\r');
        case 'f':
            return one('\f');
        case 'v':
            return one('\v');
        case '0':
            return one(0);
        case 'x':
            return numbered(2);
        case 'u':
            return numbered(peek(1) == '{' ? 0 : 4);
        case 'c':
            ++at_;
            return one(char32_t(peek()) & 31);
        case 'b':
        case 'B':
            unsupported("a word boundary");
        case 'p':
        case 'P':
            unsupported("a Unicode property");
        case 'k':
            unsupported("a back reference");
        default:
            if (c >= '1' && c <= '9') unsupported("a back reference");
            if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) broken(fmt::format("the escape \\{}", c));
            const char32_t value = character();
            return {{value, value}};
    }
}

/// length 0: in braces.
char32_t PatternParser::hex(int length) {
    const bool braced = length == 0 && take("{");
    char32_t value = 0;
    for (int i = 0; braced ? peek() != '}' : i < length; ++i) {
        const char c = peek();
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0 || value > 0x10FFFF) broken("an escape without its hexadecimal digits");
        value = value << 4 | char32_t(digit);
        ++at_;
    }
    if (braced) take("}");
    return value;
}

/// The pattern is valid UTF-8: it comes from a JSON parser.
char32_t PatternParser::character() {
    const auto byte = [&] { return at_ < text_.size() ? char32_t(uint8_t(text_[at_++])) : char32_t('?'); };
    const char32_t lead = byte();
    if (lead < 0xC0) return lead;
    const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t c = lead & (0x3F >> more);
    for (int i = 0; i < more; ++i) c = c << 6 | (byte() & 63);
    return c;
}

struct Format {
    std::string name, pattern;
};

/// Dates of the calendar (RFC 3339), 29 February in leap years alone.
std::string date() {
    const std::string leap_year =
        "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
    return "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|"
           "02-(?:0[1-9]|1\\d|2[0-8]))|" +
           leap_year + "-02-29)";
}

std::string ipv6() {
    const std::string h = "[0-9a-fA-F]{1,4}";
    std::string all = "(?:" + h + ":){7}" + h + "|(?:" + h + ":){1,7}:|:(?:(?::" + h + "){1,7}|:)";
    for (int before = 1; before <= 6; ++before)
        all += fmt::format("|(?:{}:){{1,{}}}(?::{}){{1,{}}}", h, before, h, 7 - before);
    return "(?:" + all + ")";
}

/// RFC 3986, hosts being names or IPv4: a port is digits, and there is one fragment.
std::string uri() {
    const std::string in_host = "[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}", in_path = in_host + "|[:@]",
                      in_query = in_path + "|[/?]";
    const auto repeated = [](const std::string& one, const char* times) { return "(?:" + one + ")" + times; };
    const std::string segments = repeated("/" + repeated(in_path, "{0,200}"), "{0,20}");
    return "[A-Za-z][A-Za-z0-9+.-]{0,20}:(?://" + repeated(in_host, "{1,200}") + "(?::\\d{1,5})?" + segments +
           "|/?" + repeated(in_path, "{1,200}") + segments + ")" +
           repeated("\\?" + repeated(in_query, "{0,1000}"), "?") +
           repeated("#" + repeated(in_query, "{0,200}"), "?");
}

std::vector<Format> make_formats() {
    const std::string hour = "(?:[01]\\d|2[0-3])", sixty = "[0-5]\\d";
    const std::string time =
        hour + ":" + sixty + ":" + sixty + "(?:\\.\\d{1,9})?(?:Z|[+-]" + hour + ":" + sixty + ")";
    const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    const std::string short_label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,28}[A-Za-z0-9])?";
    const std::string octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
    const std::string clock = "T(?:\\d{1,9}H(?:\\d{1,9}M)?(?:\\d{1,9}S)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S)";
    const std::string days = "\\d{1,9}D(?:" + clock + ")?", months = "\\d{1,9}M(?:" + days + ")?";
    std::vector<Format> all{
        {"date", date()},
        {"time", time},
        {"date-time", date() + "T" + time},
        {"duration", "P(?:\\d{1,9}W|\\d{1,9}Y(?:" + months + ")?|" + months + "|" + days + "|" + clock + ")"},
        {"uuid", "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"},
        // At most 64 characters before the @, and 254 in all.
        {"email", "[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,15}){0,2}@" + short_label + "(?:\\." +
                      short_label + "){1,5}"},
        // At most 253 characters.
        {"hostname", label + "(?:\\." + short_label + "){0,6}"},
        {"ipv4", "(?:" + octet + "\\.){3}" + octet},
        {"ipv6", ipv6()},
        {"uri", uri()},
    };
    for (Format& f : all) f.pattern = "^(?:" + f.pattern + ")$";
    return all;
}

}  // namespace

Expr pattern_contents(GrammarRules& rules, JsonParts& parts, std::string_view pattern,
                      std::string_view where) {
    return PatternParser(rules, parts, pattern, where).parse();
}

std::string_view format_pattern(std::string_view format) {
    static const std::vector<Format> formats = make_formats();
    const auto it =
        std::find_if(formats.begin(), formats.end(), [&](const Format& f) { return f.name == format; });
    return it == formats.end() ? std::string_view() : it->pattern;
}

}  // namespace sluice
