// What the program remembers from run to run, and where.
#include <filesystem>

#include <gtest/gtest.h>

#include "process.h"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

/// Rill with too little memory for all of its experts.
Finished streamed(const Environment& environment, Arguments more = {}) {
    Arguments a = {"run", rill(), "-p", "What is 12+30?", "--temp", "0", "-t", "2", "-c",
                   "256", "-b",   "16", "--ram",          "84M"};
    a.insert(a.end(), more.begin(), more.end());
    const Finished f = sluice(a, "", environment);
    EXPECT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(f.out, "12 + 30 = 42\n");
    EXPECT_NE(f.err.find("cache of routed experts"), std::string::npos) << "experts were not streamed";
    return f;
}

TEST(Learn, OneFileInTheCacheFolder) {
    const TemporaryFolder cache, home;
    const Environment e = {{"XDG_CACHE_HOME", cache.path()}, {"HOME", home.path()}};
    streamed(e);
    EXPECT_TRUE(fs::is_empty(home.path()));
    const fs::path usage = cache / "sluice/usage";
    ASSERT_EQ(std::distance(fs::directory_iterator(usage), {}), 1);
    const std::string first = read_file(fs::directory_iterator(usage)->path());
    streamed(e);
    ASSERT_EQ(std::distance(fs::directory_iterator(usage), {}), 1);
    EXPECT_NE(read_file(fs::directory_iterator(usage)->path()), first) << "the second run was not counted";
}

TEST(Learn, WithoutXdgItIsInTheHomeFolder) {
    const TemporaryFolder home;
    streamed({{"XDG_CACHE_HOME", ""}, {"HOME", home.path()}});
    EXPECT_TRUE(fs::exists(home / ".cache/sluice/usage"));
}

TEST(Learn, NoLearnNeitherReadsNorWrites) {
    const TemporaryFolder cache;
    const Environment e = {{"XDG_CACHE_HOME", cache.path()}};
    streamed(e, {"--no-learn"});
    EXPECT_TRUE(fs::is_empty(cache.path()));
    streamed(e);
    const fs::path file = fs::directory_iterator(cache / "sluice/usage")->path();
    write_file(file, "damaged");
    EXPECT_EQ(streamed(e, {"--no-learn"}).err.find("usage"), std::string::npos);
    EXPECT_EQ(read_file(file), "damaged");
    EXPECT_NE(streamed(e).err.find("note: " + file.string()), std::string::npos);
    EXPECT_NE(read_file(file), "damaged");
}

TEST(Learn, NowhereToKeepItIsANotice) {
    const Finished f = streamed({{"XDG_CACHE_HOME", "/dev/null"}});
    EXPECT_NE(f.err.find("note: what this model's experts are used for is not remembered"), std::string::npos)
        << f.err;
    EXPECT_NE(streamed({{"XDG_CACHE_HOME", ""}, {"HOME", ""}}).err.find("no cache folder"),
              std::string::npos);
}

TEST(Learn, WhatFitsInMemoryLeavesNoFile) {
    const TemporaryFolder cache;
    EXPECT_EQ(sluice({"run", rill(), "-p", "Hi", "-n", "3"}, "", {{"XDG_CACHE_HOME", cache.path()}}).status,
              0);
    EXPECT_TRUE(fs::is_empty(cache.path()));
}

}  // namespace
}  // namespace sluice::test
