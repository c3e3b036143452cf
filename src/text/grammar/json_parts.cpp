#include "text/grammar/json_parts.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;
using Expr = GrammarRules::Expr;

std::vector<CharRange> must_be_escaped() {
    return {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}};
}

std::string text_of(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Characters of valid UTF-8.
std::vector<char32_t> code_points(std::string_view text) {
    std::vector<char32_t> out;
    for (size_t i = 0; i < text.size();) {
        const uint8_t lead = uint8_t(text[i++]);
        const int more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        char32_t c = more == 0 ? lead : lead & (0x3F >> more);
        for (int k = 0; k < more && i < text.size(); ++k) c = c << 6 | (uint8_t(text[i++]) & 63);
        out.push_back(c);
    }
    return out;
}

}  // namespace

/// A rule made at first use; what is given out is a call of it.
template <typename Make>
Expr JsonParts::shared(const char* name, Make make) {
    if (const auto it = shared_.find(name); it != shared_.end()) return it->second;
    const GrammarRules::Rule rule = rules_.add(0);
    const Expr call = rules_.call(rule);
    shared_.emplace(name, call);  // first: values contain themselves
    rules_.define(rule, make());
    return call;
}

Expr JsonParts::space() {
    return shared("space", [&] {
        GrammarRules& r = rules_;
        const Expr lines = r.sequence({r.repeat(r.literal("\n"), 1, 2), r.repeat(r.any_of(" \t"), 0, 20)});
        return r.optional(r.choice({r.literal(" "), lines}));
    });
}

Expr JsonParts::one_character() {
    if (const auto it = shared_.find("character"); it != shared_.end()) return it->second;
    GrammarRules& r = rules_;
    const std::vector<CharRange> digits{{'0', '9'}, {'a', 'f'}, {'A', 'F'}};
    const Expr hex = r.chars(digits);
    const Expr d = r.any_of("dD");
    const auto hexes = [&](uint32_t n) { return r.repeat(hex, n, n); };
    // \uD800 to \uDFFF only as pairs: alone they are no character, and JSON parsers refuse them.
    const Expr unit = r.choice(
        {r.sequence({r.chars({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}), hexes(3)}),
         r.sequence({d, r.chars({{'0', '7'}}), hexes(2)}),
         r.sequence({d, r.chars({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), hexes(2), r.literal("\\u"), d,
                     r.chars({{'c', 'f'}, {'C', 'F'}}), hexes(2)})});
    const Expr escape =
        r.sequence({r.literal("\\"), r.choice({r.any_of("\"\\/bfnrt"), r.sequence({r.literal("u"), unit})})});
    const Expr character = r.choice({r.chars(complement(must_be_escaped())), escape});
    shared_.emplace("character", character);
    return character;
}

Expr JsonParts::quoted(Expr contents) {
    return rules_.sequence({rules_.literal("\""), contents, rules_.literal("\"")});
}

Expr JsonParts::string(uint32_t min, uint32_t max) {
    if (const auto it = strings_.find({min, max}); it != strings_.end()) return it->second;
    const Expr call = rules_.call(rules_.add(quoted(rules_.repeat(one_character(), min, max))));
    strings_.emplace(std::pair(min, max), call);
    return call;
}

Expr JsonParts::characters(const std::vector<CharRange>& ranges) {
    static constexpr std::pair<char, const char*> escapes[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"},
                                                               {'\f', "\\f"}, {'\n', "\\n"},  {'\r', "\\r"},
                                                               {'\t', "\\t"}};
    std::vector<CharRange> plain = complement(ranges), escaped = must_be_escaped();
    plain.insert(plain.end(), escaped.begin(), escaped.end());
    std::vector<Expr> all{rules_.chars(complement(std::move(plain)))};
    for (const CharRange& r : ranges)
        for (const auto& [c, text] : escapes)
            if (r.first <= char32_t(c) && char32_t(c) <= r.last) all.push_back(rules_.literal(text));
    return rules_.choice(std::move(all));
}

/// The rest of a string, its end included: a rule that does not end before it, so that what it allows does
/// not depend on where it stands.
Expr JsonParts::string_rest() {
    return shared("string rest", [&] {
        return rules_.sequence(
            {rules_.repeat(one_character(), 0, GrammarRules::unlimited), rules_.literal("\"")});
    });
}

/// A tree of the names: where a key has left it, anything goes. As long as it follows a name, no escapes:
/// they could spell the name.
Expr JsonParts::other_key(const std::vector<std::string>& names) {
    struct Branch {
        std::map<char32_t, size_t> next;
        bool is_name = false;
    };
    std::vector<Branch> tree(1);
    for (const auto& name : names) {
        size_t at = 0;
        for (const char32_t c : code_points(name)) {
            const auto [it, is_new] = tree[at].next.emplace(c, tree.size());
            at = it->second;
            if (is_new) tree.emplace_back();
        }
        tree[at].is_name = true;
    }
    // Branches come after those they grow from: backwards, each is a rule of its own.
    std::vector<Expr> rest(tree.size());
    for (size_t i = tree.size(); i-- > 0;) {
        std::vector<CharRange> taken = must_be_escaped();
        std::vector<Expr> ways;
        for (const auto& [c, next] : tree[i].next) {
            taken.push_back({c, c});
            const std::vector<CharRange> one{{c, c}};
            ways.push_back(rules_.sequence({characters(one), rest[next]}));
        }
        ways.push_back(rules_.sequence({rules_.chars(complement(std::move(taken))), string_rest()}));
        if (!tree[i].is_name) ways.push_back(rules_.literal("\""));
        rest[i] = rules_.call(rules_.add(rules_.choice(std::move(ways))));
    }
    return rules_.sequence({rules_.literal("\""), rest[0]});
}

Expr JsonParts::integer() {
    return shared("integer", [&] {
        GrammarRules& r = rules_;
        const Expr digits = r.repeat(r.chars({{'0', '9'}}), 0, 15);
        const Expr positive = r.sequence({r.chars({{'1', '9'}}), digits});
        return r.choice({r.literal("0"), r.sequence({r.optional(r.literal("-")), positive})});
    });
}

Expr JsonParts::number() {
    return shared("number", [&] {
        GrammarRules& r = rules_;
        const Expr digit = r.chars({{'0', '9'}});
        const Expr whole =
            r.choice({r.literal("0"), r.sequence({r.chars({{'1', '9'}}), r.repeat(digit, 0, 15)})});
        const Expr fraction = r.sequence({r.literal("."), r.repeat(digit, 1, 16)});
        // Up to e99: what a double holds.
        const Expr exponent = r.sequence({r.any_of("eE"), r.optional(r.any_of("+-")), r.repeat(digit, 1, 2)});
        return r.sequence({r.optional(r.literal("-")), whole, r.optional(fraction), r.optional(exponent)});
    });
}

Expr JsonParts::boolean() {
    return shared("boolean", [&] {
        return rules_.choice({rules_.literal("true"), rules_.literal("false")});
    });
}

Expr JsonParts::null() {
    return rules_.literal("null");
}

Expr JsonParts::any_value() {
    return shared("value", [&] {
        return rules_.choice({any_object(), any_array(), string(), number(), boolean(), null()});
    });
}

Expr JsonParts::any_object() {
    return shared("object", [&] {
        const Expr one = member(string(), any_value());
        const Expr more = rules_.repeat(rules_.sequence({comma(), one}), 0, GrammarRules::unlimited);
        return braces(rules_.sequence({one, more}), true);
    });
}

Expr JsonParts::any_array() {
    return shared("array", [&] {
        const Expr one = any_value();
        const Expr more = rules_.repeat(rules_.sequence({comma(), one}), 0, GrammarRules::unlimited);
        return braces(rules_.sequence({one, more}), true, "[", "]");
    });
}

Expr JsonParts::member(Expr key, Expr value) {
    return rules_.sequence({key, rules_.literal(":"), space(), value});
}

Expr JsonParts::comma() {
    return rules_.sequence({rules_.literal(","), space()});
}

Expr JsonParts::braces(std::optional<Expr> members, bool may_be_empty, std::string_view open,
                       std::string_view close) {
    GrammarRules& r = rules_;
    std::vector<Expr> parts{r.literal(open), space()};
    if (members) {
        const Expr inside = r.sequence({*members, space()});
        parts.push_back(may_be_empty ? r.optional(inside) : inside);
    }
    parts.push_back(r.literal(close));
    return r.sequence(std::move(parts));
}

Expr JsonParts::value(const Json& value) {
    if (!value.is_structured()) return rules_.literal(text_of(value));
    std::vector<Expr> parts;
    for (const auto& [key, item] : value.items()) {
        if (!parts.empty()) parts.push_back(comma());
        parts.push_back(value.is_object() ? member(rules_.literal(text_of(key)), this->value(item))
                                          : this->value(item));
    }
    std::optional<Expr> members;
    if (!parts.empty()) members = rules_.sequence(std::move(parts));
    return value.is_object() ? braces(members, false) : braces(members, false, "[", "]");
}

}  // namespace sluice
