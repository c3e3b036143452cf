// Answers under a constraint: whole ones are what it says, whatever is drawn; they depend on their seed
// alone.
#include <condition_variable>
#include <mutex>

#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "../text/schema_validator.h"
#include "engine/impl.h"
#include "engine/scheduler.h"
#include "test_models.h"
#include "text/tool_calls/answer_parser.h"

namespace sluice {
namespace {

const char* const person = R"({"type":"object","properties":{
    "name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,"maximum":150},
    "tags":{"type":"array","items":{"enum":["a","bé","c d"]},"minItems":1,"maxItems":3},
    "home":{"anyOf":[{"type":"null"},{"type":"object","properties":{"zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["zip"],"additionalProperties":false}]}},
    "required":["name","age","tags","home"],"additionalProperties":false})";

class Constrained : public testing::Test {
  protected:
    Engine engine = Engine::open(test::rill());

    Prompt prompt(const std::string& text = "What is 12+30?") {
        return engine.render({.messages = {{.role = "user", .content = text}}});
    }
    GenerateOptions options(const std::shared_ptr<const Constraint>& constraint, uint64_t seed,
                            float temperature) {
        GenerateOptions o;
        o.sampling.temperature = temperature;
        o.sampling.seed = seed;
        o.sampling.top_k = seed % 2 ? 0 : 40;
        o.max_tokens = 300;
        o.constraint = constraint;
        const Prompt p = prompt();
        o.opens_reasoning = p.opens_reasoning;
        o.may_reason = p.may_reason;
        o.thinking_budget = 30;
        return o;
    }
    Generated alone(const GenerateOptions& o, const std::string& text = "What is 12+30?") {
        Session session(engine);
        session.prefill(prompt(text).tokens);
        return session.generate(o);
    }
    static std::string answer_of(const std::string& text) {
        const size_t end = text.find("</think>");
        if (end == std::string::npos) return text;
        return text.substr(std::min(text.find_first_not_of('\n', end + 8), text.size()));
    }
};

TEST_F(Constrained, AnswersAreValidUnderTheSchema) {
    const auto constraint = engine.constrain_to_schema(person);
    const test::SchemaValidator validator(nlohmann::json::parse(person));
    for (const float temperature : {0.0f, 0.7f, 1.5f, 5.0f})
        for (uint64_t seed = 0; seed < (temperature <= 0 ? 1u : SLUICE_SANITIZED ? 3u : 7u); ++seed) {
            const Generated g = alone(options(constraint, seed, temperature));
            ASSERT_EQ(g.reason, StopReason::end_token) << g.text;
            EXPECT_NE(g.text.find("</think>"), std::string::npos) << g.text;
            EXPECT_TRUE(validator.valid_text(answer_of(g.text))) << g.text;
        }
}

TEST_F(Constrained, RecursiveSchemasAndAnyObjectParse) {
    const char* const tree =
        R"({"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"v":{"type":"integer"},"kids":{"type":"array","maxItems":2,"items":{"$ref":"#/$defs/t"}}},"required":["v"]}}})";
    const test::SchemaValidator validator(nlohmann::json::parse(tree));
    const auto tree_constraint = engine.constrain_to_schema(tree), any = engine.constrain_to_json_object();
    constexpr int seeds = SLUICE_SANITIZED ? 3 : 6;
    int whole = 0;
    for (uint64_t seed = 0; seed < seeds; ++seed) {
        const Generated t = alone(options(tree_constraint, seed, 1.0f));
        const Generated o = alone(options(any, seed, 1.0f));
        if (t.reason == StopReason::end_token) {
            ++whole;
            EXPECT_TRUE(validator.valid_text(answer_of(t.text))) << t.text;
        }
        if (o.reason == StopReason::end_token) {
            ++whole;
            EXPECT_TRUE(nlohmann::json::parse(answer_of(o.text)).is_object()) << o.text;
        }
    }
    EXPECT_GT(whole, seeds / 2);
}

TEST_F(Constrained, GrammarsHoldInsideCharactersAndToTheEnd) {
    const auto constraint = engine.constrain_to_grammar("root ::= \"é→😀\" [α-ω]{3} (\"\\n\" | \"!\")+ \".\"");
    for (uint64_t seed = 0; seed < 8; ++seed) {
        GenerateOptions o = options(constraint, seed, 1.5f);
        o.opens_reasoning = false;
        o.thinking_budget = -1;
        const Generated g = alone(o);
        ASSERT_EQ(g.reason, StopReason::end_token) << g.text;
        EXPECT_TRUE(g.text.starts_with("é→😀")) << g.text;
        EXPECT_TRUE(g.text.ends_with(".")) << g.text;
    }
}

TEST_F(Constrained, OnlyTheAnswerIsConstrained) {
    GenerateOptions free;
    free.sampling.temperature = 0;
    GenerateOptions held = free;
    held.constraint = engine.constrain_to_grammar("root ::= [0-9]+ \" + \" [0-9]+ \" = \" [0-9]+ \"!\"?");
    held.opens_reasoning = prompt().opens_reasoning;
    const std::string thoughts = alone(free).text.substr(0, alone(free).text.find("</think>"));
    const std::string text = alone(held).text;
    EXPECT_EQ(text.substr(0, text.find("</think>")), thoughts);
    EXPECT_EQ(answer_of(text), "12 + 30 = 42");
    // What is allowed anyway is not changed.
    held.constraint = engine.constrain_to_grammar("root ::= .*");
    EXPECT_EQ(alone(held).tokens, alone(free).tokens);
}

TEST_F(Constrained, DemandedToolCallsAreMade) {
    const std::string tools =
        R"([{"type":"function","function":{"name":"set_light","parameters":{"type":"object",
        "properties":{"room":{"enum":["hall","attic"]},"level":{"type":"integer","minimum":0,"maximum":100}},"required":["room","level"]}}},
        {"type":"function","function":{"name":"bell"}}])";
    const auto offered = std::make_shared<const ToolSet>(tools);
    for (const char* name : {"", "bell", "set_light"})
        for (uint64_t seed = 0; seed < 4; ++seed) {
            GenerateOptions o =
                options(engine.constrain_to_tool_call(tools, name, seed % 2 == 1), seed, 1.0f);
            o.show_special = true;
            const Generated g = alone(o, "Turn on the light in the hall.");
            if (g.reason == StopReason::length) continue;  // more and more calls
            AnswerParser parser({engine.impl()->tool_format(), offered, o.opens_reasoning});
            std::vector<ToolCallPiece> calls;
            std::string content;
            for (const AnswerPiece& piece : {parser.push(g.text), parser.finish()}) {
                calls.insert(calls.end(), piece.calls.begin(), piece.calls.end());
                content += piece.content;
            }
            ASSERT_FALSE(calls.empty()) << g.text;
            EXPECT_EQ(content, "") << g.text;
            EXPECT_TRUE(!*name || calls[0].name == name) << g.text;
            EXPECT_TRUE(offered->find(calls[0].name)) << g.text;
            if (seed % 2 == 0) {
                EXPECT_EQ(parser.n_calls(), 1u) << g.text;
            }
        }
    EXPECT_THROW(engine.constrain_to_tool_call(tools, "other"), Error);
    EXPECT_THROW(engine.constrain_to_tool_call("[]"), Error);
}

TEST_F(Constrained, WhatCannotBeIsRefused) {
    GenerateOptions o = options(engine.constrain_to_json_object(), 0, 1);
    o.ignore_end = true;
    EXPECT_THROW(alone(o), Error);
    o = options(engine.constrain_to_grammar("root ::= \"a\""), 0, 1);
    o.opens_reasoning = false;
    o.thinking_budget = -1;
    for (const TokenId id : engine.tokenize("a", false))
        o.sampling.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
    EXPECT_THROW(alone(o), Error);
    EXPECT_THROW(engine.constrain_to_grammar("root ::= root"), Error);
    EXPECT_THROW(engine.constrain_to_schema("{\"not\":{}}"), Error);
}

TEST_F(Constrained, TheSameSeedGivesTheSameAnswerInAnyCompany) {
    const auto shared = engine.constrain_to_schema(person);
    constexpr int n = SLUICE_SANITIZED ? 5 : 10;  // more than are computed at once
    std::vector<Generated> expected;
    const auto text = [](int i) { return "What is " + std::to_string(11 + i) + "+30?"; };
    // Alone, each with a constraint of its own: nothing is remembered.
    for (int i = 0; i < n; ++i)
        expected.push_back(
            alone(options(i % 3 ? engine.constrain_to_schema(person) : nullptr, uint64_t(i), 1.2f), text(i)));

    Scheduler scheduler(engine, {.parallel = 4, .context = 1024});
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::vector<TokenId>> tokens(n);
    int ended = 0;
    std::vector<Request> requests;
    for (int i = 0; i < n; ++i) {
        Request r;
        r.prompt = prompt(text(i)).tokens;
        r.options = options(i % 3 ? shared : nullptr, uint64_t(i), 1.2f);
        r.on_event = [&, i](const RequestEvent& e) {
            std::lock_guard lock(mutex);
            if (const auto* step = std::get_if<Generation::Step>(&e))
                tokens[size_t(i)].push_back(*step->token);
            if (std::holds_alternative<RequestDone>(e) || std::holds_alternative<RequestFailed>(e)) ++ended;
            changed.notify_all();
        };
        requests.push_back(std::move(r));
    }
    scheduler.submit(std::move(requests));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(120), [&] { return ended == n; }));
    for (int i = 0; i < n; ++i) EXPECT_EQ(tokens[size_t(i)], expected[size_t(i)].tokens) << i;
}

}  // namespace
}  // namespace sluice
