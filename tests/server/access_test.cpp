// Who may ask: keys, names, origins, rates.
#include "running_server.h"

namespace sluice::test {
namespace {

server::ServerOptions with(server::AccessOptions access) {
    server::ServerOptions o;
    o.access = std::move(access);
    return o;
}
Headers bearer(const std::string& key) {
    return {{"Authorization", "Bearer " + key}};
}

TEST(Access, WithoutAKeyNothingButHealthAndThePageIsShown) {
    RunningServer running(with({.keys = {{"ann", "secret-1"}, {"bob", "secret-2"}}}));
    const uint16_t port = running.port();
    for (const char* open : {"/health", "/ready", "/"}) EXPECT_EQ(get(port, open).status, 200) << open;
    for (const char* closed : {"/v1/models", "/metrics", "/stats", "/api/tags"}) {
        const Reply reply = get(port, closed);
        EXPECT_EQ(reply.status, 401) << closed;
        EXPECT_EQ(reply.header("www-authenticate"), "Bearer");
        EXPECT_EQ(reply.header("content-type"), "application/json");
    }
    EXPECT_EQ(get(port, "/v1/models").json()["error"]["code"], "invalid_api_key");
    EXPECT_EQ(post(port, "/v1/messages", Json::object()).json()["error"]["type"], "authentication_error");
    for (const char* wrong : {"", "secret-", "secret-11", "secret-3", "Secret-1"})
        EXPECT_EQ(get(port, "/v1/models", bearer(wrong)).status, 401) << wrong;
    EXPECT_EQ(get(port, "/v1/models", bearer("secret-1")).status, 200);
    EXPECT_EQ(get(port, "/v1/models", bearer("secret-2")).status, 200);
    EXPECT_EQ(get(port, "/v1/models", {{"x-api-key", "secret-2"}}).status,
              200);  // as Anthropic's clients send it
    running.stop();
    const auto log = running.log();
    EXPECT_TRUE(
        std::any_of(log.begin(), log.end(), [](const auto& l) { return l.find("asker=ann") != l.npos; }));
    for (const auto& line : log) EXPECT_EQ(line.find("secret"), std::string::npos) << line;
}

TEST(Access, ResponsesBelongToWhoAskedForThem) {
    RunningServer running(with({.keys = {{"ann", "a-key"}, {"bob", "b-key"}}}));
    const Json j = post(running.port(), "/v1/responses", {{"input", "What is 1+1?"}}, bearer("a-key")).json();
    const std::string path = "/v1/responses/" + j["id"].get<std::string>();
    EXPECT_EQ(get(running.port(), path, bearer("a-key")).status, 200);
    EXPECT_EQ(get(running.port(), path, bearer("b-key")).status, 404);
}

TEST(Access, ANameThatIsNotOursIsRefused) {
    RunningServer running(with({.hosts = {"box.lan"}}));
    const uint16_t port = running.port();
    for (const char* name :
         {"localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "page.localhost", "box.lan:80"})
        EXPECT_EQ(get(port, "/health", {{"Host", name}}).status, 200) << name;
    for (const char* name :
         {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "box.lan.evil"})
        EXPECT_EQ(get(port, "/health", {{"Host", name}}).status, 403) << name;
    Connection old(port);
    old.send("GET /health HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(old.wait_for("403"));
}

TEST(Access, PagesOfOtherSitesMayNotAskUnlessAllowed) {
    RunningServer running(with({.cors_origins = {"https://good.example"}}));
    const uint16_t port = running.port();
    const Json body = question("What is 1+1?");
    EXPECT_EQ(post(port, "/v1/chat/completions", body, {{"Origin", "https://evil.example"}}).status, 403);
    EXPECT_EQ(post(port, "/v1/chat/completions", body, {{"Origin", "null"}}).status, 403);
    const Reply good = post(port, "/v1/chat/completions", body, {{"Origin", "https://good.example"}});
    EXPECT_EQ(good.status, 200);
    EXPECT_EQ(good.header("access-control-allow-origin"), "https://good.example");
    EXPECT_EQ(good.header("vary"), "Origin");
    const Reply own = get(port, "/v1/models", {{"Host", "localhost:1"}, {"Origin", "http://localhost:1"}});
    EXPECT_EQ(own.status, 200);
    EXPECT_EQ(own.header("access-control-allow-origin"), "");
    const Reply preflight =
        request(port, "OPTIONS", "/v1/chat/completions", "",
                {{"Origin", "https://good.example"}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(preflight.status, 204);
    EXPECT_NE(preflight.header("access-control-allow-headers").find("Authorization"), std::string::npos);
    EXPECT_EQ(
        request(port, "OPTIONS", "/v1/chat/completions", "", {{"Origin", "https://evil.example"}}).status,
        403);
}

TEST(Access, TooManyRequestsAMinuteWait) {
    RunningServer running(with({.keys = {{"ann", "a"}, {"bob", "b"}}, .requests_per_minute = 2}));
    const uint16_t port = running.port();
    const Json body = {{"content", "x"}};
    for (int i = 0; i < 2; ++i) EXPECT_EQ(post(port, "/tokenize", body, bearer("a")).status, 200);
    const Reply reply = post(port, "/tokenize", body, bearer("a"));
    EXPECT_EQ(reply.status, 429);
    EXPECT_GT(std::stoi(reply.header("retry-after")), 0);
    EXPECT_EQ(reply.json()["error"]["type"], "rate_limit_error");
    EXPECT_EQ(post(port, "/tokenize", body, bearer("b")).status, 200);
    EXPECT_EQ(get(port, "/v1/models", bearer("a")).status, 200);  // looking costs nothing
}

TEST(Access, KeysAreReadFromAFile) {
    const std::string path = testing::TempDir() + "/keys-" + std::to_string(getpid());
    std::FILE* f = std::fopen(path.c_str(), "w");
    std::fputs("# people\nann  s1\n\ns2\r\n", f);
    std::fclose(f);
    const auto keys = server::read_api_keys(path);
    ASSERT_EQ(keys.size(), 2u);
    EXPECT_EQ(keys[0].name, "ann");
    EXPECT_EQ(keys[0].secret, "s1");
    EXPECT_EQ(keys[1].secret, "s2");
    f = std::fopen(path.c_str(), "w");
    std::fputs("one two three\n", f);
    std::fclose(f);
    EXPECT_THROW(server::read_api_keys(path), Error);
    std::remove(path.c_str());
    EXPECT_THROW(server::read_api_keys(path), Error);
}

}  // namespace
}  // namespace sluice::test
