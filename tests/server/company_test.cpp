// Many at once: answers are those given alone, the queue is bounded, who leaves is forgotten at once, and
// stopping is orderly.
#include <future>

#include "running_server.h"

namespace sluice::test {
namespace {

TEST(Company, AnswersAreTheOnesGivenAlone) {
    RunningServer running({}, {.parallel = 8});
    const uint16_t port = running.port();
    std::vector<Json> bodies;
    for (int i = 0; i < 16; ++i) {
        std::string text = i % 3 == 0
                               ? "What is " + std::to_string(10 + i) + "+" + std::to_string(40 + i) + "?"
                               : "Tell me a story.";
        if (i % 4 == 1)
            for (int k = 0; k < (SLUICE_SANITIZED ? 15 : 60) * i; ++k) text += " word";
        bodies.push_back(
            question(text, {{"temperature", i % 2 ? 1.0 : 0.0}, {"seed", i}, {"max_tokens", 40}}));
    }
    const auto ask = [&](const Json& body) {
        const Json j = post(port, "/v1/chat/completions", body).json();
        return j["choices"][0]["message"].dump();
    };
    std::vector<std::future<std::string>> together;
    for (const Json& body : bodies) together.push_back(std::async(std::launch::async, ask, body));
    for (auto& answer : together) answer.wait();
    RunningServer fresh({}, {.parallel = 1});  // nothing cached, nobody else
    for (size_t i = 0; i < bodies.size(); ++i)
        EXPECT_EQ(
            together[i].get(),
            post(fresh.port(), "/v1/chat/completions", bodies[i]).json()["choices"][0]["message"].dump())
            << i;
}

TEST(Company, WhoLeavesIsForgottenWithinAStep) {
    RunningServer running;
    for (const bool reset : {false, true})
        for (const bool stream : {true, false}) {
            Connection c(running.port());
            c.send_request("POST", "/v1/chat/completions", endless({{"stream", stream}}).dump());
            ASSERT_TRUE(eventually([&] { return running.requests_at_work() == 1; }));
            ASSERT_TRUE(!stream || c.wait_for("\"content\":\""));
            const auto left = std::chrono::steady_clock::now();
            c.leave(reset);
            ASSERT_TRUE(eventually([&] { return running.requests_at_work() == 0; }));
            EXPECT_LT(std::chrono::steady_clock::now() - left, 500ms);
        }
    EXPECT_EQ(running.model().scheduler().stats().cancelled, 4u);
}

TEST(Company, WhoWaitsInTheQueueMayLeaveToo) {
    RunningServer running({}, {.parallel = 1});
    Connection first(running.port()), second(running.port());
    first.send_request("POST", "/v1/chat/completions", endless().dump());
    ASSERT_TRUE(first.wait_for("\"content\":\""));
    second.send_request("POST", "/v1/chat/completions",
                        endless({{"stream_options", {{"include_usage", true}}}}).dump());
    ASSERT_TRUE(second.wait_for("\"waiting\":0"));
    second.leave();
    EXPECT_TRUE(eventually([&] { return running.requests_at_work() == 1; }));
}

TEST(Company, AFullQueueSaysWhenToComeBack) {
    RunningServer running({}, {.parallel = 1, .queue = 1});
    Connection first(running.port()), second(running.port());
    first.send_request("POST", "/v1/chat/completions", endless().dump());
    ASSERT_TRUE(first.wait_for("\"content\":\""));
    second.send_request("POST", "/v1/chat/completions", endless().dump());
    ASSERT_TRUE(eventually([&] { return running.requests_at_work() == 2; }));
    const Reply reply = post(running.port(), "/v1/chat/completions", question("x"));
    EXPECT_EQ(reply.status, 503);
    EXPECT_GT(std::stoi(reply.header("retry-after")), 0);
    EXPECT_EQ(reply.json()["error"]["type"], "server_error");
    EXPECT_EQ(
        post(running.port(), "/v1/messages", question("x", {{"max_tokens", 5}})).json()["error"]["type"],
        "overloaded_error");
    EXPECT_EQ(post(running.port(), "/v1/embeddings", {{"input", "x"}}).status, 503);
    first.leave();
    second.leave();
    EXPECT_TRUE(eventually([&] { return running.requests_at_work() == 0; }));
    EXPECT_EQ(post(running.port(), "/v1/chat/completions", question("What is 1+1?")).status, 200);
}

TEST(Company, AReaderWhoDoesNotReadStopsNobody) {
    RunningServer running;
    std::vector<Connection> lazy;
    for (int i = 0; i < 3; ++i) {
        lazy.emplace_back(running.port());
        lazy.back().send_request("POST", "/v1/chat/completions",
                                 endless({{"logprobs", true}, {"top_logprobs", 20}}).dump());
    }
    EXPECT_EQ(post(running.port(), "/v1/chat/completions", question("What is 12+30?")).status, 200);
}

TEST(Stopping, WhatIsBeingAnsweredIsAnswered) {
    RunningServer running;
    Connection c(running.port());
    c.send_request("POST", "/v1/chat/completions",
                   endless({{"max_tokens", SLUICE_SANITIZED ? 100 : 300}}).dump());
    ASSERT_TRUE(c.wait_for("\"content\":\""));
    Connection stats(running.port());
    stats.send_request("GET", "/stats");
    ASSERT_TRUE(stats.wait_for("uptime"));
    auto drained = std::async(std::launch::async, [&] { return running.server().drain(60s); });
    const Reply reply = c.read_reply();
    EXPECT_TRUE(reply.complete);
    EXPECT_NE(reply.body.find("[DONE]"), std::string::npos);
    EXPECT_TRUE(drained.get());
    EXPECT_THROW(get(running.port(), "/health"), std::runtime_error);
}

TEST(Stopping, WhatTakesTooLongIsCut) {
    RunningServer running;
    Connection stream(running.port()), whole(running.port());
    stream.send_request("POST", "/v1/chat/completions", endless().dump());
    whole.send_request("POST", "/v1/chat/completions", endless({{"stream", false}}).dump());
    ASSERT_TRUE(stream.wait_for("\"content\":\""));
    EXPECT_FALSE(running.server().drain(0s));
    running.stop();
    EXPECT_TRUE(stream.closes(10s));
    EXPECT_EQ(stream.received().find("[DONE]"), std::string::npos);
    EXPECT_TRUE(whole.closes(10s));
}

TEST(Starting, SaysThatItLoadsUntilItServes) {
    RunningServer running({}, {}, false);
    running.server().loading(3, 10);
    const Reply health = get(running.port(), "/health");
    EXPECT_EQ(health.status, 503);
    EXPECT_EQ(health.json()["status"], "loading");
    EXPECT_EQ(health.json()["progress"]["processed"], 3);
    EXPECT_EQ(get(running.port(), "/ready").status, 503);
    const Reply early = post(running.port(), "/v1/chat/completions", question("x"));
    EXPECT_EQ(early.status, 503);
    EXPECT_GT(std::stoi(early.header("retry-after")), 0);
    running.load();
    EXPECT_EQ(get(running.port(), "/health").json(), Json({{"status", "ok"}}));
    EXPECT_EQ(get(running.port(), "/ready").status, 200);
    EXPECT_EQ(post(running.port(), "/v1/chat/completions", question("What is 1+1?")).status, 200);
}

}  // namespace
}  // namespace sluice::test
