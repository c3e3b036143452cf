// Thousands of hostile requests, in batches; after each the next honest one gets its answer and nothing is
// left over. And crowds: ten thousand idle connections, many that drip, clients that vanish while they
// upload.
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include <sys/resource.h>

#include "../cli/process.h"
#include "hostile_requests.h"
#include "running_server.h"

namespace sluice::test {
namespace {

/// The bodies of the fuzzer's seeds, without the byte that chooses an interface.
std::vector<std::string> seed_bodies() {
    std::vector<std::string> bodies;
    for (const auto& file : std::filesystem::directory_iterator(SLUICE_FUZZ_CORPUS "/requests")) {
        std::ifstream in(file.path(), std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        if (text.size() > 1) bodies.push_back(text.substr(1));
    }
    std::sort(bodies.begin(), bodies.end());
    return bodies;
}

class Onslaught : public ServerTest {
  protected:
    /// The status of the reply; 0 if there was none. Nobody waits for long: who has no reply leaves.
    int fire(const HostileRequest& r) {
        Connection c(port);
        c.send(r.bytes);
        if (c.wait_for("\r\n\r\n", r.http ? 1000ms : 10ms)) return c.read_reply(500ms).status;
        c.leave(r.bytes.size() % 2 == 0);
        return 0;
    }
    void everything_is_as_before(const std::string& when) {
        EXPECT_TRUE(eventually([&] { return running.requests_at_work() == 0; })) << when;
        const Reply reply = post(port, "/v1/chat/completions", question("What is 12+30?"));
        ASSERT_EQ(reply.status, 200) << when;
        EXPECT_EQ(reply.json()["choices"][0]["message"]["content"], "12 + 30 = 42") << when;
        const SchedulerStats s = running.model().scheduler().stats();
        EXPECT_LE(s.kv_bytes_used + s.kv_bytes_cached, s.kv_bytes_limit) << when;
    }
};

TEST_F(Onslaught, ThousandsOfHostileRequestsChangeNothing) {
    const auto bodies = seed_bodies();
    ASSERT_GE(bodies.size(), 10u);
    constexpr size_t batches = 15, batch = 200, shooters = 8;
    std::map<int, size_t> statuses;
    for (size_t b = 0; b < batches; ++b) {
        const auto requests = hostile_requests(b, batch, bodies);
        std::vector<int> status(batch);
        std::vector<std::future<void>> all;
        for (size_t s = 0; s < shooters; ++s)
            all.push_back(std::async(std::launch::async, [&, s] {
                for (size_t i = s; i < batch; i += shooters) status[i] = fire(requests[i]);
            }));
        for (auto& shooter : all) shooter.get();
        for (size_t i = 0; i < batch; ++i) {
            ++statuses[status[i]];
            // Nothing that comes from outside is an internal error.
            EXPECT_NE(status[i], 500) << "status " << status[i] << ", batch " << b << ", request " << i
                                      << ", " << requests[i].kind << ":\n"
                                      << requests[i].bytes.substr(0, 600);
        }
        everything_is_as_before("batch " + std::to_string(b));
        if (HasFailure()) break;
    }
    for (const auto& [status, n] : statuses) RecordProperty("status_" + std::to_string(status), int(n));
    EXPECT_GT(statuses[400], batches * batch / 4);
    EXPECT_GT(statuses[200], 0u);
    EXPECT_TRUE(eventually([&] {  // whoever hung up is let go
        return get(port, "/metrics").body.find("\nsluice_http_connections 1\n") != std::string::npos;
    }));
}

TEST_F(Onslaught, WhoVanishesWhileUploadingIsForgotten) {
    const std::string body = question(std::string(20'000, 'x')).dump();
    const std::string head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n";
    for (size_t i = 0; i < 60; ++i) {
        Connection c(port);
        c.send(i % 10 == 0 ? head.substr(0, 30) : head + body.substr(0, body.size() * (i % 10) / 10));
        c.leave(i % 2 == 0);
    }
    EXPECT_TRUE(eventually([&] {
        return get(port, "/metrics").body.find("\nsluice_http_connections 1\n") != std::string::npos;
    })) << get(port, "/metrics").body;
    everything_is_as_before("after the uploads");
    EXPECT_EQ(running.model().scheduler().stats().failed, 0u);
}

TEST_F(Onslaught, WhoVanishesWhileStreamedToIsForgotten) {
    for (size_t i = 0; i < 40; ++i) {
        Connection c(port);
        c.send_request("POST", "/v1/chat/completions", endless().dump());
        if (i % 4) {
            ASSERT_TRUE(c.wait_for("\"content\":\""));
        }
        c.leave(i % 2 == 0);
    }
    everything_is_as_before("after the streams");
}

/// Several hundred that send a byte now and then, in every part of a request, while others are answered; each
/// is gone when its time is up.
TEST(Crowd, ManyThatDripDelayNobodyAndAreCutOff) {
    RunningServer running(limits({.head_time = 3s, .body_time = 3s, .idle_time = 3s}));
    std::vector<Connection> slow;
    for (int i = 0; i < 300; ++i) {
        slow.emplace_back(running.port());
        if (i % 3 == 0) slow.back().send("GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ");
        if (i % 3 == 1)
            slow.back().send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{");
        if (i % 3 == 2)
            slow.back().send(
                "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n");
    }
    const auto began = std::chrono::steady_clock::now();
    size_t answered = 0;
    while (std::chrono::steady_clock::now() - began < 2s) {
        for (auto& c : slow) c.send("1");
        const Reply reply = post(running.port(), "/v1/chat/completions", question("What is 12+30?"));
        ASSERT_EQ(reply.json()["choices"][0]["message"]["content"], "12 + 30 = 42");
        ++answered;
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_GT(answered, 5u);
    for (auto& c : slow) EXPECT_TRUE(c.closes(10s));
    EXPECT_TRUE(eventually([&] {
        return get(running.port(), "/metrics").body.find("\nsluice_http_connections 1\n") !=
               std::string::npos;
    }));
}

/// A reply that is not read: its connection goes when its time is up, and so does its place.
TEST(Crowd, WhoDoesNotReadLosesItsPlace) {
    RunningServer running(limits({.idle_time = 1s}), {.parallel = 1});
    Connection lazy(running.port());
    lazy.send_request("POST", "/v1/chat/completions",
                      endless({{"logprobs", true}, {"top_logprobs", 20}, {"n", 30}}).dump());
    ASSERT_TRUE(eventually([&] { return running.requests_at_work() == 30; }));
    EXPECT_TRUE(eventually([&] { return running.requests_at_work() == 0; }, 60s));
    EXPECT_EQ(post(running.port(), "/v1/chat/completions", question("What is 12+30?")).status, 200);
}

/// Files this process may open; as many as the system lets it.
uint64_t open_files_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

double metric(uint16_t port, const std::string& name) {
    const std::string body = get(port, "/metrics").body;
    const size_t at = body.find("\nsluice_" + name + " ");
    return at == std::string::npos ? -1 : std::stod(body.substr(at + name.size() + 9));
}

TEST(Crowd, TenThousandIdleConnectionsCostMemoryAlone) {
    constexpr size_t n = 10'000;
    if (const uint64_t files = open_files_limit(); files < n + 200)
        GTEST_SKIP() << "this process may open " << files << " files, and " << n + 200
                     << " are needed (ulimit -Hn)";
    Process process({"serve", rill(), "--port", "0", "--no-learn", "-q"});
    ASSERT_TRUE(process.wait_for("is served at "));
    process.wait_for("Ctrl-C stops");
    const std::string shown = process.shown();
    const auto port = uint16_t(std::stoi(shown.substr(shown.find("127.0.0.1:") + 10)));
    const double before = metric(port, "resident_bytes");
    std::vector<Connection> idle;
    idle.reserve(n);
    for (size_t i = 0; i < n; ++i) {
        idle.emplace_back(port);
        if (i % 2) idle.back().send("POST /v1/chat/completions HTTP/1.1\r\nHost: lo");
    }
    ASSERT_TRUE(eventually([&] { return metric(port, "http_connections") >= double(n); }));
    const Reply reply = post(port, "/v1/chat/completions", question("What is 12+30?"));
    EXPECT_EQ(reply.json()["choices"][0]["message"]["content"], "12 + 30 = 42");
    Connection stream(port);
    stream.send_request("POST", "/v1/chat/completions",
                        question("What is 12+30?", {{"stream", true}}).dump());
    EXPECT_TRUE(stream.wait_for("[DONE]"));
    const double each = (metric(port, "resident_bytes") - before) / double(n);
    RecordProperty("bytes_each", int(each));
    EXPECT_LT(each, 48 << 10) << "bytes of memory for a connection";
    idle.clear();
    EXPECT_TRUE(eventually([&] { return metric(port, "http_connections") < 10; }));
    process.signal(SIGTERM);
    EXPECT_EQ(process.finish().status, 0);
}

}  // namespace
}  // namespace sluice::test
