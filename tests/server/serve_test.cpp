// The program: sluice serve as its owner starts and stops it.
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include "../cli/process.h"
#include "http_client.h"

namespace sluice::test {
namespace {

/// The port in "… is served at http://127.0.0.1:PORT · …".
uint16_t port_of(Process& process, std::string& shown) {
    if (!process.wait_for("is served at ")) return 0;
    process.wait_for("Ctrl-C stops");
    shown = process.shown();
    const size_t at = shown.find("127.0.0.1:");
    return at == std::string::npos ? uint16_t(0) : uint16_t(std::stoi(shown.substr(at + 10)));
}

TEST(Serve, AnswersAndDrainsAtSigterm) {
    Process process({"serve", rill(), "--port", "0", "--no-learn"});
    std::string shown;
    const uint16_t port = port_of(process, shown);
    ASSERT_NE(port, 0) << shown;
    const Json body = {{"model", "rill-q8_0"},
                       {"stream", true},
                       {"ignore_eos", true},
                       {"max_tokens", 400},
                       {"messages", {{{"role", "user"}, {"content", "Tell me a story."}}}}};
    Connection c(port);
    c.send_request("POST", "/v1/chat/completions", body.dump());
    ASSERT_TRUE(c.wait_for("\"content\":\""));
    process.signal(SIGTERM);
    const Reply reply = c.read_reply();
    EXPECT_TRUE(reply.complete);
    EXPECT_NE(reply.body.find("[DONE]"), std::string::npos);
    const Finished done = process.finish();
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_NE(done.err.find("path=/v1/chat/completions status=200"), std::string::npos) << done.err;
}

TEST(Serve, AConversationGoesOnAfterAKill) {
    const TemporaryFolder folder;
    const Arguments arguments = {"serve", rill(), "--port", "0", "--no-learn", "--kv-disk", folder.path()};
    std::string text = "Tell me a story about";
    for (int i = 0; i < 150; ++i) text += " word" + std::to_string(i);
    Json body = {
        {"temperature", 0}, {"max_tokens", 80}, {"messages", {{{"role", "user"}, {"content", text}}}}};
    const auto ask = [&](uint16_t port) { return post(port, "/v1/chat/completions", body).json(); };
    Json second_alone;
    {
        Process process(arguments);
        std::string shown;
        const uint16_t port = port_of(process, shown);
        ASSERT_NE(port, 0) << shown;
        const Json first = ask(port);
        body["messages"].push_back(
            {{"role", "assistant"}, {"content", first["choices"][0]["message"]["content"]}});
        body["messages"].push_back({{"role", "user"}, {"content", "Go on."}});
        ASSERT_TRUE(get(port, "/metrics").body.find("kv_disk_pages_written_total") != std::string::npos);
        for (int i = 0; i < 500; ++i) {
            if (get(port, "/metrics").body.find("kv_disk_pages_written_total 0\n") == std::string::npos)
                break;
            std::this_thread::sleep_for(10ms);
        }
        std::this_thread::sleep_for(100ms);
        process.signal(SIGKILL);
        EXPECT_NE(process.finish().status, 0);
    }
    {
        Process fresh({"serve", rill(), "--port", "0", "--no-learn"});
        std::string shown;
        second_alone = ask(port_of(fresh, shown));
    }
    Process process(arguments);
    std::string shown;
    const Json second = ask(port_of(process, shown));
    EXPECT_GT(second["usage"]["prompt_tokens_details"]["cached_tokens"], 300);
    EXPECT_EQ(second["choices"], second_alone["choices"]);
}

TEST(Serve, PromptsAreLoggedWithAWarningAlone) {
    Process process({"serve", rill(), "--port", "0", "--no-learn", "--log-prompts"});
    std::string shown;
    const uint16_t port = port_of(process, shown);
    ASSERT_NE(port, 0) << shown;
    ASSERT_TRUE(process.wait_for("warning: --log-prompts"));
    post(port, "/v1/completions", {{"prompt", "swordfish"}, {"max_tokens", 3}});
    EXPECT_TRUE(process.wait_for("prompt_text=")) << process.shown();
    process.signal(SIGTERM);
    EXPECT_NE(process.finish().err.find("swordfish"), std::string::npos);
    EXPECT_EQ(sluice({"serve", rill(), "--port", "0", "--log-prompts", "-q"}).status, 2);
}

TEST(Serve, OtherMachinesNeedAKey) {
    const Finished open = sluice({"serve", rill(), "--host", "0.0.0.0", "--port", "0"});
    EXPECT_EQ(open.status, 2);
    EXPECT_NE(open.err.find("--api-key"), std::string::npos) << open.err;
    EXPECT_NE(open.err.find("--insecure"), std::string::npos) << open.err;
}

TEST(Serve, MistakesAreSaid) {
    EXPECT_NE(sluice({"serve", rill(), "--port", "0", "--api-key-file", "/nowhere"}).err.find("/nowhere"),
              std::string::npos);
    EXPECT_EQ(sluice({"serve", rill(), "--port", "0", "--tls-cert", "x"}).status, 2);
    EXPECT_EQ(sluice({"serve", rill(), "--port", "0", "--max-body", "lots"}).status, 2);
    const Finished host = sluice({"serve", rill(), "--host", "300.1.1.1", "--port", "0"});
    EXPECT_NE(host.status, 0);
    EXPECT_NE(host.err.find("--host"), std::string::npos) << host.err;
}

}  // namespace
}  // namespace sluice::test
