// Anthropic's messages, OpenAI's responses, Ollama's interface.
#include "running_server.h"

namespace sluice::test {
namespace {

class Anthropic : public ServerTest {
  protected:
    static Json body(const std::string& text, Json more = Json::object()) {
        Json j = question(text, {{"max_tokens", 200}});
        j.update(more);
        return j;
    }
    Reply messages(const Json& j) { return post(port, "/v1/messages", j); }
    inline static const Json thinking = {{"thinking", {{"type", "enabled"}, {"budget_tokens", 1024}}}};
};

TEST_F(Anthropic, AnswersInBlocks) {
    const Json j = messages(body("What is 12+30?", thinking)).json();
    EXPECT_EQ(j["type"], "message");
    EXPECT_EQ(j["role"], "assistant");
    EXPECT_EQ(j["stop_reason"], "end_turn");
    ASSERT_EQ(j["content"].size(), 2u);
    EXPECT_EQ(j["content"][0]["type"], "thinking");
    EXPECT_EQ(j["content"][1], Json({{"type", "text"}, {"text", "12 + 30 = 42"}}));
    EXPECT_GT(j["usage"]["output_tokens"], 5);
    const Json plain = messages(body("What is 12+30?")).json();  // thoughts are not shown unless asked for
    ASSERT_EQ(plain["content"].size(), 1u);
    EXPECT_EQ(plain["content"][0]["text"], "12 + 30 = 42");
}

TEST_F(Anthropic, StreamsBlocksThatOpenAndClose) {
    Json asked = body("What is 12+30?", thinking);
    asked["stream"] = true;
    const Reply reply = messages(asked);
    std::vector<std::string> order;
    std::string text, thought;
    int open = -1;
    for (const Event& e : reply.events()) {
        const Json j = e.json();
        EXPECT_EQ(j["type"], e.name);
        if (order.empty() || order.back() != e.name) order.push_back(e.name);
        if (e.name == "content_block_start") {
            EXPECT_EQ(open, -1);
            open = j["index"];
        } else if (e.name == "content_block_delta") {
            EXPECT_EQ(open, j["index"]);
            text += j["delta"].value("text", "");
            thought += j["delta"].value("thinking", "");
        } else if (e.name == "content_block_stop") {
            EXPECT_EQ(open, j["index"]);
            open = -1;
        } else if (e.name == "message_delta") {
            EXPECT_EQ(j["delta"]["stop_reason"], "end_turn");
            EXPECT_GT(j["usage"]["output_tokens"], 5);
        }
    }
    EXPECT_EQ(order,
              (std::vector<std::string>{"message_start", "content_block_start", "content_block_delta",
                                        "content_block_stop", "content_block_start", "content_block_delta",
                                        "content_block_stop", "message_delta", "message_stop"}));
    EXPECT_EQ(text, "12 + 30 = 42");
    EXPECT_FALSE(thought.empty());
}

TEST_F(Anthropic, SystemBlocksAndToolsReachTheTemplate) {
    const Json count = {{"model", "rill"}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}};
    const auto tokens = [&](const Json& j) {
        return post(port, "/v1/messages/count_tokens", j).json()["input_tokens"].get<int>();
    };
    const int plain = tokens(count);
    Json more = count;
    more["system"] = {{{"type", "text"}, {"text", "Be brief."}, {"cache_control", {{"type", "ephemeral"}}}}};
    const int with_system = tokens(more);
    EXPECT_GT(with_system, plain);
    more["tools"] = {{{"name", "add"}, {"input_schema", {{"type", "object"}}}}};
    EXPECT_GT(tokens(more), with_system);
}

TEST_F(Anthropic, AConversationWithAToolIsUnderstood) {
    Json j = body("What is the weather in Rome?");
    j["tools"] = {{{"name", "weather"}, {"input_schema", {{"type", "object"}}}}};
    j["messages"].push_back(
        {{"role", "assistant"},
         {"content",
          {{{"type", "tool_use"}, {"id", "t1"}, {"name", "weather"}, {"input", {{"city", "Rome"}}}}}}});
    j["messages"].push_back(
        {{"role", "user"},
         {"content", {{{"type", "tool_result"}, {"tool_use_id", "t1"}, {"content", "sunny, 30 degrees"}}}}});
    const Reply reply = messages(j);
    EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST_F(Anthropic, StopSequencesAreTold) {
    const Json j = messages(body("What is 12+30?", {{"stop_sequences", {"="}}})).json();
    EXPECT_EQ(j["stop_reason"], "stop_sequence");
    EXPECT_EQ(j["stop_sequence"], "=");
}

TEST_F(Anthropic, ErrorsHaveItsShape) {
    Json j = body("x");
    j.erase("max_tokens");
    const Reply reply = messages(j);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.json()["type"], "error");
    EXPECT_EQ(reply.json()["error"]["type"], "invalid_request_error");
    EXPECT_NE(reply.json()["error"]["message"].get<std::string>().find("max_tokens"), std::string::npos);
    EXPECT_EQ(messages(body("x", {{"model", "claude-9"}})).json()["error"]["type"], "not_found_error");
    EXPECT_EQ(request(port, "POST", "/v1/messages", "{").json()["type"], "error");
    EXPECT_EQ(get(port, "/v1/messages").status, 405);
}

class Responses : public ServerTest {
  protected:
    Reply responses(Json j) {
        j["temperature"] = 0;
        return post(port, "/v1/responses", j);
    }
};

TEST_F(Responses, GoOnFromAnEarlierOne) {
    const Json first = responses({{"input", "What is 12+30?"}}).json();
    EXPECT_EQ(first["status"], "completed");
    EXPECT_EQ(first["output"].back()["content"][0]["text"], "12 + 30 = 42");
    const std::string id = first["id"];
    const Json second = responses({{"input", "And what is 7+8?"}, {"previous_response_id", id}}).json();
    EXPECT_EQ(second["previous_response_id"], id);
    EXPECT_GT(second["usage"]["input_tokens"], first["usage"]["input_tokens"]);
    EXPECT_EQ(get(port, "/v1/responses/" + id).json(), first);
    EXPECT_EQ(request(port, "DELETE", "/v1/responses/" + id).json()["deleted"], true);
    EXPECT_EQ(get(port, "/v1/responses/" + id).status, 404);
    EXPECT_EQ(responses({{"input", "x"}, {"previous_response_id", id}}).json()["error"]["param"],
              "previous_response_id");
    const Json unstored = responses({{"input", "What is 1+1?"}, {"store", false}}).json();
    EXPECT_EQ(get(port, "/v1/responses/" + unstored["id"].get<std::string>()).status, 404);
}

TEST_F(Responses, StreamEventsAreNumberedAndEndWithTheWhole) {
    const Reply reply = responses({{"input", "What is 12+30?"}, {"stream", true}});
    std::string text;
    int next = 0;
    Json last;
    for (const Event& e : reply.events()) {
        last = e.json();
        EXPECT_EQ(last["type"], e.name);
        EXPECT_EQ(last["sequence_number"], next++);
        if (e.name == "response.output_text.delta") text += last["delta"];
    }
    EXPECT_EQ(last["type"], "response.completed");
    EXPECT_EQ(last["response"]["output"].back()["content"][0]["text"], text);
    EXPECT_EQ(text, "12 + 30 = 42");
}

TEST_F(Responses, CutAnswersAreIncomplete) {
    const Json j = responses({{"input", "Tell me a story."}, {"max_output_tokens", 4}}).json();
    EXPECT_EQ(j["status"], "incomplete");
    EXPECT_EQ(j["incomplete_details"]["reason"], "max_output_tokens");
}

TEST_F(Responses, ItemsOfAToolRoundTripAreUnderstood) {
    const Reply reply = responses(
        {{"instructions", "Be brief."},
         {"tools", {{{"type", "function"}, {"name", "weather"}, {"parameters", {{"type", "object"}}}}}},
         {"input",
          {{{"role", "user"}, {"content", "Weather in Rome?"}},
           {{"type", "function_call"},
            {"call_id", "c1"},
            {"name", "weather"},
            {"arguments", "{\"city\":\"Rome\"}"}},
           {{"type", "function_call_output"}, {"call_id", "c1"}, {"output", "sunny"}}}}});
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(responses({{"input", {{{"type", "computer_call"}}}}}).json()["error"]["param"],
              "input[0].type");
}

class Ollama : public ServerTest {};

TEST_F(Ollama, ChatsLineByLine) {
    Json body = question("What is 12+30?", {{"options", {{"temperature", 0}}}});
    const Reply reply = post(port, "/api/chat", body);  // streams unless told not to
    EXPECT_EQ(reply.header("content-type"), "application/x-ndjson");
    std::string text, thought;
    const auto lines = reply.lines();
    for (const Json& line : lines) {
        text += line["message"]["content"];
        thought += line["message"].value("thinking", "");
        EXPECT_EQ(line["done"], &line == &lines.back());
    }
    EXPECT_EQ(text, "12 + 30 = 42");
    EXPECT_FALSE(thought.empty());
    EXPECT_EQ(lines.back()["done_reason"], "stop");
    EXPECT_GT(lines.back()["eval_count"], 5);
    body["stream"] = false;
    EXPECT_EQ(post(port, "/api/chat", body).json()["message"]["content"], text);
}

TEST_F(Ollama, Generates) {
    const Json options = {{"temperature", 0}, {"num_predict", 12}};
    const Json j = post(port, "/api/generate",
                        {{"model", "rill:latest"},
                         {"prompt", "Once upon"},
                         {"raw", true},
                         {"options", options},
                         {"stream", false}})
                       .json();
    EXPECT_EQ(j["done"], true);
    EXPECT_EQ(j["done_reason"], "length");
    EXPECT_EQ(j["eval_count"], 12);
    EXPECT_EQ(post(port, "/api/generate", {{"model", "rill"}}).json()["done_reason"], "load");
}

TEST_F(Ollama, TellsOfTheModel) {
    EXPECT_EQ(get(port, "/api/tags").json()["models"][0]["name"], "rill");
    EXPECT_EQ(get(port, "/api/version").json()["version"], "0.0.test");
    const Json show = post(port, "/api/show", {{"model", "rill"}}).json();
    EXPECT_EQ(show["details"]["family"], "deepseek2");
    EXPECT_EQ(show["model_info"]["deepseek2.block_count"], 6);
    EXPECT_EQ(get(port, "/api/ps").json()["models"].size(), 1u);
    EXPECT_EQ(post(port, "/api/embed", {{"input", {"a", "b"}}}).json()["embeddings"].size(), 2u);
}

TEST_F(Ollama, ErrorsHaveItsShape) {
    const Reply reply = post(port, "/api/chat", {{"model", "nobody"}});
    EXPECT_EQ(reply.status, 404);
    EXPECT_TRUE(reply.json()["error"].is_string());
    EXPECT_EQ(post(port, "/api/chat", question("x", {{"options", {{"temperature", "x"}}}})).status, 400);
    EXPECT_EQ(post(port, "/api/generate", {{"prompt", "x"}, {"images", {"AAAA"}}}).status, 400);
}

}  // namespace
}  // namespace sluice::test
