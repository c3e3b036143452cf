#include "text/grammar/rules.h"

#include <algorithm>
#include <utility>

#include "core/fail.h"

namespace sluice {

namespace {

constexpr uint64_t max_size = 2'000'000;
constexpr char32_t last_char = 0x10FFFF, first_surrogate = 0xD800, last_surrogate = 0xDFFF;

}  // namespace

std::vector<CharRange> normalised(std::vector<CharRange> ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const CharRange& a, const CharRange& b) { return a.first < b.first; });
    std::vector<CharRange> merged;
    for (const CharRange& r : ranges) {
        if (r.first > r.last) continue;
        if (!merged.empty() && r.first <= merged.back().last + 1)
            merged.back().last = std::max(merged.back().last, r.last);
        else
            merged.push_back(r);
    }
    std::vector<CharRange> out;
    for (const CharRange& r : merged) {
        const CharRange below{r.first, std::min<char32_t>(r.last, first_surrogate - 1)};
        const CharRange above{std::max<char32_t>(r.first, last_surrogate + 1), std::min(r.last, last_char)};
        if (below.first <= below.last) out.push_back(below);
        if (above.first <= above.last) out.push_back(above);
    }
    return out;
}

std::vector<CharRange> complement(std::vector<CharRange> ranges) {
    std::vector<CharRange> out;
    char32_t next = 0;
    for (const CharRange& r : normalised(std::move(ranges))) {
        if (r.first > next) out.push_back({next, r.first - 1});
        next = r.last + 1;
    }
    if (next <= last_char) out.push_back({next, last_char});
    return normalised(std::move(out));
}

GrammarRules::Expr GrammarRules::push(Node node) {
    size_ += 1 + node.children.size() + node.ranges.size() + node.text.size();
    if (size_ > max_size)
        fail(ErrorCode::out_of_budget,
             "the grammar is too large: its rules have more than {} parts; simplify it", max_size);
    nodes_.push_back(std::move(node));
    return Expr(nodes_.size() - 1);
}

GrammarRules::Expr GrammarRules::literal(std::string_view bytes) {
    return push({.kind = Kind::literal, .text = std::string(bytes)});
}

GrammarRules::Expr GrammarRules::chars(std::vector<CharRange> ranges) {
    return push({.kind = Kind::chars, .ranges = normalised(std::move(ranges))});
}

GrammarRules::Expr GrammarRules::any_of(std::string_view ascii) {
    std::vector<CharRange> ranges;
    for (const char c : ascii) ranges.push_back({char32_t(uint8_t(c)), char32_t(uint8_t(c))});
    return chars(std::move(ranges));
}

GrammarRules::Expr GrammarRules::sequence(std::vector<Expr> parts) {
    if (parts.size() == 1) return parts[0];
    return push({.kind = Kind::sequence, .children = std::move(parts)});
}

GrammarRules::Expr GrammarRules::choice(std::vector<Expr> alternatives) {
    if (alternatives.size() == 1) return alternatives[0];
    return push({.kind = Kind::choice, .children = std::move(alternatives)});
}

GrammarRules::Expr GrammarRules::repeat(Expr what, uint32_t min, uint32_t max) {
    return push({.kind = Kind::repeat, .min = min, .max = max, .children = {what}});
}

GrammarRules::Expr GrammarRules::call(Rule rule) {
    return push({.kind = Kind::call, .rule = rule});
}

GrammarRules::Expr GrammarRules::until(std::string_view text) {
    return push({.kind = Kind::until, .text = std::string(text)});
}

GrammarRules::Expr GrammarRules::control(std::string_view token_name) {
    return push({.kind = Kind::control, .text = std::string(token_name)});
}

GrammarRules::Rule GrammarRules::declare(std::string_view name) {
    const auto [it, is_new] = names_.emplace(std::string(name), Rule(rules_.size()));
    if (is_new) {
        ++size_;
        rules_.push_back({.name = std::string(name)});
    }
    return it->second;
}

GrammarRules::Rule GrammarRules::add(Expr body) {
    ++size_;
    rules_.push_back({.name = {}, .body = body, .defined = true});
    return Rule(rules_.size() - 1);
}

void GrammarRules::define(Rule rule, Expr body) {
    rules_[rule].body = body;
    rules_[rule].defined = true;
}

}  // namespace sluice
