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
