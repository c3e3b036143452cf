// Which tokens a grammar allows: compared with trying every token of a vocabulary.
#include "text/grammar/constraint.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/tokenizer.h"

namespace sluice {
namespace {

std::shared_ptr<const Vocabulary> vocabulary_of(const std::string& name) {
    const auto path = std::filesystem::path(SLUICE_TEST_DATA) / "tokenizers" / (name + ".gguf");
    return std::make_shared<const Vocabulary>(
        Vocabulary::of(*Tokenizer::from(GgufFile::open(path).metadata())));
}

/// 151,000 tokens: GPT-2's, each also with what often follows it.
std::shared_ptr<const Vocabulary> large_vocabulary() {
    static const auto all = [] {
        const auto base = vocabulary_of("gpt-2-as-qwen2");
        std::vector<std::string> bytes;
        std::vector<TokenId> ends = base->ends();
        for (size_t i = 0; i < base->size(); ++i) bytes.push_back(base->bytes(TokenId(i)));
        for (size_t i = 0; i < base->size(); ++i) bytes.push_back(bytes[i].empty() ? "" : bytes[i] + "ung");
        for (size_t i = 0; i < base->size(); ++i)
            bytes.push_back(bytes[i].empty() ? "" : bytes[i] + (i % 20 ? "s " : "\":"));
        return std::make_shared<const Vocabulary>(std::move(bytes), std::move(ends));
    }();
    return all;
}

/// A small vocabulary that cuts texts, and characters, everywhere.
std::shared_ptr<const Vocabulary> small_vocabulary() {
    static const auto all = [] {
        std::vector<std::string> bytes;
        for (int b = 0; b < 255; ++b) bytes.emplace_back(1, char(b));
        for (const char* t :
             {"ab",    "aba",     "bc",      "\",\"",      "\":",      "\":\"", "{\"",
              "\"}",   "}}",      "]}",      "],[",        "[[",       "12",    "1,",
              "1,2",   ", ",      "tru",     "true",       "e,",       "null",  "lse}",
              "\xC3",  "\xA9\"",  "é",       "\xF0\x9F",   "\x98\x80", "😀\"",   " \n",
              "\n\n",  "abab,ab", "aaaa",    "aaaaaaaa",   "a,a,a",    "))",    "((",
              "+(",    ")+",      "<think>", "</think>\n", "</thi",    "nk>",   "\xFF<call>\xFF",
              "<call>"})
            bytes.emplace_back(t);
        bytes.emplace_back("<end>");
        const TokenId end = TokenId(bytes.size() - 1);
        return std::make_shared<const Vocabulary>(std::move(bytes), std::vector<TokenId>{end});
    }();
    return all;
}

TokenMask brute_force(const Constraint& c, const Parse& parse) {
    const Vocabulary& v = c.vocabulary();
    TokenMask mask(v.size());
    Parse p = parse;
    const size_t depth = p.depth();
    for (size_t i = 0; i < v.size(); ++i) {
        if (v.is_end(TokenId(i)) ? p.complete()
                                 : !v.bytes(TokenId(i)).empty() && p.advance(v.bytes(TokenId(i))))
            mask.set(TokenId(i));
        p.back_to(depth);
    }
    return mask;
}

/// Draws texts token by token and compares at each place.
void compare(const GrammarRules& rules, const std::shared_ptr<const Vocabulary>& vocabulary, int texts,
             int length, GrammarStart start = GrammarStart::answer) {
    const Constraint c(rules, vocabulary);
    for (int seed = 0; seed < texts; ++seed) {
        std::mt19937_64 random{uint64_t(seed)};
        Parse p(c.automaton(), start);
        std::string text;
        for (int i = 0; i < length; ++i) {
            const auto mask = c.mask(p);
            ASSERT_EQ(*mask, brute_force(c, p)) << "after: " << text;
            ASSERT_FALSE(mask->empty());
            std::vector<TokenId> can;
            for (size_t t = 0; t < vocabulary->size(); ++t)
                if (mask->test(TokenId(t)) && !vocabulary->is_end(TokenId(t))) can.push_back(TokenId(t));
            if (can.empty()) break;
            // Long tokens are where rules end inside.
            TokenId token = can[random() % can.size()];
            const TokenId other = can[random() % can.size()];
            if (vocabulary->bytes(other).size() > vocabulary->bytes(token).size()) token = other;
            text += vocabulary->bytes(token);
            ASSERT_TRUE(p.advance(vocabulary->bytes(token)));
            p.forget_past();
        }
    }
}

TEST(Constraint, AllowsWhatTryingEveryTokenAllows) {
    for (const char* grammar : {
             "root ::= [a-c]+ (\",\" [a-c]+)*",
             "root ::= word (\",\" word)*\nword ::= [ab]+ | \"(\" root \")\"",
             "root ::= \"ab\"{3,50} \"c\"? | [a]{70,90} word{4,200}\nword ::= [a-c]{2,80} \",\"",
             "root ::= e\ne ::= e \"+\" e | \"(\" e \")\" | [a-z0-9]+",
             "root ::= (item \",\"){5,100}\nitem ::= [a-z]{1,70} | \"é\" | \"😀\" [\"]",
             "root ::= \"a\" <call> \"b\"? | \"<call>\" .*",
             "root ::= .*",
             "root ::= x{0,3}\nx ::= \"a\"* y{,12}\ny ::= \"b\"? \"c\"",
             "root ::= \"\" | \"ab\" root | root \"a\"",
         }) {
        SCOPED_TRACE(grammar);
        for (const auto start :
             {GrammarStart::answer, GrammarStart::may_think, GrammarStart::inside_thinking})
            ASSERT_NO_THROW(compare(parse_gbnf(grammar), small_vocabulary(), 12, 40, start));
    }
}

TEST(Constraint, AllowsJsonInEveryVocabulary) {
    const char* schema = R"({"type":"object","properties":{"name":{"type":"string","maxLength":90},
        "tags":{"type":"array","items":{"enum":["ab","é","true"]},"minItems":1},
        "n":{"type":"integer","minimum":-12,"maximum":1234},"inner":{"$ref":"#"}},"required":["name"],"additionalProperties":{"type":"boolean"}})";
    constexpr int texts = SLUICE_SANITIZED ? 10 : 40;
    compare(parse_json_schema(schema), small_vocabulary(), texts, 60);
    compare(json_object_rules(), small_vocabulary(), texts, 60);
    for (const char* name : {"gpt-2-as-llama-bpe", "ggml-vocab-llama-spm"}) {
        SCOPED_TRACE(name);
        compare(parse_json_schema(schema), vocabulary_of(name), 2, 25);
    }
}

TEST(Constraint, ControlTokensAreAllowedByNameAlone) {
    const auto v = vocabulary_of("ggml-vocab-llama-spm");
    const TokenId bos = 1, end = 2;
    const Constraint any(parse_gbnf("root ::= .*"), v);
    const auto mask = any.mask(Parse(any.automaton(), GrammarStart::answer));
    EXPECT_FALSE(mask->test(bos));
    EXPECT_TRUE(mask->test(end));
    const Constraint named(parse_gbnf("root ::= <s> \"x\""), v);
    const auto first = named.mask(Parse(named.automaton(), GrammarStart::answer));
    EXPECT_TRUE(first->test(bos));
    EXPECT_FALSE(first->test(end));
    ConstrainedText text(std::make_shared<const Constraint>(parse_gbnf("root ::= <s> \"x\""), v),
                         GrammarStart::answer);
    EXPECT_FALSE(text.allows(end));
    text.accept(bos);
    EXPECT_FALSE(text.allows(bos));
    EXPECT_THROW(text.accept(bos), Error);
}

TEST(Constraint, EndsWhereTheGrammarMayEnd) {
    const auto v = small_vocabulary();
    const TokenId end = v->ends()[0];
    ConstrainedText t(std::make_shared<const Constraint>(parse_gbnf("root ::= \"ab\" \"a\"?"), v),
                      GrammarStart::answer);
    EXPECT_FALSE(t.allows(end));
    EXPECT_FALSE(t.complete());
    t.accept(TokenId(255));  // ab
    EXPECT_TRUE(t.allows(end));
    EXPECT_TRUE(t.complete());
    EXPECT_FALSE(t.finished());
    EXPECT_TRUE(t.mask()->test(end));
    t.accept('a');
    EXPECT_TRUE(t.finished());
    EXPECT_TRUE(t.mask()->test(end));
    EXPECT_FALSE(t.allows('a'));
}

TEST(Constraint, IsSharedByThreads) {
    const Constraint c(json_object_rules(), small_vocabulary());
    const auto walk = [&] {
        Parse p(c.automaton(), GrammarStart::answer);
        for (const char b : std::string("{\"a\": [1, 2.5, {\"b\": \"cd\"}], \"e\": true}")) {
            EXPECT_EQ(*c.mask(p), brute_force(c, p));
            ASSERT_TRUE(p.advance(uint8_t(b)));
            p.forget_past();
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(walk);
    for (auto& t : threads) t.join();
}

/// Figures for docs/grammar.md; the limits are far above them: other work runs beside tests.
TEST(Constraint, IsFastOnALargeVocabulary) {
    const auto v = large_vocabulary();
    ASSERT_GT(v->size(), 150'000u);
    const auto timed = [](const auto& work) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    const std::string text =
        R"({"name": "Ada Löwelace", "tags": ["x", "yz"], "inner": {"name": "it's \"é\"", "n": 12}, "more": [[1, {"k": null}]]})";
    for (const bool any : {false, true}) {
        const Constraint c(any ? json_object_rules()
                               : parse_json_schema(R"({"type":"object","properties":{"name":{"type":"string"},
            "tags":{"type":"array","items":{"type":"string"}},"n":{"type":"integer"},"inner":{"$ref":"#"}},"required":["name"],"additionalProperties":true})"),
                           v);
        for (const char* pass : {"first", "second"}) {
            Parse p(c.automaton(), GrammarStart::answer);
            std::vector<double> all;
            for (const char b : text) {
                all.push_back(timed([&] { c.mask(p); }));
                if (!p.advance(uint8_t(b))) break;
                p.forget_past();
            }
            std::sort(all.begin(), all.end());
            double sum = 0;
            for (const double ms : all) sum += ms;
            RecordProperty(std::string(pass) + (any ? "_any" : "_schema"),
                           std::to_string(sum / double(all.size())));
            std::printf("%s, %s pass: %zu masks, median %.3f ms, mean %.3f, worst %.3f\n",
                        any ? "any object" : "schema", pass, all.size(), all[all.size() / 2],
                        sum / double(all.size()), all.back());
            EXPECT_LT(all[all.size() / 2], 10);
        }
    }
}

}  // namespace
}  // namespace sluice
