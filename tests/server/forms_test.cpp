// Answers in a form, and calls of tools, through every interface.
#include "running_server.h"

namespace sluice::test {
namespace {

class Forms : public ServerTest {
  protected:
    Json tools = Json::array(
        {{{"type", "function"},
          {"function",
           {{"name", "get_weather"},
            {"description", "The weather in a city"},
            {"parameters",
             {{"type", "object"},
              {"properties",
               {{"city", {{"type", "string"}, {"enum", {"Oslo", "Rome"}}}}, {"days", {{"type", "integer"}}}}},
              {"required", {"city"}},
              {"additionalProperties", false}}}}}}});
    Json schema = {{"type", "object"},
                   {"properties", {{"sum", {{"type", "integer"}, {"minimum", 0}, {"maximum", 99}}}}},
                   {"required", {"sum"}},
                   {"additionalProperties", false}};
};

TEST_F(Forms, SchemasHoldOverOpenAi) {
    for (int seed = 1; seed <= 3; ++seed) {
        const Reply reply = post(
            port, "/v1/chat/completions",
            question("What is 12+30?",
                     {{"seed", seed},
                      {"temperature", 1.0},
                      {"response_format",
                       {{"type", "json_schema"}, {"json_schema", {{"name", "s"}, {"schema", schema}}}}}}));
        ASSERT_EQ(reply.status, 200) << reply.body;
        const Json message = reply.json()["choices"][0]["message"];
        const Json content = Json::parse(message["content"].get<std::string>());
        EXPECT_TRUE(content.is_object() && content.size() == 1 && content["sum"].is_number_integer())
            << content;
        EXPECT_GE(content["sum"], 0);
        EXPECT_LE(content["sum"], 99);
    }
}

TEST_F(Forms, SchemasHoldOverOllama) {
    const Reply reply = post(port, "/api/chat",
                             {{"model", "rill"},
                              {"stream", false},
                              {"messages", {{{"role", "user"}, {"content", "What is 12+30?"}}}},
                              {"format", schema}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json answer = reply.json();
    EXPECT_TRUE(Json::parse(answer["message"]["content"].get<std::string>()).contains("sum")) << reply.body;
}

TEST_F(Forms, GrammarsHold) {
    const Reply reply = post(port, "/v1/chat/completions",
                             question("What is 12+30?", {{"grammar", "root ::= \"yes\" | \"no\""}}));
    ASSERT_EQ(reply.status, 200) << reply.body;
    const std::string content = reply.json()["choices"][0]["message"]["content"];
    EXPECT_TRUE(content == "yes" || content == "no") << content;
}

TEST_F(Forms, DemandedCallsAreMadeOverOpenAi) {
    const Reply reply =
        post(port, "/v1/chat/completions",
             question("How is Rome?",
                      {{"tools", tools}, {"tool_choice", "required"}, {"parallel_tool_calls", false}}));
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json choice = reply.json()["choices"][0];
    EXPECT_EQ(choice["finish_reason"], "tool_calls");
    ASSERT_EQ(choice["message"]["tool_calls"].size(), 1u) << reply.body;
    const Json& call = choice["message"]["tool_calls"][0];
    EXPECT_EQ(call["function"]["name"], "get_weather");
    EXPECT_TRUE(call["id"].get<std::string>().starts_with("call_"));
    const Json arguments = Json::parse(call["function"]["arguments"].get<std::string>());
    EXPECT_TRUE(arguments["city"] == "Oslo" || arguments["city"] == "Rome") << arguments;
}

TEST_F(Forms, DemandedCallsStreamOverOpenAi) {
    const Json wish = {{"tools", tools},
                       {"tool_choice", {{"type", "function"}, {"function", {{"name", "get_weather"}}}}},
                       {"seed", 3}};
    Json streamed = wish;
    streamed["stream"] = true;
    const Json whole =
        post(port, "/v1/chat/completions", question("How is Rome?", wish)).json()["choices"][0]["message"];
    std::string name, arguments, finish;
    const Reply reply = post(port, "/v1/chat/completions", question("How is Rome?", streamed));
    for (const Event& e : reply.events()) {
        if (e.data == "[DONE]") break;
        const Json chunk = e.json();
        for (const auto& choice : chunk["choices"]) {
            for (const auto& call : choice["delta"].value("tool_calls", Json::array())) {
                if (call["index"] != 0) continue;
                name += call["function"].value("name", "");
                arguments += call["function"].value("arguments", "");
            }
            if (!choice["finish_reason"].is_null()) finish = choice["finish_reason"];
        }
    }
    EXPECT_EQ(finish, "tool_calls");
    EXPECT_EQ(name, "get_weather");
    EXPECT_EQ(arguments, whole["tool_calls"][0]["function"]["arguments"]);
}

TEST_F(Forms, DemandedCallsAreMadeOverAnthropic) {
    const Json tool = {{"name", "get_weather"},
                       {"description", "The weather in a city"},
                       {"input_schema", tools[0]["function"]["parameters"]}};
    const Reply reply = post(port, "/v1/messages",
                             {{"model", "rill"},
                              {"max_tokens", 400},
                              {"messages", {{{"role", "user"}, {"content", "How is Rome?"}}}},
                              {"tools", Json::array({tool})},
                              {"tool_choice", {{"type", "any"}}}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json j = reply.json();
    EXPECT_EQ(j["stop_reason"], "tool_use");
    const Json& last = j["content"].back();
    EXPECT_EQ(last["type"], "tool_use");
    EXPECT_EQ(last["name"], "get_weather");
    EXPECT_TRUE(last["input"].contains("city")) << reply.body;
}

TEST_F(Forms, TheSameFormAgainGivesTheSame) {
    const Json wish = {{"seed", 9},
                       {"temperature", 1.0},
                       {"response_format", {{"type", "json_object"}}},
                       {"max_tokens", 300}};
    const auto content = [&] {
        return post(port, "/v1/chat/completions", question("What is 12+30?", wish))
            .json()["choices"][0]["message"]["content"];
    };
    EXPECT_EQ(content(), content());
}

}  // namespace
}  // namespace sluice::test
