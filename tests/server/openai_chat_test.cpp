// /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models.
#include <cmath>

#include "running_server.h"

namespace sluice::test {
namespace {

class OpenAi : public ServerTest {
  protected:
    Reply chat(const Json& body) { return post(port, "/v1/chat/completions", body); }
};

/// The answer of a stream, put together.
struct Streamed {
    std::string content{}, reasoning{}, finish{}, role{};
    Json usage{};
    size_t chunks = 0, logprobs = 0;
    bool done = false;
};

Streamed gather(const Reply& reply) {
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.header("content-type"), "text/event-stream");
    Streamed s;
    for (const Event& e : reply.events()) {
        EXPECT_FALSE(s.done) << "after [DONE]: " << e.data;
        if (e.data == "[DONE]") {
            s.done = true;
            continue;
        }
        const Json chunk = e.json();
        EXPECT_EQ(chunk["object"], "chat.completion.chunk");
        ++s.chunks;
        if (chunk.contains("usage") && !chunk["usage"].is_null()) s.usage = chunk["usage"];
        for (const auto& choice : chunk["choices"]) {
            EXPECT_TRUE(s.finish.empty()) << e.data;
            const Json& delta = choice["delta"];
            s.content += delta.value("content", "");
            s.reasoning += delta.value("reasoning_content", "");
            s.role += delta.value("role", "");
            if (!choice["logprobs"].is_null()) s.logprobs += choice["logprobs"]["content"].size();
            if (!choice["finish_reason"].is_null()) s.finish = choice["finish_reason"];
        }
    }
    return s;
}

TEST_F(OpenAi, AnswersWithThoughtsApart) {
    const Reply reply = chat(question("What is 12+30?"));
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.header("content-type"), "application/json");
    const Json j = reply.json();
    EXPECT_EQ(j["object"], "chat.completion");
    EXPECT_TRUE(j["id"].get<std::string>().starts_with("chatcmpl-"));
    EXPECT_EQ(j["model"], "rill");
    const Json& choice = j["choices"][0];
    EXPECT_EQ(choice["message"]["role"], "assistant");
    EXPECT_EQ(choice["message"]["content"], "12 + 30 = 42");
    EXPECT_NE(choice["message"]["reasoning_content"].get<std::string>().find("tens"), std::string::npos);
    EXPECT_EQ(choice["finish_reason"], "stop");
    EXPECT_TRUE(choice["logprobs"].is_null());
    const Json& usage = j["usage"];
    EXPECT_EQ(usage["total_tokens"],
              usage["prompt_tokens"].get<int>() + usage["completion_tokens"].get<int>());
    EXPECT_GT(usage["completion_tokens_details"]["reasoning_tokens"], 0);
}

TEST_F(OpenAi, StreamsTheSame) {
    const Json whole = chat(question("What is 12+30?")).json();
    const Streamed s = gather(
        chat(question("What is 12+30?", {{"stream", true}, {"stream_options", {{"include_usage", true}}}})));
    EXPECT_EQ(s.content, whole["choices"][0]["message"]["content"]);
    EXPECT_EQ(s.reasoning, whole["choices"][0]["message"]["reasoning_content"]);
    EXPECT_EQ(s.role, "assistant");
    EXPECT_EQ(s.finish, "stop");
    EXPECT_TRUE(s.done);
    EXPECT_GT(s.chunks, 10u);
    EXPECT_EQ(s.usage["completion_tokens"], whole["usage"]["completion_tokens"]);
}

TEST_F(OpenAi, ChunksHaveAChoiceUnlessUsageIsWanted) {
    std::string text = "Repeat: ";
    for (int i = 0; i < 1200; ++i) text += "word ";  // more than are computed at once
    for (const Event& e : chat(question(text, {{"stream", true}, {"max_tokens", 3}})).events()) {
        if (e.data == "[DONE]") continue;
        EXPECT_EQ(e.json()["choices"].size(), 1u) << e.data;
    }
    bool progress = false;
    for (const Event& e :
         chat(question("Now " + text,
                       {{"stream", true}, {"max_tokens", 3}, {"stream_options", {{"include_usage", true}}}}))
             .events())
        if (e.data != "[DONE]" && e.json().contains("progress")) {
            progress = true;
            EXPECT_TRUE(e.json()["choices"].empty());
        }
    EXPECT_TRUE(progress);
}

TEST_F(OpenAi, TheSeedDecides) {
    const auto story = [&](int seed) {
        return chat(question("Tell me a story.", {{"temperature", 1.2}, {"seed", seed}, {"max_tokens", 40}}))
            .json()["choices"][0]["message"]["content"];
    };
    const auto first = story(7);
    EXPECT_EQ(story(7), first);
    EXPECT_NE(story(8), first);
}

TEST_F(OpenAi, SeveralAnswersHaveSeedsThatFollow) {
    const Json body = question("Tell me a story.", {{"temperature", 1.2}, {"max_tokens", 30}, {"seed", 5}});
    Json three = body;
    three["n"] = 3;
    const Json j = chat(three).json();
    ASSERT_EQ(j["choices"].size(), 3u);
    uint64_t tokens = 0;
    for (int i = 0; i < 3; ++i) {
        Json alone = body;
        alone["seed"] = 5 + i;
        const Json one = chat(alone).json();
        EXPECT_EQ(j["choices"][i]["index"], i);
        EXPECT_EQ(j["choices"][i]["message"], one["choices"][0]["message"]);
        tokens += one["usage"]["completion_tokens"].get<uint64_t>();
    }
    EXPECT_EQ(j["usage"]["completion_tokens"], tokens);
}

TEST_F(OpenAi, StopsAtAStopText) {
    const Json j = chat(question("What is 12+30?", {{"stop", {"=", "zzz"}}})).json();
    EXPECT_EQ(j["choices"][0]["message"]["content"], "12 + 30 ");
    // The model's thoughts are its own.
    EXPECT_NE(j["choices"][0]["message"]["reasoning_content"].get<std::string>().find('='),
              std::string::npos);
    EXPECT_EQ(j["choices"][0]["finish_reason"], "stop");
}

TEST_F(OpenAi, LengthIsAReasonToEnd) {
    for (const char* name : {"max_tokens", "max_completion_tokens"}) {
        const Json j = chat(question("Tell me a story.", {{name, 5}})).json();
        EXPECT_EQ(j["choices"][0]["finish_reason"], "length");
        EXPECT_EQ(j["usage"]["completion_tokens"], 5);
    }
}

TEST_F(OpenAi, LogprobsAreOfTheContent) {
    const Json body = question("What is 12+30?", {{"logprobs", true}, {"top_logprobs", 3}});
    const Json choice = chat(body).json()["choices"][0];
    std::string text;
    for (const auto& token : choice["logprobs"]["content"]) {
        text += token["token"].get<std::string>();
        EXPECT_LE(token["logprob"], 0);
        EXPECT_EQ(token["top_logprobs"].size(), 3u);
        EXPECT_EQ(token["top_logprobs"][0]["token"], token["token"]);  // temperature 0
        EXPECT_FALSE(token["bytes"].empty());
    }
    EXPECT_EQ(text, choice["message"]["content"]);
    Json stream = body;
    stream["stream"] = true;
    EXPECT_EQ(gather(chat(stream)).logprobs, choice["logprobs"]["content"].size());
}

TEST_F(OpenAi, LogitBiasForbids) {
    const Json plain = chat(question("What is 12+30?", {{"logprobs", true}, {"top_logprobs", 0}})).json();
    const std::string first = plain["choices"][0]["logprobs"]["content"][0]["token"];
    const Json ids = post(port, "/tokenize", {{"content", first}}).json()["tokens"];
    const Json j =
        chat(question("What is 12+30?", {{"logit_bias", {{std::to_string(ids[0].get<int>()), -100}}}}))
            .json();
    EXPECT_FALSE(j["choices"][0]["message"]["content"].get<std::string>().starts_with(first));
}

TEST_F(OpenAi, LaterTurnsReuseEarlierOnes) {
    Json body = question("What is 12+30?");
    const Json first = chat(body).json();
    body["messages"].push_back(
        {{"role", "assistant"}, {"content", first["choices"][0]["message"]["content"]}});
    body["messages"].push_back({{"role", "user"}, {"content", "And what is 7+8?"}});
    const Json second = chat(body).json();
    EXPECT_GT(second["usage"]["prompt_tokens_details"]["cached_tokens"], 5);
    EXPECT_NE(second["choices"][0]["message"]["content"].get<std::string>().find("15"), std::string::npos);
}

TEST_F(OpenAi, ContentMayBeParts) {
    Json body = question("");
    body["messages"][0]["content"] = {{{"type", "text"}, {"text", "What is "}},
                                      {{"type", "text"}, {"text", "12+30?"}}};
    EXPECT_EQ(chat(body).json()["choices"][0]["message"]["content"], "12 + 30 = 42");
}

TEST_F(OpenAi, WhatIsWrongIsNamed) {
    const auto expect_param = [&](const Json& body, const char* param, const char* word) {
        const Reply reply = chat(body);
        EXPECT_EQ(reply.status, 400) << body;
        const Json error = reply.json()["error"];
        EXPECT_EQ(error["type"], "invalid_request_error") << body;
        EXPECT_EQ(error["param"], param) << body;
        EXPECT_NE(error["message"].get<std::string>().find(word), std::string::npos) << error;
    };
    expect_param(question("x", {{"temperature", "hot"}}), "temperature", "\"hot\"");
    expect_param(question("x", {{"temperature", -1}}), "temperature", "-1");
    expect_param(question("x", {{"n", 0}}), "n", "found 0");
    expect_param(question("x", {{"max_tokens", 0}}), "max_tokens", "at least 1");
    expect_param(question("x", {{"top_logprobs", 21}}), "top_logprobs", "20");
    expect_param(question("x", {{"stop", {1}}}), "stop[0]", "string");
    expect_param(question("x", {{"logit_bias", {{"99999999", 1}}}}), "logit_bias", "99999999");
    expect_param(question("x", {{"logit_bias", {{"-1", 1}}}}), "logit_bias", "-1");
    expect_param(question("x", {{"messages", Json::array()}}), "messages", "at least one");
    expect_param(question("x", {{"messages", {{{"role", "robot"}, {"content", "x"}}}}}), "messages[0].role",
                 "robot");
    expect_param(question("x", {{"messages", {{{"role", "user"}}}}}), "messages[0].content", "nothing");
    expect_param(question("x", {{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}}),
                 "messages[0].content[0].type", "image_url");
    expect_param(question("x", {{"tool_choice", "sometimes"}}), "tool_choice", "sometimes");
    expect_param(question("x", {{"tool_choice", "required"}}), "tool_choice", "no tools");
    expect_param(question("x", {{"tools", {{{"type", "web_search"}}}}}), "tools[0].type", "web_search");
    expect_param(question("x", {{"reasoning_effort", "huge"}}), "reasoning_effort", "huge");
    expect_param(question("x", {{"response_format", {{"type", "xml"}}}}), "response_format.type", "xml");
    EXPECT_EQ(chat(question("x", {{"model", "gpt-9"}})).status, 404);
}

TEST_F(OpenAi, APromptLongerThanTheContextIsRefused) {
    std::string text;
    for (int i = 0; i < 9000; ++i) text += "word ";
    const Reply reply = chat(question(text));
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.json()["error"]["code"], "context_length_exceeded");
    EXPECT_NE(reply.json()["error"]["message"].get<std::string>().find("4096"), std::string::npos)
        << reply.body;
}

TEST_F(OpenAi, CompletionsContinueText) {
    const Json body = {
        {"model", "rill"}, {"prompt", "Once upon a time"}, {"temperature", 0}, {"max_tokens", 12}};
    const Json j = post(port, "/v1/completions", body).json();
    EXPECT_EQ(j["object"], "text_completion");
    const std::string text = j["choices"][0]["text"];
    EXPECT_GT(text.size(), 10u);
    EXPECT_EQ(j["choices"][0]["finish_reason"], "length");

    Json more = body;
    more["stream"] = true;
    std::string streamed;
    for (const Event& e : post(port, "/v1/completions", more).events())
        if (e.data != "[DONE]") streamed += e.json()["choices"][0]["text"];
    EXPECT_EQ(streamed, text);

    more = body;
    more["echo"] = true;
    more["logprobs"] = 2;
    const Json echoed = post(port, "/v1/completions", more).json()["choices"][0];
    EXPECT_EQ(echoed["text"], "Once upon a time" + text);
    EXPECT_EQ(echoed["logprobs"]["tokens"].size(), 12u);
    EXPECT_EQ(echoed["logprobs"]["top_logprobs"][0].size(), 2u);
    EXPECT_EQ(echoed["logprobs"]["text_offset"][0], 16);

    more = body;
    more["prompt"] =
        post(port, "/tokenize", {{"content", "Once upon a time"}, {"add_special", true}}).json()["tokens"];
    EXPECT_EQ(post(port, "/v1/completions", more).json()["choices"][0]["text"], text);
    more["prompt"] = {1, -5};
    EXPECT_EQ(post(port, "/v1/completions", more).json()["error"]["param"], "prompt");
}

TEST_F(OpenAi, EmbeddingsAreOfLengthOneAndDoNotDependOnCompany) {
    const Json j = post(port, "/v1/embeddings", {{"input", {"a cat", "a dog", "twelve"}}}).json();
    ASSERT_EQ(j["data"].size(), 3u);
    const std::vector<float> cat = j["data"][0]["embedding"];
    double sum = 0;
    for (const float x : cat) sum += double(x) * x;
    EXPECT_NEAR(sum, 1, 1e-4);
    const Json alone = post(port, "/v1/embeddings", {{"input", "a cat"}}).json();
    EXPECT_EQ(alone["data"][0]["embedding"].get<std::vector<float>>(), cat);
    const std::string packed =
        post(port, "/v1/embeddings", {{"input", "a cat"}, {"encoding_format", "base64"}})
            .json()["data"][0]["embedding"];
    EXPECT_EQ(packed.size(), (cat.size() * 4 + 2) / 3 * 4);
    EXPECT_EQ(post(port, "/v1/embeddings", {{"input", ""}}).status, 200);  // BOS alone
    EXPECT_EQ(post(port, "/v1/embeddings", {{"input", Json::array()}}).json()["error"]["param"], "input");
    EXPECT_EQ(post(port, "/v1/embeddings", {{"input", "x"}, {"dimensions", 3}}).json()["error"]["param"],
              "dimensions");
}

TEST_F(OpenAi, ModelsAreListed) {
    const Json j = get(port, "/v1/models").json();
    EXPECT_EQ(j["object"], "list");
    EXPECT_EQ(j["data"][0]["id"], "rill");
    EXPECT_EQ(get(port, "/v1/models/rill").json()["id"], "rill");
    EXPECT_EQ(get(port, "/v1/models/other").status, 404);
}

TEST_F(OpenAi, TextAndTokens) {
    const Json ids = post(port, "/tokenize", {{"content", "hello world"}}).json()["tokens"];
    EXPECT_EQ(post(port, "/detokenize", {{"tokens", ids}}).json()["content"], "hello world");
    const Json rendered = post(port, "/apply-template", question("hi")).json();
    EXPECT_NE(rendered["prompt"].get<std::string>().find("hi"), std::string::npos);
    EXPECT_EQ(post(port, "/detokenize", {{"tokens", {4096}}}).json()["error"]["param"], "tokens[0]");
}

}  // namespace
}  // namespace sluice::test
