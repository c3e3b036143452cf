// Every way to read gives the file's bytes, whatever is asked in whatever order.
#include "store/reader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>

#include <gtest/gtest.h>
#include <unistd.h>

#include "sluice/error.h"

#include "core/memory.h"

namespace sluice {
namespace {

/// Keeps what a reader reports.
class Outcomes {
  public:
    ReadDone done() {
        return [this](const ReadOutcome& o) {
            std::lock_guard lock(mutex_);
            all_.push_back(o);
            changed_.notify_all();
        };
    }
    std::vector<ReadOutcome> wait(size_t n) {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return all_.size() >= n; }));
        return all_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<ReadOutcome> all_;
};

class EachMode : public testing::TestWithParam<IoMode> {
  protected:
    void SetUp() override {
        path = std::filesystem::path(SLUICE_TEST_TMP) / ("reader-" + std::to_string(getpid()));
        std::mt19937_64 random(1);
        bytes.resize(5'000'123);  // no multiple of anything
        for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
            const uint64_t x = random();
            std::memcpy(bytes.data() + i, &x, 8);
        }
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
        const IoProbe probe = probe_io(path);
        if (probe.mode == IoMode::buffered && GetParam() != IoMode::buffered)
            GTEST_SKIP() << "no direct reads here: " << probe.reason;
        if (probe.mode == IoMode::pread && GetParam() == IoMode::uring)
            GTEST_SKIP() << "no io_uring here: " << probe.reason;
    }
    void TearDown() override { std::filesystem::remove(path); }

    std::unique_ptr<Reader> open(ReadDone done, std::span<std::byte> arena) {
        ReaderOptions o;
        o.mode = GetParam();
        o.block_bytes = 64 << 10;
        o.arena = arena;
        return make_reader({path}, o, std::move(done));
    }
    std::filesystem::path path;
    std::vector<std::byte> bytes;
};

TEST_P(EachMode, RandomRangesAreTheFilesBytes) {
    constexpr uint32_t n = 300;
    constexpr uint64_t most = 512 << 10;
    Memory arena(n * most);
    Outcomes outcomes;
    const auto reader = open(outcomes.done(), arena.bytes());
    const uint64_t a = reader->alignment();
    std::mt19937 random(2);
    std::vector<ReadRequest> requests;
    for (uint32_t i = 0; i < n; ++i) {
        const uint64_t offset = random() % bytes.size() / a * a, size = (1 + random() % (most / a)) * a;
        requests.push_back({0, i % 3 ? ReadClass::demanded : ReadClass::idle, offset,
                            arena.bytes().subspan(i * most, size), i});
    }
    reader->submit(requests);
    const auto all = outcomes.wait(n);
    uint64_t sum = 0;
    for (const ReadOutcome& o : all) {
        const ReadRequest& r = requests[o.tag];
        const uint64_t expected = std::min<uint64_t>(r.dst.size(), bytes.size() - r.offset);
        EXPECT_EQ(o.error, 0);
        EXPECT_EQ(o.bytes, expected);
        EXPECT_EQ(0, std::memcmp(r.dst.data(), bytes.data() + r.offset, expected)) << "request " << o.tag;
        sum += o.bytes;
    }
    EXPECT_EQ(reader->stats().bytes, sum);
    EXPECT_GT(reader->stats().busy_seconds, 0);
}

TEST_P(EachMode, WhatLiesOutsideTheArenaIsReadToo) {
    Memory arena(1 << 20), other(1 << 20);
    Outcomes outcomes;
    const auto reader = open(outcomes.done(), arena.bytes());
    const ReadRequest r{0, ReadClass::demanded, 0, other.bytes(), 7};
    reader->submit({&r, 1});
    EXPECT_EQ(outcomes.wait(1)[0].tag, 7u);
    EXPECT_EQ(0, std::memcmp(other.data(), bytes.data(), other.size()));
}

TEST_P(EachMode, AFileThatIsCutGivesFewerBytes) {
    Memory arena(1 << 20);
    Outcomes outcomes;
    const auto reader = open(outcomes.done(), arena.bytes());
    std::filesystem::resize_file(path, 100'000);
    const ReadRequest r{0, ReadClass::demanded, 0, arena.bytes(), 0};
    reader->submit({&r, 1});
    EXPECT_LE(outcomes.wait(1)[0].bytes, 100'000u);
}

TEST_P(EachMode, DestroyingItReportsEveryRequest) {
    constexpr uint32_t n = 200;
    Memory arena(64ull << 20);
    Outcomes outcomes;
    {
        const auto reader = open(outcomes.done(), arena.bytes());
        std::vector<ReadRequest> requests;
        for (uint32_t i = 0; i < n; ++i)
            requests.push_back({0, i % 2 ? ReadClass::idle : ReadClass::demanded, 0,
                                arena.bytes().subspan((i % 64) << 20, 1 << 20), i});
        reader->submit(requests);
    }
    EXPECT_EQ(outcomes.wait(n).size(), n);
}

TEST_P(EachMode, IdleRequestsCanBeDropped) {
    constexpr uint32_t n = 500, each = 128 << 10;
    Memory arena(uint64_t(n) * each);
    Outcomes outcomes;
    const auto reader = open(outcomes.done(), arena.bytes());
    std::vector<ReadRequest> requests;
    for (uint32_t i = 0; i < n; ++i)
        requests.push_back({0, ReadClass::idle, 0, arena.bytes().subspan(uint64_t(i) * each, each), i});
    reader->submit(requests);
    reader->drop_idle();
    const auto all = outcomes.wait(n);
    EXPECT_GT(std::count_if(all.begin(), all.end(), [](const auto& o) { return o.dropped; }), 0);
    EXPECT_EQ(all.size(), n);
}

INSTANTIATE_TEST_SUITE_P(Modes, EachMode, testing::Values(IoMode::uring, IoMode::pread, IoMode::buffered),
                         [](const auto& p) { return std::string(to_string(p.param)); });

TEST(Probe, NamesWhatBuffersSilently) {
    const std::filesystem::path file = "/dev/shm/sluice-probe-" + std::to_string(getpid());
    if (!std::ofstream(file).write("12345678", 8)) GTEST_SKIP() << "no /dev/shm here";
    const IoProbe p = probe_io(file);
    EXPECT_EQ(p.mode, IoMode::buffered);
    EXPECT_FALSE(p.reason.empty());
    ReaderOptions o;
    o.mode = IoMode::uring;
    try {
        make_reader({file}, o, [](const ReadOutcome&) {});
        FAIL() << "direct reads on tmpfs";
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("--io buffered"), std::string::npos) << e.what();
    }
    o.mode = IoMode::automatic;
    EXPECT_NE(make_reader({file}, o, [](const ReadOutcome&) {})->description().find(p.reason),
              std::string::npos);
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace sluice
