// Rules of a grammar as data: what the GBNF parser and the JSON schema translation build, and what becomes an
// automaton (automaton.h). Expressions live in one arena and name each other by index, so that hostile input
// costs no recursion in destructors and every size is one number that can be checked.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice {

/// Code points, both ends included.
struct CharRange {
    char32_t first = 0, last = 0;
};
/// Sorted, without overlaps, surrogates left out.
std::vector<CharRange> normalised(std::vector<CharRange> ranges);
/// All code points that are not in `ranges`.
std::vector<CharRange> complement(std::vector<CharRange> ranges);

class GrammarRules {
  public:
    using Expr = uint32_t;
    using Rule = uint32_t;
    static constexpr uint32_t unlimited = UINT32_MAX;

    enum class Kind : uint8_t {
        literal,   // these bytes
        chars,     // one code point of the ranges; none: nothing matches
        sequence,  // one after the other; none: the empty text
        choice,    // any one of them
        repeat,    // children[0], from min to max times
        call,      // the rule `rule`
        until,     // any bytes up to and with the first occurrence of `text`
        control,   // the control token with this name, as one token and never as text (vocabulary.h)
    };
    struct Node {
        Kind kind = Kind::sequence;
        uint32_t min = 0, max = 0;
        Rule rule = 0;
        std::string text{};
        std::vector<CharRange> ranges{};
        std::vector<Expr> children{};
    };
    struct Definition {
        std::string name{};
        Expr body = 0;
        bool defined = false;
    };

    Expr literal(std::string_view bytes);
    Expr chars(std::vector<CharRange> ranges);
    Expr any_of(std::string_view ascii);
    Expr sequence(std::vector<Expr> parts);
    Expr choice(std::vector<Expr> alternatives);
    Expr repeat(Expr what, uint32_t min, uint32_t max);
    Expr optional(Expr what) { return repeat(what, 0, 1); }
    Expr call(Rule rule);
    Expr until(std::string_view text);
    Expr control(std::string_view token_name);

    /// The rule of that name, made if there is none; it must be defined before the grammar is compiled.
    Rule declare(std::string_view name);
    /// A rule without a name of its own.
    Rule add(Expr body);
    void define(Rule rule, Expr body);
    bool is_defined(Rule rule) const { return rules_[rule].defined; }

    const Node& node(Expr e) const { return nodes_[e]; }
    const std::vector<Node>& nodes() const { return nodes_; }
    const std::vector<Definition>& rules() const { return rules_; }
    /// Where matching begins.
    Rule root = 0;

  private:
    Expr push(Node node);

    std::vector<Node> nodes_;  // children come before their parents
    std::vector<Definition> rules_;
    std::unordered_map<std::string, Rule> names_;
    uint64_t size_ = 0;  // nodes, children, ranges, bytes: what memory is spent on
};

}  // namespace sluice
