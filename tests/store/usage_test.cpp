// What earlier runs used: counts fade, the file survives whatever happens to it.
#include "store/usage.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t n_layers = 3, n_experts = 5;
constexpr uint64_t fingerprint = 0x1234;

UsageCounts some_counts() {
    UsageCounts c(n_layers, n_experts);
    for (uint32_t l = 0; l < n_layers; ++l)
        for (uint32_t e = 0; e < n_experts; ++e) c.at(l, e) = 10 * l + e;
    return c;
}

bool same(const UsageCounts& a, const UsageCounts& b) {
    for (uint32_t l = 0; l < n_layers; ++l)
        for (uint32_t e = 0; e < n_experts; ++e)
            if (a.at(l, e) != b.at(l, e)) return false;
    return true;
}

std::string bytes_of(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

void put(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

class Usage : public testing::Test {
  protected:
    void SetUp() override {
        folder = fs::path(SLUICE_TEST_TMP) / ("usage-" + std::to_string(getpid()));
        fs::remove_all(folder);
    }
    void TearDown() override { fs::remove_all(folder); }

    fs::path folder;
    UsageFile file() const { return UsageFile(folder / "deep/usage", fingerprint, n_layers, n_experts); }
};

TEST_F(Usage, IsReadAsItWasWritten) {
    const UsageFile f = file();
    const auto none = f.load();
    EXPECT_FALSE(none.counts);
    EXPECT_EQ(none.problem, "");
    EXPECT_EQ(f.save(some_counts()), "");
    const auto loaded = f.load();
    EXPECT_EQ(loaded.problem, "");
    ASSERT_TRUE(loaded.counts);
    EXPECT_TRUE(same(*loaded.counts, some_counts()));
    EXPECT_EQ(std::distance(fs::directory_iterator(f.path().parent_path()), {}), 1) << "a temporary is left";
    EXPECT_EQ(fs::status(f.path()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Usage, RecentWorkCountsMore) {
    // Two experts are used equally often, one before and one after the other.
    UsageCounts counts(1, 2), first(1, 2), second(1, 2);
    first.at(0, 0) = second.at(0, 1) = 50;
    for (int i = 0; i < 10; ++i) counts.add(first);
    for (int i = 0; i < 10; ++i) counts.add(second);
    EXPECT_GT(counts.at(0, 1), 2 * counts.at(0, 0));
    EXPECT_GT(counts.at(0, 0), 0u);
    EXPECT_LE(counts.at(0, 0) + counts.at(0, 1), 2 * UsageCounts::most_mean);
    // One long run does not overflow.
    UsageCounts huge(n_layers, n_experts), all(n_layers, n_experts);
    huge.at(1, 1) = UINT32_MAX;
    all.add(huge);
    all.add(huge);
    EXPECT_LE(all.at(1, 1), UINT16_MAX);
    EXPECT_GT(all.at(1, 1), 0u);
    EXPECT_FALSE(all.empty());
    EXPECT_TRUE(UsageCounts(n_layers, n_experts).empty());
}

TEST_F(Usage, HostileFilesAreIgnoredAndReplaced) {
    const UsageFile f = file();
    ASSERT_EQ(f.save(some_counts()), "");
    const std::string good = bytes_of(f.path());
    std::vector<std::string> bad = {"",
                                    "S",
                                    "SLUICEUS",
                                    std::string(5 << 20, 'x'),
                                    good + "x",
                                    good.substr(0, good.size() - 1),
                                    good.substr(0, 30)};
    for (size_t i = 0; i < good.size(); ++i) {
        bad.push_back(good);
        bad.back()[i] = char(bad.back()[i] ^ 0x10);
    }
    for (const std::string& bytes : bad) {
        put(f.path(), bytes);
        const auto loaded = f.load();
        EXPECT_FALSE(loaded.counts) << bytes.size() << " bytes";
        EXPECT_NE(loaded.problem.find(f.path().string()), std::string::npos) << loaded.problem;
        EXPECT_EQ(std::count(loaded.problem.begin(), loaded.problem.end(), '\n'), 0);
    }
    EXPECT_EQ(f.save(some_counts()), "");
    EXPECT_EQ(bytes_of(f.path()), good);
}

TEST_F(Usage, ANewerVersionAndAnotherModelAreTold) {
    const UsageFile f = file();
    ASSERT_EQ(f.save(some_counts()), "");
    std::string newer = bytes_of(f.path());
    newer[8] = 2;
    put(f.path(), newer);
    EXPECT_NE(f.load().problem.find("expected version 1, found 2"), std::string::npos);

    ASSERT_EQ(f.save(some_counts()), "");
    const UsageFile other(folder / "deep/usage", fingerprint + 1, n_layers, n_experts);
    fs::rename(f.path(), other.path());
    EXPECT_NE(other.load().problem.find("another model"), std::string::npos);
    const UsageFile wider(folder / "deep/usage", fingerprint + 1, n_layers, n_experts + 1);
    EXPECT_NE(wider.load().problem.find("another model"), std::string::npos);
}

TEST_F(Usage, WhatIsNoFileIsNotWaitedFor) {
    const UsageFile f = file();
    ASSERT_EQ(f.prepare_folder(), "");
    ASSERT_EQ(mkfifo(f.path().c_str(), 0600), 0);
    EXPECT_NE(f.load().problem.find("no file"), std::string::npos);
    EXPECT_EQ(f.save(some_counts()), "");  // takes the pipe's place
    EXPECT_TRUE(f.load().counts);
    fs::remove(f.path());
    fs::create_directory(f.path());
    EXPECT_NE(f.load().problem, "");
    EXPECT_NE(f.save(some_counts()).find("cannot replace"), std::string::npos);
    EXPECT_EQ(std::distance(fs::directory_iterator(f.path().parent_path()), {}), 1) << "a temporary is left";
}

TEST_F(Usage, AFolderThatCannotBeIsAProblemNotAnException) {
    fs::create_directories(folder);
    put(folder / "deep", "a file where a folder should be");
    EXPECT_NE(file().prepare_folder(), "");
    EXPECT_NE(file().save(some_counts()), "");
    EXPECT_FALSE(file().load().counts);
    if (geteuid() != 0) {  // root may write anywhere
        fs::remove(folder / "deep");
        fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
        EXPECT_NE(file().save(some_counts()), "");
        fs::permissions(folder, fs::perms::owner_all);
    }
}

TEST_F(Usage, DyingBeforeTheRenameLeavesTheOldFile) {
    const UsageFile f = file();
    ASSERT_EQ(f.save(some_counts()), "");
    // What a process leaves that was killed while it wrote, long ago and just now.
    const fs::path old = f.path().string() + ".0000000000000001.tmp",
                   young = f.path().string() + ".0000000000000002.tmp", foreign = folder / "deep/usage/x.tmp";
    for (const auto& p : {old, young, foreign}) put(p, bytes_of(f.path()).substr(0, 20));
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
    ASSERT_TRUE(f.load().counts);
    EXPECT_TRUE(same(*f.load().counts, some_counts()));
    EXPECT_EQ(f.save(some_counts()), "");
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young)) << "another process may be writing it";
    EXPECT_TRUE(fs::exists(foreign));
}

TEST_F(Usage, TwoWritersNeverTearTheFile) {
    UsageCounts a = some_counts(), b = some_counts();
    b.at(2, 4) = 999;
    ASSERT_EQ(file().save(a), "");
    const auto write = [&](const UsageCounts& c) {
        for (int i = 0; i < 30; ++i) EXPECT_EQ(file().save(c), "");
    };
    std::thread first([&] { write(a); }), second([&] { write(b); });
    for (int i = 0; i < 300; ++i) {
        const auto loaded = file().load();
        ASSERT_TRUE(loaded.counts) << loaded.problem;
        EXPECT_TRUE(same(*loaded.counts, a) || same(*loaded.counts, b));
    }
    first.join();
    second.join();
}

}  // namespace
}  // namespace sluice
