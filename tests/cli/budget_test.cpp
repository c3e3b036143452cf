// Promise 2: the budget is kept, page cache included, measured by the kernel in a memory cgroup that is
// smaller than the model. Needs root and a memory cgroup (version 1 or 2); skips with the reason where there
// is none.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "process.h"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

/// A memory cgroup of its own, removed at the end.
class MemoryGroup {
  public:
    explicit MemoryGroup(uint64_t limit) : refusal_(make(limit)) {}
    ~MemoryGroup() {
        std::error_code ignored;
        if (!dir_.empty()) fs::remove(dir_, ignored);
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    const std::string& refusal() const { return refusal_; }
    uint64_t peak() const {
        uint64_t bytes = 0;
        std::ifstream(peak_file_) >> bytes;
        return bytes;
    }
    Finished run(const std::string& command) {
        Process shell({"-c", "echo $$ > " + dir_ + "/cgroup.procs && exec " + command}, {}, "/bin/sh");
        shell.close_input();
        return shell.finish();
    }

  private:
    /// Empty, or why there is none.
    std::string make(uint64_t limit) {
        const bool v1 = fs::exists("/sys/fs/cgroup/memory/memory.limit_in_bytes");
        const bool v2 = fs::exists("/sys/fs/cgroup/cgroup.controllers");
        if (!v1 && !v2) return "there is no memory cgroup on this machine";
        const std::string root = v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
        if (v2 && !v1) put(root + "/cgroup.subtree_control", "+memory");
        dir_ = root + "/sluice-test-" + std::to_string(getpid());
        std::error_code error;
        fs::create_directory(dir_, error);
        if (error) return "cannot make a cgroup: " + error.message();
        if (!put(dir_ + (v1 ? "/memory.limit_in_bytes" : "/memory.max"), std::to_string(limit)))
            return "cannot limit a cgroup's memory";
        peak_file_ = dir_ + (v1 ? "/memory.max_usage_in_bytes" : "/memory.peak");
        return "";
    }
    static bool put(const std::string& file, const std::string& text) {
        std::ofstream out(file);
        out << text << std::flush;
        return out.good();
    }
    std::string dir_, peak_file_, refusal_;
};

TEST(Budget, IsKeptByTheKernelsCountAndChangesNoToken) {
    const TemporaryFolder folder;
    const std::string model = folder / "model.gguf";
    ASSERT_EQ(sluice({"synth", model, "--like", "tiny-moe", "--layers", "120", "--tokenizer", rill()}).status,
              0);
    const Arguments question = {"run",    model, "-p",           "Hello there", "-n",    "12",
                                "--temp", "0",   "--ignore-eos", "--raw",       "--json"};
    const Finished free = sluice(question);
    ASSERT_EQ(free.status, 0) << free.err;
    const auto expected = nlohmann::json::parse(free.out);
    EXPECT_EQ(expected["stream"]["decode"]["misses"], 0);

    std::string command = SLUICE_BINARY;
    for (const auto& a : question) command += " '" + a + "'";
    for (const uint64_t limit : {192ull << 20, 232ull << 20}) {
        MemoryGroup group(limit);
        if (!group.refusal().empty()) GTEST_SKIP() << group.refusal();
        const Finished capped = group.run(command);
        ASSERT_EQ(capped.status, 0) << capped.err;
        const auto got = nlohmann::json::parse(capped.out);
        EXPECT_EQ(got["token_ids"], expected["token_ids"]);
        EXPECT_GT(got["stream"]["decode"]["misses"], 0);
        EXPECT_LE(group.peak(), limit - limit / 16) << "the kernel was close to reclaiming";
        EXPECT_NE(capped.err.find("cache of routed experts"), std::string::npos) << capped.err;
    }
}

TEST(Budget, TooSmallIsRefusedWithTheNumbers) {
    MemoryGroup group(64 << 20);
    if (!group.refusal().empty()) GTEST_SKIP() << group.refusal();
    const Finished refused = group.run(std::string(SLUICE_BINARY) + " run " + rill() + " -p Hi");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("needs at least"), std::string::npos) << refused.err;
}

TEST(Run, StatsJsonHasALineForEachPass) {
    const TemporaryFolder folder;
    const std::string file = folder / "stats.jsonl";
    ASSERT_EQ(sluice({"run", rill(), "-p", "What is 12+30?", "-n", "5", "--temp", "0", "--ignore-eos",
                      "--stats-json", file})
                  .status,
              0);
    std::ifstream in(file);
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    ASSERT_EQ(lines.size(), 1u + 1 + 4 + 2);
    EXPECT_EQ(lines[0]["kind"], "engine");
    EXPECT_EQ(lines[1]["kind"], "prefill");
    EXPECT_EQ(lines[2]["kind"], "decode");
    EXPECT_EQ(lines[7]["kind"], "decode total");
    EXPECT_EQ(lines[7]["tokens"], 4);  // what follows the fifth token is not computed
    const Finished full = sluice({"run", rill(), "-p", "Hi", "-n", "2", "--stats-json", "/dev/full"});
    EXPECT_EQ(full.status, 1);
    EXPECT_NE(full.err.find("/dev/full"), std::string::npos) << full.err;
}

TEST(Synth, RefusesWithOneSentence) {
    const TemporaryFolder folder;
    const std::pair<Arguments, std::string> cases[] = {
        {{"--like", "gpt-5"}, "expected --like to be one of"},
        {{"--like", "deepseek-r1", "--size", "1G"}, "expected --size of at least"},
        {{"--like", "deepseek-r1", "--layers", "2"}, "expected --layers of at least 4"},
        {{"--type", "Q9_X"}, "expected --type to be one of"},
        {{"--like", "tiny-moe", "--correlation", "2"}, "expected --correlation from 0 to 0.95"},
        {{"--like", "kimi-k2", "--type", "F32"}, "is free in"},
    };
    for (const auto& [flags, sentence] : cases) {
        Arguments all = {"synth", folder / "x.gguf", "--tokenizer", rill()};
        all.insert(all.end(), flags.begin(), flags.end());
        const Finished f = sluice(all);
        EXPECT_EQ(f.status, 1);
        EXPECT_NE(f.err.find(sentence), std::string::npos) << f.err;
        EXPECT_FALSE(fs::exists(folder / "x.gguf"));
    }
}

}  // namespace
}  // namespace sluice::test
