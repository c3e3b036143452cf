// GBNF grammars, read and followed byte by byte.
#include "text/grammar/gbnf.h"

#include <chrono>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "text/grammar/parse.h"

namespace sluice {
namespace {

std::shared_ptr<const Automaton> compiled(const std::string& grammar) {
    return std::make_shared<const Automaton>(parse_gbnf(grammar));
}

enum class Fit { whole, beginning, none };  // beginning: more must follow

Fit fit(const std::shared_ptr<const Automaton>& a, std::string_view text,
        GrammarStart start = GrammarStart::answer) {
    Parse p(a, start);
    for (const char c : text) {
        if (!p.advance(uint8_t(c))) return Fit::none;
        p.forget_past();
    }
    return p.complete() ? Fit::whole : Fit::beginning;
}

struct Case {
    const char* grammar;
    std::vector<const char*> whole, beginnings, none;
};

void expect(const Case& c) {
    SCOPED_TRACE(c.grammar);
    const auto a = compiled(c.grammar);
    for (const char* t : c.whole) EXPECT_EQ(fit(a, t), Fit::whole) << t;
    for (const char* t : c.beginnings) EXPECT_EQ(fit(a, t), Fit::beginning) << t;
    for (const char* t : c.none) EXPECT_EQ(fit(a, t), Fit::none) << t;
}

TEST(Gbnf, ReadsWhatLlamaCppReads) {
    expect({"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "ye", "n"}, {"x", "yess", "nope"}});
    expect({"root ::= [a-c]+ \"!\"?", {"a", "abc!"}, {""}, {"d", "a!!"}});
    expect({"# comment\nroot ::= item (\n  \",\" item # inner\n)*\nitem ::= [^,\\n]\n",
            {"a", "a,b,c", "é,\xF0\x9F\x98\x80"},
            {"a,", "\xC3", "a,\xF0\x9F\x98"},
            {"aa", "\n", "\xFF", "\xC3("}});
    expect({"root ::= \"\\x41\\u00e9\\U0001F600\\\\\\\"\\n\\t\\r\"", {"Aé😀\\\"\n\t\r"}, {"A"}, {"a"}});
    expect({"root ::= [\\]\\[\\-^-]{2}", {"[]", "-^"}, {"["}, {"[]-"}});
    expect({"root ::= .", {"a", "\n", "😀"}, {"\xE2\x82"}, {"ab"}});
    expect({"root ::= a b\na ::= \"x\"*\nb ::= \"y\"?", {"", "x", "xxy", "y"}, {}, {"yx", "yy"}});
    expect({"root ::= |\n \"a\" |\n \"b\"", {"", "a", "b"}, {}, {"c", "ab"}});
    expect({"root-1 ::= \"a\"\nroot ::= root-1 root-1", {"aa"}, {"a"}, {"aaa"}});
    expect({"root ::= (\"a\" | (\"b\" \"c\"?)){2,3}", {"ab", "bcbc", "aaa"}, {"a", "bc"}, {"aaaa", "c"}});
    expect({"root ::= \"a\"{2} \"b\"{,2} \"c\"{1,}", {"aac", "aabbcccc"}, {"aabb", "aa"}, {"aabbb", "ab"}});
    expect({"root ::= \"a\"{0} \"b\"", {"b"}, {""}, {"a"}});
    expect({"root ::= [a-z] [^a-z]", {"a1"}, {"b"}, {"ab", "1"}});
}

TEST(Gbnf, CountsLongRepetitionsWithoutUnrollingThem) {
    const auto a = compiled("root ::= \"<\" ([a-z] | \"é\"){3,100000} \">\"");
    EXPECT_LT(a->size(), 100u);
    EXPECT_EQ(fit(a, "<abc>"), Fit::whole);
    EXPECT_EQ(fit(a, "<ab>"), Fit::none);
    EXPECT_EQ(fit(a, "<" + std::string(100000, 'x') + ">"), Fit::whole);
    EXPECT_EQ(fit(a, "<" + std::string(100001, 'x')), Fit::none);

    const auto endless = compiled("root ::= (\"ab\" | \"c\"){1000,}");
    EXPECT_EQ(fit(endless, std::string(999, 'c')), Fit::beginning);
    EXPECT_EQ(fit(endless, std::string(1000, 'c')), Fit::whole);
    EXPECT_EQ(fit(endless, std::string(3000, 'c')), Fit::whole);

    // Repetitions of repetitions, and of what may be empty.
    const auto nested = compiled("root ::= ((\"a\" \"b\"?){50} \";\"?){100} \".\"");
    std::string text;
    for (int i = 0; i < 100; ++i) text += std::string(50, 'a') + (i % 2 ? ";" : "");
    EXPECT_EQ(fit(nested, text + "."), Fit::whole);
    EXPECT_EQ(fit(nested, text + "a"), Fit::none);
    expect({"root ::= (\"a\"*){500} \"b\"", {"b", "aaab"}, {"", "aa"}, {"ba"}});
}

TEST(Gbnf, LeftRecursionIsFine) {
    expect({"root ::= root \"+\" term | term\nterm ::= [0-9] | \"(\" root \")\"",
            {"1", "1+2+3", "(1+2)+(3)"},
            {"1+", "(1", ""},
            {"+", "1++", "1)"}});
    expect({"root ::= a \"x\" | \"x\"\na ::= b root\nb ::= \"y\"?", {"x", "xx", "yxx"}, {"y", "yy"}, {"z"}});
    expect({"root ::= root | \"a\"", {"a"}, {""}, {"aa"}});
}

TEST(Gbnf, AmbiguityStaysPolynomial) {
    const auto a = compiled("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"a\" root \"b\" \"\" | \"a\"");
    EXPECT_EQ(fit(a, std::string(300, 'a') + std::string(299, 'c')), Fit::whole);
    EXPECT_EQ(fit(a, std::string(300, 'a') + std::string(300, 'b')), Fit::none);
    EXPECT_EQ(fit(compiled("root ::= root root | \"a\""), std::string(200, 'a')), Fit::whole);
    EXPECT_EQ(fit(compiled("root ::= (\"a\"? \"a\"?)* \"b\""), std::string(1000, 'a') + "b"), Fit::whole);
}

TEST(Gbnf, DepthOfTheTextCostsMemoryOnlyForWhatIsOpen) {
    const auto a = compiled("root ::= item root | item\nitem ::= \"(\" item? \")\"");
    Parse p(a, GrammarStart::answer);
    for (int i = 0; i < 20000; ++i) {
        ASSERT_TRUE(p.advance("(())"));
        p.forget_past();
    }
    EXPECT_TRUE(p.complete());
    EXPECT_LT(p.fingerprint().size(), 400u);
}

TEST(Gbnf, GoesBack) {
    Parse p(compiled("root ::= (\"ab\" | \"ac\"){1,200}"), GrammarStart::answer);
    ASSERT_TRUE(p.advance("abac"));
    const std::string here = p.fingerprint();
    EXPECT_FALSE(p.advance("abx"));
    EXPECT_EQ(p.fingerprint(), here);
    ASSERT_TRUE(p.advance("aba"));
    p.back_to(4);
    EXPECT_EQ(p.fingerprint(), here);
    EXPECT_TRUE(p.complete());
}

TEST(Gbnf, ThinkingMayComeFirst) {
    const auto a = compiled("root ::= \"{\" [a-z]* \"}\"");
    EXPECT_EQ(fit(a, "hm <thi</think>\n\n{a}", GrammarStart::inside_thinking), Fit::whole);
    EXPECT_EQ(fit(a, "</think</think>{}", GrammarStart::inside_thinking), Fit::whole);
    EXPECT_EQ(fit(a, "{a}", GrammarStart::inside_thinking), Fit::beginning);
    EXPECT_EQ(fit(a, "x</think>a", GrammarStart::inside_thinking), Fit::none);
    EXPECT_EQ(fit(a, "{a}", GrammarStart::may_think), Fit::whole);
    EXPECT_EQ(fit(a, "<think>x</think>\n{a}", GrammarStart::may_think), Fit::whole);
    EXPECT_EQ(fit(a, "x", GrammarStart::may_think), Fit::none);
}

std::string error_of(const std::string& grammar) {
    try {
        compiled(grammar);
    } catch (const Error& e) {
        return e.what();
    }
    return "no error";
}

TEST(Gbnf, MistakesAreNamedWithTheirPlace) {
    const auto expect_error = [](const std::string& grammar, const std::string& part) {
        EXPECT_NE(error_of(grammar).find(part), std::string::npos) << grammar << "\n" << error_of(grammar);
    };
    expect_error("", "no rule \"root\"");
    expect_error("a ::= \"x\"", "no rule \"root\"");
    expect_error("root ::= \"x\"\nroot ::= \"y\"", "line 2, column 1: the rule \"root\" is defined twice");
    expect_error("root ::= (\"a\"\nb ::= \"c\"", "line 2, column 3: expected \")\"");
    expect_error("root ::= \"a\" missing", "line 1, column 14: the rule \"missing\" is used but not defined");
    expect_error("root ::= \"a", "literal that ends");
    expect_error("root ::= [a", "class that ends");
    expect_error("root ::= [z-a]", "ranges a-b");
    expect_error("root ::= \"\\q\"", "escapes");
    expect_error("root ::= \"\\ud800\"", "escapes");
    expect_error("root ::= \"a\"{3,1}", "m at most n");
    expect_error("root ::= \"a\"{99999999999}", "at most");
    expect_error("root = \"a\"", "expected ::=");
    expect_error("root ::= \"a\" ] \"b\"", "end of the rule");
    expect_error("root ::= " + std::string(5000, '('), "nested more than");
    expect_error("root ::= \"\xFF\"", "not valid UTF-8");
    expect_error("root ::= \"a\" root", "matches no text");
    expect_error("root ::= []", "matches no text");
    expect_error("root ::= <[5]>", "control token");
}

/// What a hostile grammar costs: a second at most here, even in slow builds some.
TEST(Gbnf, HostileGrammarsStayBounded) {
    const auto begin = std::chrono::steady_clock::now();
    std::string chain = "root ::= r0\n";  // each rule knows that it may be empty only after the next
    for (int i = 0; i < 3000; ++i)
        chain +=
            "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " r" + std::to_string(i + 1) + "\n";
    EXPECT_THROW(fit(compiled(chain + "r3000 ::= \"a\"?"), "aaaa"), Error);  // 3000 places at once
    std::string optional = "root ::=";  // from any place to any later one
    for (int i = 0; i < 20000; ++i) optional += " \"a\"?";
    EXPECT_NE(error_of(optional).find("too large"), std::string::npos) << error_of(optional);
    // An exponential deterministic automaton is not made.
    EXPECT_EQ(fit(compiled("root ::= [ab]* \"a\" [ab]{25}"), std::string(60, 'a')), Fit::whole);
    EXPECT_EQ(fit(compiled("root ::= ((((\"a\"{60}){60}){60}){60}){60}"), std::string(999, 'a')),
              Fit::beginning);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace sluice
