// The program when it is killed at a bad moment, and when the disk of its KV pages is full: it goes on where
// it was, with the tokens it would have given, or without the disk.
#include <csignal>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "../cli/process.h"
#include "http_client.h"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

/// A `sluice serve` of Rill; 0 if it did not come up.
uint16_t port_of(Process& process) {
    if (!process.wait_for("is served at ") || !process.wait_for("Ctrl-C stops")) return 0;
    const std::string shown = process.shown();
    const size_t at = shown.find("127.0.0.1:");
    return at == std::string::npos ? uint16_t(0) : uint16_t(std::stoi(shown.substr(at + 10)));
}

Arguments serve(const std::string& kv_folder, Arguments more = {}) {
    Arguments a = {"serve", rill(), "--port", "0", "--no-learn", "--ctx", "4096"};
    if (!kv_folder.empty()) a.insert(a.end(), {"--kv-disk", kv_folder});
    a.insert(a.end(), more.begin(), more.end());
    return a;
}

/// A conversation that is some pages long already.
Json conversation(int number, bool stream = false) {
    std::string text = "Tell me a story about";
    for (int i = 0; i < 200; ++i) text += " word" + std::to_string(i * number % 1009);
    return {{"temperature", 0.8}, {"seed", number},   {"max_tokens", 60},
            {"ignore_eos", true}, {"stream", stream}, {"messages", {{{"role", "user"}, {"content", text}}}}};
}

Json ask(uint16_t port, const Json& body) {
    const Reply reply = post(port, "/v1/chat/completions", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.json()["choices"];
}

std::vector<fs::path> files_in(const std::string& folder, const std::string& ending) {
    std::vector<fs::path> found;
    std::error_code gone;  // files come and go meanwhile
    for (auto f = fs::recursive_directory_iterator(folder, gone);
         !gone && f != fs::recursive_directory_iterator(); f.increment(gone))
        if (f->path().string().ends_with(ending) && f->is_regular_file(gone)) found.push_back(f->path());
    return found;
}

/// What conversations are answered by a server that was never killed and has no disk.
class Killed : public testing::Test {
  protected:
    /// To conversations 1 … n, one after the other.
    static std::vector<Json> undisturbed(int n) {
        Process process(serve(""));
        const uint16_t port = port_of(process);
        if (port == 0) throw std::runtime_error("the server did not start: " + process.shown());
        std::vector<Json> answers;
        for (int i = 1; i <= n; ++i) answers.push_back(ask(port, conversation(i)));
        return answers;
    }
    const TemporaryFolder folder;
};

/// Each round is killed at the moment a half-written page lies in the folder, or shortly after.
TEST_F(Killed, WhilePagesAreWritten) {
    constexpr int n_conversations = 6;
    const auto expected = undisturbed(n_conversations);
    std::mt19937 random(1);
    size_t halves = 0;
    for (int round = 0; round < 10; ++round) {
        Process process(serve(folder.path(), {"-q"}));
        const uint16_t port = port_of(process);
        ASSERT_NE(port, 0) << process.shown();
        EXPECT_TRUE(files_in(folder.path(), ".tmp").empty()) << "a half that an earlier run left";
        const int number = 1 + round % n_conversations;
        Connection c(port);
        c.send_request("POST", "/v1/chat/completions", conversation(number).dump());
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(20 + random() % 400);
        while (std::chrono::steady_clock::now() < until && files_in(folder.path(), ".tmp").empty()) {
        }
        process.signal(SIGKILL);
        EXPECT_EQ(process.finish().status, 128 + SIGKILL);
        halves += files_in(folder.path(), ".tmp").size();
    }
    RecordProperty("halves_left", int(halves));
    Process process(serve(folder.path()));
    const uint16_t port = port_of(process);
    ASSERT_NE(port, 0) << process.shown();
    EXPECT_TRUE(files_in(folder.path(), ".tmp").empty());
    for (int i = 1; i <= n_conversations; ++i)
        EXPECT_EQ(ask(port, conversation(i)), expected[size_t(i - 1)]) << i;
}

TEST_F(Killed, WhileItStreams) {
    const auto expected = undisturbed(2);
    for (int number = 1; number <= 2; ++number) {
        {
            Process process(serve(folder.path()));
            const uint16_t port = port_of(process);
            ASSERT_NE(port, 0) << process.shown();
            Json body = conversation(number, true);
            body["max_tokens"] = 2000;
            Connection c(port);
            c.send_request("POST", "/v1/chat/completions", body.dump());
            ASSERT_TRUE(c.wait_for("\"content\":\""));
            process.signal(SIGKILL);
            EXPECT_TRUE(c.closes());
            EXPECT_EQ(c.received().find("[DONE]"), std::string::npos);  // the client can tell
        }
        Process process(serve(folder.path()));
        const uint16_t port = port_of(process);
        ASSERT_NE(port, 0) << process.shown();
        EXPECT_EQ(ask(port, conversation(number)), expected[size_t(number - 1)]);
    }
}

TEST_F(Killed, WhileItStarts) {
    const auto expected = undisturbed(1);
    {
        Process process(serve(folder.path()));
        ask(port_of(process), conversation(1));
        process.signal(SIGTERM);
        EXPECT_EQ(process.finish().status, 0);
    }
    const size_t pages = files_in(folder.path(), "").size();
    EXPECT_GT(pages, 4u);
    std::mt19937 random(2);
    for (int round = 0; round < 12; ++round) {
        Process process(serve(folder.path()));
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 200));
        process.signal(SIGKILL);
        process.finish();
    }
    EXPECT_EQ(files_in(folder.path(), "").size(), pages);
    Process process(serve(folder.path()));
    const uint16_t port = port_of(process);
    ASSERT_NE(port, 0) << process.shown();
    const Reply reply = post(port, "/v1/chat/completions", conversation(1));
    EXPECT_EQ(reply.json()["choices"], expected[0]);
    EXPECT_GT(reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"], 64 * 3);
}

Json kv_disk_stats(uint16_t port) {
    Connection c(port);
    c.send_request("GET", "/stats");
    EXPECT_TRUE(c.wait_for("}\n\n"));
    const size_t from = c.received().find("data: ") + 6;
    return Json::parse(c.received().substr(from, c.received().find("\n\n", from) - from))["kv_disk"];
}

size_t count(const std::string& text, const std::string& part) {
    size_t n = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++n;
    return n;
}

/// Answers go on while nothing can be written, it is said once, and pages are written when there is room
/// again.
void check_full_disk(Process& process, const std::vector<Json>& expected,
                     const std::function<void()>& make_room) {
    const uint16_t port = port_of(process);
    ASSERT_NE(port, 0) << process.shown();
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(ask(port, conversation(i)), expected[size_t(i - 1)]) << i;
    ASSERT_TRUE(process.wait_for("could not be written")) << process.shown();
    const Json full = kv_disk_stats(port);
    EXPECT_TRUE(full["failure"].is_string()) << full;
    EXPECT_GT(full["not_written"], 0);
    make_room();
    int more = 4;
    const auto until = std::chrono::steady_clock::now() + 40s;
    while (kv_disk_stats(port)["failure"].is_string() && std::chrono::steady_clock::now() < until) {
        ask(port, conversation(100 + more++));
        std::this_thread::sleep_for(300ms);
    }
    const Json well = kv_disk_stats(port);
    EXPECT_TRUE(well["failure"].is_null()) << well;
    EXPECT_GT(well["written"], full["written"]);
    ASSERT_TRUE(process.wait_for("are written to")) << process.shown();
    EXPECT_EQ(ask(port, conversation(1)), expected[0]);
    process.signal(SIGTERM);
    const Finished done = process.finish();
    EXPECT_EQ(done.status, 0);
    EXPECT_EQ(count(done.err, "could not be written"), 1u) << done.err;
    EXPECT_EQ(count(done.err, "are written to"), 1u) << done.err;
}

TEST_F(Killed, NotByAFullDisk) {
    if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=96m") != 0)
        GTEST_SKIP() << "a small file system cannot be mounted here: " << std::strerror(errno);
    struct Unmount {
        const std::string path;
        ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
    } unmount{folder.path()};
    const std::string filler = folder / "filler";
    write_file(filler, std::string(98000 << 10, 'x'));
    Process process(serve(folder.path()));
    check_full_disk(process, undisturbed(3), [&] { fs::remove(filler); });
}

/// As a full disk, for those who may not mount: no file may be as large as a page.
TEST_F(Killed, NotByALimitOnFileSizes) {
    Arguments arguments = {"-c", "ulimit -S -f 16 && exec \"$0\" \"$@\"", SLUICE_BINARY};
    for (const auto& a : serve(folder.path())) arguments.push_back(a);
    Process process(arguments, {}, "/bin/sh");
    check_full_disk(process, undisturbed(3), [&] {
        rlimit limit{};
        ASSERT_EQ(prlimit(process.pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        ASSERT_EQ(prlimit(process.pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
    });
}

}  // namespace
}  // namespace sluice::test
