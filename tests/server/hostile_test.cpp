// Clients that are broken, slow, many, or mean it: each gets an answer or is cut off, and the next one is
// served.
#include "running_server.h"

namespace sluice::test {
namespace {

class Hostile : public ServerTest {
  protected:
    void TearDown() override {
        EXPECT_EQ(post(port, "/v1/chat/completions", question("What is 12+30?"))
                      .json()["choices"][0]["message"]["content"],
                  "12 + 30 = 42");
    }
    Reply raw(const std::string& body) { return request(port, "POST", "/v1/chat/completions", body); }
};

TEST_F(Hostile, MalformedBodiesAreErrors) {
    const std::string good = question("x").dump();
    std::vector<std::string> bodies = {
        "{",
        "}",
        "[]",
        "null",
        "1",
        "\"x\"",
        "{}",
        "{\"messages\":1}",
        "\xff\xfe",
        "{\"a\":\"\xff\"}",
        good + "x",
        std::string("{\0}", 3),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}",
        "{\"messages\":[null]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"seed\":1e999}"};
    for (size_t n = 1; n < good.size(); n += 7) bodies.push_back(good.substr(0, n));
    for (const auto& body : bodies) {
        const Reply reply = raw(body);
        EXPECT_EQ(reply.status, 400) << body;
        EXPECT_EQ(reply.json()["error"]["type"], "invalid_request_error") << body;
    }
    EXPECT_EQ(raw("").status, 400);
}

TEST_F(Hostile, DeepNestingIsAnError) {
    const std::string open(200'000, '['), close(200'000, ']');
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    for (const auto& body : {open, open + close, "{\"tools\":" + open + close + "}", objects}) {
        const Reply reply = raw(body);
        EXPECT_EQ(reply.status, 400);
        EXPECT_NE(reply.body.find("64 deep"), std::string::npos) << reply.body;
    }
}

/// The arguments of an earlier call are JSON inside JSON.
TEST_F(Hostile, DeepArgumentsAreText) {
    Json body = question("x", {{"max_tokens", 2}});
    body["messages"].push_back(
        {{"role", "assistant"},
         {"tool_calls",
          {{{"id", "1"}, {"function", {{"name", "f"}, {"arguments", std::string(1000, '[')}}}}}}});
    body["messages"].push_back({{"role", "tool"}, {"tool_call_id", "1"}, {"content", "y"}});
    EXPECT_EQ(raw(body.dump()).status, 200);
}

TEST_F(Hostile, ManyNamesInAnObjectAreAnErrorAtOnce) {
    std::string body = "{";
    for (int i = 0; i < 300'000; ++i) body += "\"n" + std::to_string(i) + "\":0,";
    body += "\"z\":0}";
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(raw(body).status, 400);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(Hostile, PathsAndMethodsThatAreNoneAreErrors) {
    EXPECT_EQ(get(port, "/nothing").status, 404);
    EXPECT_EQ(get(port, "/v1/../../etc/passwd").status, 404);
    EXPECT_EQ(get(port, "/" + std::string(5000, 'a')).status, 404);
    EXPECT_EQ(get(port, "/v1/chat/completions").status, 405);
    EXPECT_EQ(request(port, "BREW", "/v1/chat/completions").status, 405);
    EXPECT_EQ(request(port, "HEAD", "/health").status, 200);
}

TEST_F(Hostile, WhatIsNoHttpIsCutOff) {
    for (const char* text :
         {"\r\n\r\n\r\n\r\nhello\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x01\r\n\r\n",
          "GET / HTTP/1.1\r\n\r\n",
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
          "chunked\r\n\r\nzz\r\n"}) {
        Connection c(port);
        c.send(text);
        c.end_input();
        EXPECT_TRUE(c.closes(10s)) << text;
        EXPECT_EQ(c.received().find("200 OK"), std::string::npos) << c.received();
    }
}

TEST_F(Hostile, HeadersThatNeverEndAreCutOff) {
    Connection c(port);
    c.send("GET /health HTTP/1.1\r\nHost: localhost\r\n");
    const std::string header = "X-Long: " + std::string(1000, 'x') + "\r\n";
    for (int i = 0; i < 1000; ++i)
        if (!c.send(header)) break;
    EXPECT_TRUE(c.closes());
}

TEST_F(Hostile, ManyConnectionsCostTheOthersNothing) {
    std::vector<Connection> idle;
    for (int i = 0; i < 400; ++i) idle.emplace_back(port);
    for (int i = 0; i < 400; i += 2) idle[size_t(i)].send("POST /v1/chat/completions HTTP/1.1\r\nHost: lo");
    EXPECT_EQ(get(port, "/health").status, 200);
    const Reply reply = raw(question("What is 12+30?").dump());
    EXPECT_EQ(reply.status, 200);
}

TEST_F(Hostile, RequestsMayFollowEachOtherOnAConnection) {
    Connection c(port);
    for (int i = 0; i < 3; ++i) {
        c.send_request("POST", "/v1/chat/completions", question("What is 12+30?").dump());
        EXPECT_EQ(c.read_reply().json()["choices"][0]["message"]["content"], "12 + 30 = 42");
    }
    c.send_request("POST", "/v1/chat/completions", "{");
    EXPECT_EQ(c.read_reply().status, 400);
    c.send_request("GET", "/health");
    c.send_request("GET", "/health");  // before the first is answered
    EXPECT_EQ(c.read_reply().status, 200);
    EXPECT_EQ(c.read_reply().status, 200);
}

TEST_F(Hostile, ABodyMayComeInPiecesAndChunks) {
    const std::string body = question("What is 12+30?").dump();
    Connection drops(port);
    drops.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n");
    for (const char c : body) drops.send(std::string(1, c));
    EXPECT_EQ(drops.read_reply().status, 200);
    Connection chunks(port);
    chunks.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char c : body) chunks.send("1\r\n" + std::string(1, c) + "\r\n");
    chunks.send("0\r\n\r\n");
    EXPECT_EQ(chunks.read_reply().status, 200);
}

TEST_F(Hostile, FormsThatCannotBeAreRefusedWithTheirField) {
    const auto error = [&](Json more) {
        const Reply reply = raw(question("x", std::move(more)).dump());
        EXPECT_EQ(reply.status, 400) << reply.body;
        return reply.json()["error"];
    };
    const auto schema = [](Json s) {
        return Json{
            {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"schema", s}}}}}};
    };
    EXPECT_EQ(error(schema({{"type", "nothing"}}))["param"], "response_format");
    EXPECT_EQ(error(schema({{"not", {{"type", "string"}}}}))["code"], "unsupported_value");
    EXPECT_EQ(error({{"grammar", "root ::= missing"}})["param"], "grammar");
}

TEST(Limits, ABodyThatIsTooLargeIsRefused) {
    RunningServer running(limits({.body_bytes = 2000}));
    const Reply told = post(running.port(), "/v1/chat/completions", question(std::string(3000, 'x')));
    EXPECT_EQ(told.status, 413);
    EXPECT_NE(told.json()["error"]["message"].get<std::string>().find("2000"), std::string::npos);
    EXPECT_EQ(post(running.port(), "/v1/messages", question(std::string(3000, 'x'))).json()["error"]["type"],
              "request_too_large");
    Connection chunks(running.port());  // without saying how large it will be
    chunks.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 3; ++i) chunks.send("3E8\r\n" + std::string(1000, 'x') + "\r\n");
    chunks.send("0\r\n\r\n");
    EXPECT_EQ(chunks.read_reply().status, 413);
    Connection endless(running.port());
    endless.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10000; ++i)
        if (!endless.send("3E8\r\n" + std::string(1000, 'x') + "\r\n")) break;
    EXPECT_TRUE(endless.closes());
    EXPECT_EQ(get(running.port(), "/health").status, 200);
}

/// Dripping does not help: the deadline is for the whole head, and for the whole body.
TEST(Limits, SlowClientsAreCutOff) {
    RunningServer running(limits({.head_time = 1s, .body_time = 1s, .idle_time = 2s}));
    Connection head(running.port()), body(running.port()), idle(running.port()), waiting(running.port());
    head.send("GET /health HTTP/1.1\r\nHost: localhost\r\n");
    body.send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{");
    waiting.send_request("GET", "/health");
    EXPECT_EQ(waiting.read_reply().status, 200);
    const auto drip = [](Connection& c) {
        for (int i = 0; i < 100; ++i) {
            if (!c.send("X")) return true;
            if (c.closes(100ms)) return true;
        }
        return false;
    };
    EXPECT_TRUE(drip(head));
    EXPECT_TRUE(drip(body));
    EXPECT_TRUE(idle.closes(10s));
    EXPECT_TRUE(waiting.closes(10s));
}

TEST(Limits, AnAnswerMayTakeLongerThanAnyOfThem) {
    RunningServer running(
        limits({.head_time = 1s, .body_time = 1s, .idle_time = 1s, .keep_alive_every = 1s}));
    const Reply reply =
        post(running.port(), "/v1/chat/completions", endless({{"stream", false}, {"max_tokens", 1000}}));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.json()["usage"]["completion_tokens"], 1000);
}

TEST(Limits, MoreConnectionsThanAllowedWait) {
    RunningServer running(limits({.connections = 20}));
    std::vector<Connection> all;
    for (int i = 0; i < 20; ++i) {
        all.emplace_back(running.port());
        all.back().send_request("GET", "/health");
        EXPECT_EQ(all.back().read_reply().status, 200);
    }
    Connection waiting(running.port());
    waiting.send_request("GET", "/health");
    EXPECT_FALSE(waiting.wait_for("HTTP", 300ms));
    all.clear();
    EXPECT_EQ(waiting.read_reply().status, 200);
}

}  // namespace
}  // namespace sluice::test
