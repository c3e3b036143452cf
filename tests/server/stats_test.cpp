// What the page and monitors are told: /stats as docs/stats.md has it, /metrics, the page itself.
#include "running_server.h"

namespace sluice::test {
namespace {

Json first_event(Connection& c) {
    EXPECT_TRUE(c.wait_for("}\n\n"));
    const size_t from = c.received().find("data: ") + 6;
    return Json::parse(c.received().substr(from, c.received().find("\n\n", from) - from));
}

class Stats : public ServerTest {};

TEST_F(Stats, IsAsItsContractSays) {
    post(port, "/v1/chat/completions", question("What is 12+30?"));
    Connection c(port);
    c.send_request("GET", "/stats");
    const Json j = first_event(c);
    EXPECT_GT(j["uptime"], 0);
    EXPECT_GT(j["rss"], 1 << 20);
    EXPECT_EQ(j["model"]["name"], "rill");
    EXPECT_EQ(j["model"]["experts"], 16);
    EXPECT_EQ(j["model"]["experts_used"], 4);
    uint64_t weights = 0;
    for (const auto& tier : j["memory"]["tiers"])
        for (const auto& part : tier["parts"])
            if (part["name"] == "dense" || part["name"] == "experts")
                weights += part["bytes"].get<uint64_t>();
    EXPECT_EQ(weights, j["model"]["bytes"]);
    EXPECT_GT(j["cache"]["hits"], 0);
    EXPECT_GT(j["tokens"]["decode_total"], 5);
    EXPECT_EQ(j["queue"], Json({{"active", 0}, {"waiting", 0}, {"limit", 64}}));
    EXPECT_TRUE(j["sessions"].empty());
    const Json& heat = j["heat"];
    const size_t cells = heat["layers"].get<size_t>() * heat["experts"].get<size_t>();
    EXPECT_EQ(heat["first_layer"], 1);
    EXPECT_EQ(heat["data"].get<std::string>().size(), (cells + 2) / 3 * 4);
    EXPECT_EQ(heat["tier"].get<std::string>().size(), (cells + 2) / 3 * 4);
}

TEST_F(Stats, ShowsWhoIsAnswered) {
    Connection busy(port);
    busy.send_request("POST", "/v1/chat/completions", endless().dump());
    ASSERT_TRUE(busy.wait_for("\"content\":\""));
    Connection c(port);
    c.send_request("GET", "/stats");
    const Json j = first_event(c);
    ASSERT_EQ(j["sessions"].size(), 1u);
    EXPECT_TRUE(j["sessions"][0]["id"].get<std::string>().starts_with("chatcmpl-"));
    EXPECT_EQ(j["sessions"][0]["state"], "decode");
    EXPECT_EQ(j["queue"]["active"], 1);
    ASSERT_TRUE(c.wait_for("decode_per_second"));
    std::string rest;
    ASSERT_TRUE(eventually([&] { return c.wait_for("\"time_per_token\":{", 100ms); }));
}

TEST_F(Stats, HeatIsLeftOutWhileNothingChanges) {
    Connection c(port);
    c.send_request("GET", "/stats");
    ASSERT_TRUE(eventually([&] {
        c.wait_for("never", 50ms);
        size_t events = 0;
        for (size_t at = 0; (at = c.received().find("\"uptime\"", at)) != std::string::npos; ++at) ++events;
        return events >= 3;
    }));
    const std::string& text = c.received();
    EXPECT_EQ(text.find("\"heat\":{"), text.rfind("\"heat\":{"));
}

TEST_F(Stats, MetricsCount) {
    post(port, "/v1/chat/completions", question("What is 12+30?"));
    const Reply reply = get(port, "/metrics");
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    EXPECT_NE(
        reply.body.find("# TYPE sluice_requests_finished_total counter\nsluice_requests_finished_total 1\n"),
        std::string::npos)
        << reply.body;
    EXPECT_EQ(reply.body.find("sluice_generated_tokens_total 0\n"), std::string::npos);
}

TEST_F(Stats, ThePageIsPartOfTheProgram) {
    const Reply reply = get(port, "/");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(reply.header("content-security-policy"), "frame-ancestors 'none'");
    EXPECT_EQ(reply.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(reply.header("referrer-policy"), "no-referrer");
    EXPECT_TRUE(reply.body.starts_with("<!doctype html>"));
}

TEST_F(Stats, TellsWhatGrammarsAndResponsesTake) {
    const Json form = {{"response_format", {{"type", "json_object"}}}, {"max_tokens", 30}};
    EXPECT_EQ(post(port, "/v1/chat/completions", question("An object.", form)).status, 200);
    EXPECT_EQ(post(port, "/v1/chat/completions", question("An object.", form)).status, 200);
    EXPECT_EQ(post(port, "/v1/responses", {{"input", "What is 1+1?"}}).status, 200);
    Connection c(port);
    c.send_request("GET", "/stats");
    const Json j = first_event(c);
    const Json& grammars = j["grammars"];
    EXPECT_GE(grammars["kept"], 1);
    EXPECT_GE(grammars["found"], 1);
    EXPECT_GT(grammars["bytes"], 1000);
    EXPECT_LE(grammars["bytes"], grammars["limit"]);
    EXPECT_TRUE(j["kv_disk"].is_null());
    uint64_t of_grammars = 0, of_responses = 0;
    for (const auto& part : j["memory"]["tiers"][0]["parts"]) {
        if (part["name"] == "grammars") of_grammars = part["bytes"];
        if (part["name"] == "responses") of_responses = part["bytes"];
    }
    EXPECT_EQ(of_grammars, grammars["bytes"]);
    EXPECT_GT(of_responses, 500u);
}

/// The whole line is one line, and can be read back.
TEST(LogPrompts, AreInTheLogIfAskedFor) {
    server::ServerOptions options;
    options.log_prompts = true;
    RunningServer running(std::move(options));
    const uint16_t port = running.port();
    const std::string asked = "What is 12+30?\n\x1b[31m\u202e\x7f\"quoted\" status=500";
    post(port, "/v1/chat/completions", question(asked));
    post(port, "/v1/chat/completions", question("What is 12+30?", {{"stream", true}, {"n", 2}}));
    post(port, "/v1/embeddings", {{"input", "swordfish"}});
    Connection leaves(port);
    leaves.send_request("POST", "/v1/chat/completions", endless().dump());
    ASSERT_TRUE(leaves.wait_for("\"content\":\" "));
    leaves.leave();
    ASSERT_TRUE(eventually([&] { return running.log().size() == 4; }));
    running.stop();
    const auto log = running.log();
    const auto field = [](const std::string& line, const std::string& name) {
        const size_t at = line.find(" " + name + "=\"");
        if (at == std::string::npos) return std::string("(none)");
        const size_t begin = at + name.size() + 2;
        size_t end = begin + 1;
        while (line[end] != '"' || line[end - 1] == '\\') ++end;
        return Json::parse(line.substr(begin, end + 1 - begin)).get<std::string>();
    };
    for (const auto& line : log)
        EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](unsigned char c) {
            return c < ' ' || c == 127;
        })) << line;
    EXPECT_NE(field(log[0], "prompt_text").find(asked), std::string::npos) << log[0];
    EXPECT_EQ(log[0].find("\u202e"), std::string::npos);
    EXPECT_NE(log[0].find("answer_text="), std::string::npos);
    EXPECT_EQ(field(log[1], "answer_text"), "12 + 30 = 42") << log[1];
    EXPECT_NE(log[1].find("answer_text="), log[1].rfind("answer_text="));
    EXPECT_NE(field(log[2], "prompt_text").find("swordfish"), std::string::npos) << log[2];
    EXPECT_NE(field(log[3], "prompt_text").find("Tell me a story."), std::string::npos) << log[3];
    EXPECT_GT(field(log[3], "answer_text").size(), 1u) << log[3];
    EXPECT_NE(log[3].find("left=true"), std::string::npos);
}

TEST_F(Stats, TheLogHasNoPrompts) {
    post(port, "/v1/chat/completions", question("What is 12+30? swordfish"));
    running.stop();
    const auto log = running.log();
    ASSERT_EQ(log.size(), 1u);
    EXPECT_NE(log[0].find("method=POST path=/v1/chat/completions status=200"), std::string::npos) << log[0];
    EXPECT_NE(log[0].find("generated="), std::string::npos) << log[0];
    EXPECT_EQ(log[0].find("swordfish"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
