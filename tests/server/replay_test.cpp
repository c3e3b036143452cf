// A call of a tool stands in the next turn's prompt as the model wrote it, so that what was computed of it is
// of use: in each family's form, through every interface, whatever the client's JSON library made of it.
#include <numeric>

#include "families.h"
#include "server/turn_memory.h"

namespace sluice::test {
namespace {

using server::TurnMemory;

Json weather_tools() {
    return Json::parse(R"([
        {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city",
         "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "number"}},
                        "required": ["city"], "additionalProperties": false}}},
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}])");
}

/// A language model's answer as a client understands it, arguments written by another JSON library.
Message understood(const std::string& text, const AnswerParser::Options& reading) {
    AnswerParser parser(reading);
    Message m{.role = "assistant"};
    for (const AnswerPiece& piece : {parser.push(text), parser.finish()}) {
        m.content += piece.content;
        m.reasoning += piece.reasoning;
        for (const ToolCallPiece& c : piece.calls) {
            if (c.index >= m.tool_calls.size()) m.tool_calls.resize(c.index + 1);
            ToolCall& call = m.tool_calls[c.index];
            call.name += c.name;
            call.id += c.id;
            call.arguments += c.arguments;
        }
    }
    for (size_t i = 0; i < m.tool_calls.size(); ++i) {
        ToolCall& call = m.tool_calls[i];
        if (call.id.empty()) call.id = "call_" + std::to_string(i);
        Json arguments = Json::parse(call.arguments);
        for (auto& value : arguments)
            if (value.is_number_float()) value = int64_t(value.get<double>());
        call.arguments = arguments.dump();
    }
    return m;
}

class EachFamily : public testing::TestWithParam<Family> {
  protected:
    const Family& family = GetParam();
    Engine engine = engine_of(family);
    const Tokenizer& tokenizer = *engine.impl()->tokenizer;
    ChatRequest first{.messages = {{.role = "user", .content = "How is Zürich?"}},
                      .tools = weather_tools().dump()};

    /// What was asked, answered and called, and what the tools said.
    ChatRequest next_turn(const Message& answer) const {
        ChatRequest next = first;
        next.messages.push_back(answer);
        for (const ToolCall& call : answer.tool_calls)
            next.messages.push_back({.role = "tool",
                                     .content = "{\"sky\":\"clear\"}",
                                     .tool_call_id = call.id,
                                     .name = call.name});
        return next;
    }
};

TEST_P(EachFamily, CallsAreReplayedByteForByte) {
    ASSERT_EQ(engine.impl()->tool_format(), family.format);
    AnswerParser::Options reading{family.format, std::make_shared<const ToolSet>(first.tools)};
    const Prompt prompt = engine.render(first);
    TurnMemory::Turn turn;
    turn.opens_reasoning = reading.opens_reasoning = prompt.opens_reasoning;
    // Cut as no tokenizer would: models do so where a grammar holds them, and when they are drawn by lot.
    for (const TokenId t : tokenizer.encode_trusted(family.calls)) {
        if (tokenizer.kind(t) == TokenKind::normal)
            for (const char c : tokenizer.piece(t, false)) {
                const auto byte = tokenizer.encode_plain(std::string(1, c));
                turn.answer.insert(turn.answer.end(), byte.begin(), byte.end());
            }
        else
            turn.answer.push_back(t);
    }
    const Message answer = understood(family.calls, reading);
    ASSERT_EQ(answer.tool_calls.size(), family.format == ToolFormat::llama ? 1u : 2u);
    for (const ToolCall& call : answer.tool_calls) turn.calls.push_back(call.id);
    turn.reasoning = answer.reasoning;

    std::vector<TokenId> whole = prompt.tokens;
    whole.insert(whole.end(), turn.answer.begin(), turn.answer.end());
    TurnMemory memory(&tokenizer);
    memory.keep("ann", prompt.tokens, turn);
    const std::vector<TokenId> rendered = engine.render(next_turn(answer)).tokens;
    const std::vector<TokenId> replayed = memory.replay("ann", rendered, reading);
    if (!family.dropped.empty()) {  // what comes after them is another text
        EXPECT_EQ(replayed, rendered);
        return;
    }
    ASSERT_GT(replayed.size(), whole.size());
    EXPECT_TRUE(std::equal(whole.begin(), whole.end(), replayed.begin()))
        << tokenizer.decode(replayed, true) << "\ninstead of\n"
        << tokenizer.decode(whole, true);
    // The rest is the template's.
    const auto tail = replayed.size() - whole.size();
    ASSERT_LT(tail, rendered.size());
    EXPECT_TRUE(
        std::equal(replayed.end() - ptrdiff_t(tail), replayed.end(), rendered.end() - ptrdiff_t(tail)));
    EXPECT_TRUE(tokenizer.is_end(replayed[whole.size()]));
    // Thoughts that the client left out are in their place, if the template shows them.
    Message thoughtless = answer;
    thoughtless.reasoning.clear();
    EXPECT_EQ(memory.thoughts_before("ann", thoughtless.tool_calls).value_or(""), answer.reasoning);

    // What the client changed is as the client says, and others' answers are not for anybody.
    EXPECT_EQ(memory.replay("bob", rendered, reading), rendered);
    EXPECT_FALSE(memory.thoughts_before("bob", answer.tool_calls));
    Message other = answer;
    other.tool_calls.front().arguments = R"({"days":2,"city":"Zürich"})";
    const std::vector<TokenId> changed = engine.render(next_turn(other)).tokens;
    EXPECT_EQ(memory.replay("ann", changed, reading), changed);
}

TEST_P(EachFamily, ASecondTurnReusesPromptAndAnswer) {
    RunningServer running({}, {}, true, engine);
    const uint16_t port = running.port();
    for (const int seed : {1, 2, 3}) {
        const Json wish = {{"model", "rill"},
                           {"seed", seed},
                           {"temperature", 1.0},
                           {"tools", weather_tools()},
                           {"max_tokens", 400}};
        const Json question = {{"role", "user"},
                               {"content", "Seed " + std::to_string(seed) + ", how is Rome?"}};
        Json body = wish;
        body["messages"] = Json::array({question});
        body["tool_choice"] = "required";
        const Json one = post(port, "/v1/chat/completions", body).json();
        ASSERT_TRUE(one.contains("choices")) << one;
        if (one["choices"][0]["finish_reason"] == "length") continue;  // it went on calling
        Json message = one["choices"][0]["message"];
        ASSERT_FALSE(message.value("tool_calls", Json::array()).empty()) << one;

        body = wish;
        body["max_tokens"] = 1;
        for (auto& call : message["tool_calls"])
            call["function"]["arguments"] =
                Json::parse(call["function"]["arguments"].get<std::string>()).dump(1);
        message.erase("reasoning_content");
        body["messages"] = {question, message};
        for (const auto& call : message["tool_calls"])
            body["messages"].push_back(
                {{"role", "tool"}, {"tool_call_id", call["id"]}, {"content", "{\"sky\":\"clear\"}"}});
        const Json two = post(port, "/v1/chat/completions", body).json();
        ASSERT_TRUE(two.contains("usage")) << two;
        const uint64_t asked = one["usage"]["prompt_tokens"], wrote = one["usage"]["completion_tokens"],
                       cached = two["usage"]["prompt_tokens_details"]["cached_tokens"];
        if (!family.dropped.empty())
            EXPECT_GE(cached, asked - tokenizer.encode_trusted(family.dropped).size()) << one << two;
        else  // an answer's last token is not computed if its grammar ended with it
            EXPECT_GE(cached + 1, asked + wrote) << one << two;
    }
}

INSTANTIATE_TEST_SUITE_P(Replay, EachFamily, testing::ValuesIn(families()),
                         [](const auto& tested) { return tested.param.name; });

/// The same through the interfaces that turn arguments into objects, and where the server keeps the turns.
class Interfaces : public testing::Test {
  protected:
    Engine engine = engine_of(families().front());
    RunningServer running{{}, {}, true, engine};
    uint16_t port = running.port();
    Json sampling = {{"model", "rill"}, {"seed", 5}, {"temperature", 1.0}};

    void SetUp() override { ASSERT_EQ(engine.impl()->tool_format(), ToolFormat::hermes); }
};

TEST_F(Interfaces, Anthropic) {
    Json body = sampling;
    body.update({{"max_tokens", 400},
                 {"tools", Json::array({{{"name", "get_weather"},
                                         {"input_schema", weather_tools()[0]["function"]["parameters"]}}})},
                 {"tool_choice", {{"type", "any"}, {"disable_parallel_tool_use", true}}},
                 {"messages", {{{"role", "user"}, {"content", "How is Rome?"}}}}});
    const Json one = post(port, "/v1/messages", body).json();
    ASSERT_EQ(one["stop_reason"], "tool_use") << one;
    body["messages"].push_back({{"role", "assistant"}, {"content", one["content"]}});
    body["messages"].push_back(
        {{"role", "user"},
         {"content",
          {{{"type", "tool_result"}, {"tool_use_id", one["content"].back()["id"]}, {"content", "clear"}}}}});
    body["tool_choice"] = {{"type", "auto"}};
    const Json two = post(port, "/v1/messages", body).json();
    const uint64_t asked = one["usage"]["input_tokens"], wrote = one["usage"]["output_tokens"],
                   cached = two["usage"]["cache_read_input_tokens"];
    EXPECT_GE(cached + 1, asked + wrote) << one << two;
    for (const char* field : {"max_tokens", "seed", "temperature"}) body.erase(field);
    EXPECT_EQ(post(port, "/v1/messages/count_tokens", body).json()["input_tokens"],
              two["usage"]["input_tokens"].get<uint64_t>() + cached);
}

TEST_F(Interfaces, Responses) {
    Json tool = weather_tools()[0]["function"];
    tool["type"] = "function";
    Json body = sampling;
    body.update({{"tools", Json::array({tool})},
                 {"tool_choice", "required"},
                 {"parallel_tool_calls", false},
                 {"input", "How is Rome?"},
                 {"max_output_tokens", 400}});
    const Json one = post(port, "/v1/responses", body).json();
    ASSERT_EQ(one["output"].back()["type"], "function_call") << one;
    body["tool_choice"] = "auto";
    body["previous_response_id"] = one["id"];
    body["input"] = {{{"type", "function_call_output"},
                      {"call_id", one["output"].back()["call_id"]},
                      {"output", "clear"}}};
    const Json two = post(port, "/v1/responses", body).json();
    ASSERT_TRUE(two.contains("usage")) << two;
    EXPECT_GE(two["usage"]["input_tokens_details"]["cached_tokens"].get<uint64_t>() + 1,
              one["usage"]["total_tokens"].get<uint64_t>());
}

TEST_F(Interfaces, AnswersWithoutCallsToo) {
    Json body = sampling;
    body.update({{"messages", {{{"role", "user"}, {"content", "Tell me a story."}}}}, {"max_tokens", 150}});
    const Json one = post(port, "/v1/chat/completions", body).json();
    body["messages"].push_back(one["choices"][0]["message"]);
    body["messages"].push_back({{"role", "user"}, {"content", "Another."}});
    const Json two = post(port, "/v1/chat/completions", body).json();
    EXPECT_GE(two["usage"]["prompt_tokens_details"]["cached_tokens"].get<uint64_t>() + 1,
              one["usage"]["total_tokens"].get<uint64_t>());
}

TEST(TurnMemory, KeepsABoundedNumberAndForgetsTheOldest) {
    const Engine& engine = rill_engine();
    const Tokenizer& tokenizer = *engine.impl()->tokenizer;
    TurnMemory memory(&tokenizer);
    const std::vector<TokenId> answer = tokenizer.encode_plain(std::string(30'000, 'x') + " said"),
                               read = tokenizer.encode_plain(std::string(30'000, 'x') + " said ");
    const auto place = [&](size_t i) { return tokenizer.encode_plain("question " + std::to_string(i)); };
    const auto found = [&](size_t i) {
        std::vector<TokenId> prompt = place(i);
        prompt.insert(prompt.end(), read.begin(), read.end());
        prompt.push_back(tokenizer.special().eos);
        return memory.replay("ann", prompt, {}) != prompt;
    };
    const size_t n = TurnMemory::most_tokens / answer.size() + 2;
    ASSERT_LT(n, 1000u);
    for (size_t i = 0; i < n; ++i) {
        memory.keep("ann", place(i), {.answer = answer});
        EXPECT_TRUE(found(0)) << i;  // a use of it
    }
    EXPECT_TRUE(found(n - 1));
    EXPECT_FALSE(found(1));
}

}  // namespace
}  // namespace sluice::test
