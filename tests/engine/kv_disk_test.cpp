// Pages on disk: found again by the next process, never wrong, never more than allowed.
#include "engine/kv_disk.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/scheduler.h"
#include "test_models.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr uint64_t page_bytes = 5000, scope = 0x1234;

class Disk : public testing::Test {
  protected:
    Disk() {
        std::string name = (fs::temp_directory_path() / "sluice-kv-XXXXXX").string();
        folder = mkdtemp(name.data());
    }
    ~Disk() override { fs::remove_all(folder); }

    static std::vector<TokenId> text(uint32_t pages, TokenId first = 0) {
        std::vector<TokenId> tokens(pages * KvCache::page_tokens);
        std::iota(tokens.begin(), tokens.end(), first);
        return tokens;
    }
    static std::vector<KvPage> pages(uint32_t n, int seed) {
        std::vector<KvPage> all;
        for (uint32_t i = 0; i < n; ++i) {
            all.push_back(std::make_shared<Memory>(Memory::exact(page_bytes)));
            for (uint64_t k = 0; k < page_bytes; ++k)
                all.back()->data()[k] = std::byte(k * (i + 3) + uint64_t(seed));
        }
        return all;
    }
    static bool same(const KvPage& a, const KvPage& b) {
        return a && std::equal(a->bytes().begin(), a->bytes().end(), b->bytes().begin());
    }
    std::vector<fs::path> files() const {
        std::vector<fs::path> all;
        for (const auto& f : fs::recursive_directory_iterator(folder))
            if (f.is_regular_file()) all.push_back(f.path());
        return all;
    }
    fs::path folder;
};

TEST_F(Disk, WhatWasWrittenIsReadByTheNext) {
    const auto tokens = text(3);
    const auto written = pages(3, 1);
    { KvDisk(folder, 1 << 20, scope, page_bytes).write(tokens, written); }
    KvDisk disk(folder, 1 << 20, scope, page_bytes);
    EXPECT_EQ(disk.stats().pages, 3u);
    for (uint32_t i = 0; i < 3; ++i) {
        const auto begin = std::span(tokens).first((i + 1) * KvCache::page_tokens);
        EXPECT_TRUE(disk.has(begin));
        EXPECT_TRUE(same(disk.read(begin), written[i]));
    }
    EXPECT_FALSE(disk.has(text(1, 1)));
    EXPECT_EQ(disk.read(text(1, 1)), nullptr);
    EXPECT_FALSE(KvDisk(folder, 1 << 20, scope + 1, page_bytes).has(text(1)));  // another model
    for (const auto& file : files())
        EXPECT_EQ(fs::status(file).permissions() & (fs::perms::group_all | fs::perms::others_all),
                  fs::perms::none);
}

TEST_F(Disk, DamagedFilesAreRemoved) {
    const auto tokens = text(1);
    { KvDisk(folder, 1 << 20, scope, page_bytes).write(tokens, pages(1, 1)); }
    const fs::path file = files().at(0);
    const auto size = fs::file_size(file);
    std::string whole(size, '\0');
    std::ifstream(file, std::ios::binary).read(whole.data(), std::streamsize(size));
    for (size_t at = 0; at < size; at += at < 64 ? 1 : 397) {
        std::string damaged = whole;
        damaged[at] = char(damaged[at] ^ 0x20);
        std::ofstream(file, std::ios::binary) << damaged;
        KvDisk disk(folder, 1 << 20, scope, page_bytes);
        EXPECT_EQ(disk.read(tokens), nullptr) << "byte " << at;
        EXPECT_TRUE(files().empty());
    }
    for (const size_t cut : {size_t(0), size_t(1), size / 2, size - 1}) {
        std::ofstream(file, std::ios::binary) << whole.substr(0, cut);
        EXPECT_EQ(KvDisk(folder, 1 << 20, scope, page_bytes).read(tokens), nullptr) << "cut to " << cut;
    }
    fs::create_symlink("/etc/passwd", file);  // in its place
    EXPECT_EQ(KvDisk(folder, 1 << 20, scope, page_bytes).read(tokens), nullptr);
}

/// Two texts whose names collide would be told apart by their tokens: a file put in another's place is not
/// used.
TEST_F(Disk, TheTokensDecideNotTheName) {
    { KvDisk(folder, 1 << 20, scope, page_bytes).write(text(1, 5), pages(1, 1)); }
    const fs::path other = files().at(0);
    { KvDisk(folder, 1 << 20, scope, page_bytes).write(text(1, 9), pages(1, 2)); }
    for (const auto& file : files())
        if (file != other) fs::copy_file(other, file, fs::copy_options::overwrite_existing);
    KvDisk disk(folder, 1 << 20, scope, page_bytes);
    EXPECT_EQ(disk.read(text(1, 9)), nullptr);
    EXPECT_TRUE(same(disk.read(text(1, 5)), pages(1, 1)[0]));
}

TEST_F(Disk, TheLeastUsedLeavesFirstAndEndsBeforeBeginnings) {
    const uint64_t room = 5 * (page_bytes + 700);
    KvDisk disk(folder, room, scope, page_bytes);
    disk.write(text(2, 0), pages(2, 1));
    disk.flush();
    disk.write(text(2, 1000), pages(2, 2));
    disk.flush();
    disk.write(text(2, 0), pages(2, 1));  // used again
    for (TokenId i = 2; i < 4; ++i) {
        disk.write(text(1, i * 1000), pages(1, i));
        disk.flush();
    }
    EXPECT_LE(disk.stats().bytes, room);
    EXPECT_TRUE(disk.has(text(2, 0)));
    EXPECT_TRUE(disk.has(text(1, 3000)));
    EXPECT_FALSE(disk.has(text(2, 1000)));
    EXPECT_TRUE(disk.has(text(1, 1000)));
    uint64_t bytes = 0;
    for (const auto& file : files()) bytes += fs::file_size(file);
    EXPECT_EQ(bytes, disk.stats().bytes);
}

/// While one is alive no file of this process may grow beyond so many bytes: as a full disk.
class SmallFiles {
  public:
    explicit SmallFiles(uint64_t bytes) : before_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &limit_);
        rlimit small = limit_;
        small.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &small);
    }
    ~SmallFiles() {
        setrlimit(RLIMIT_FSIZE, &limit_);
        std::signal(SIGXFSZ, before_);
    }

  private:
    rlimit limit_{};
    void (*before_)(int);
};

TEST_F(Disk, AFullDiskIsToldOnceAndTriedAgain) {
    KvDisk disk(folder, 1 << 20, scope, page_bytes, 20ms);
    {
        const SmallFiles full(page_bytes / 2);
        for (TokenId i = 0; i < 5; ++i) {
            disk.write(text(2, i * 1000), pages(2, i));
            disk.flush();
            std::this_thread::sleep_for(10ms);
        }
    }
    EXPECT_EQ(disk.stats().written, 0u);
    EXPECT_EQ(disk.stats().not_written, 10u);
    EXPECT_EQ(disk.stats().failure, std::strerror(EFBIG));
    EXPECT_TRUE(files().empty());  // no halves
    const auto told = disk.take_notices();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_NE(told[0].find(folder.string() + ": " + std::strerror(EFBIG)), std::string::npos) << told[0];
    std::this_thread::sleep_for(60ms);
    disk.write(text(2, 0), pages(2, 0));
    disk.flush();
    EXPECT_EQ(disk.stats().written, 2u);
    EXPECT_TRUE(disk.stats().failure.empty());
    EXPECT_EQ(disk.take_notices().size(), 1u);
    EXPECT_TRUE(same(disk.read(text(2, 0)), pages(2, 0)[1]));
}

TEST_F(Disk, AFolderThatWasEmptiedIsMadeAgain) {
    KvDisk disk(folder, 1 << 20, scope, page_bytes);
    disk.write(text(1), pages(1, 1));
    disk.flush();
    for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry);
    EXPECT_EQ(disk.read(text(1)), nullptr);
    disk.write(text(1), pages(1, 1));
    disk.flush();
    EXPECT_TRUE(same(disk.read(text(1)), pages(1, 1)[0]));
}

/// What changes behind its back after it was found.
TEST_F(Disk, FilesThatCannotBeReadAreForgotten) {
    KvDisk disk(folder, 1 << 20, scope, page_bytes);
    const auto spoil = [&](const char* how, const std::function<void(const fs::path&)>& change) {
        disk.write(text(1), pages(1, 1));
        disk.flush();
        change(files().at(0));
        EXPECT_TRUE(disk.has(text(1))) << how;
        EXPECT_EQ(disk.read(text(1)), nullptr) << how;
        EXPECT_FALSE(disk.has(text(1))) << how;
        for (const auto& of_scope : fs::directory_iterator(folder)) {
            fs::remove_all(of_scope.path());  // a folder or pipe would be in the next one's way
            fs::create_directory(of_scope.path());
        }
    };
    spoil("gone", [](const fs::path& f) { fs::remove(f); });
    spoil("cut", [](const fs::path& f) { fs::resize_file(f, page_bytes / 2); });
    spoil("longer", [](const fs::path& f) { fs::resize_file(f, 3 * page_bytes); });
    spoil("a folder", [](const fs::path& f) { fs::remove(f), fs::create_directory(f); });
    spoil("a pipe", [](const fs::path& f) { fs::remove(f), mkfifo(f.c_str(), 0600); });
    EXPECT_EQ(disk.stats().damaged, 5u);
    EXPECT_EQ(disk.stats().pages, 0u);
}

/// Files that cannot be opened because too many are open are not damaged.
TEST_F(Disk, AShortageOfDescriptorsCostsNoFile) {
    KvDisk disk(folder, 1 << 20, scope, page_bytes);
    disk.write(text(1), pages(1, 1));
    disk.flush();
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    rlimit none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    const KvPage meanwhile = disk.read(text(1));
    setrlimit(RLIMIT_NOFILE, &limit);
    EXPECT_EQ(meanwhile, nullptr);
    EXPECT_TRUE(same(disk.read(text(1)), pages(1, 1)[0]));
}

TEST_F(Disk, HalvesThatNobodyWritesAreRemoved) {
    { KvDisk(folder, 1 << 20, scope, page_bytes).write(text(1), pages(1, 1)); }
    const fs::path page = files().at(0);
    const fs::path dead = page.string() + ".1.tmp", alive = page.string() + ".2.tmp";
    std::ofstream(dead) << "half";
    std::ofstream(alive) << "half";
    const int fd = open(alive.c_str(), O_RDONLY);
    ASSERT_EQ(flock(fd, LOCK_EX), 0);
    { const KvDisk disk(folder, 1 << 20, scope, page_bytes); }
    EXPECT_FALSE(fs::exists(dead));
    EXPECT_TRUE(fs::exists(alive));
    close(fd);
    { const KvDisk disk(folder, 1 << 20, scope, page_bytes); }
    EXPECT_FALSE(fs::exists(alive));
    EXPECT_TRUE(fs::exists(page));
}

TEST_F(Disk, AFolderThatCannotBeIsAnError) {
    std::ofstream(folder / "file") << "x";
    EXPECT_THROW(KvDisk(folder / "file", 1 << 20, scope, page_bytes), Error);
}

TEST_F(Disk, AConversationGoesOnInTheNextScheduler) {
    const Engine engine = Engine::open(test::rill());
    std::string question = "Sort these:";
    for (int i = 0; i < 150; ++i) question += " " + std::to_string(i * 7919 % 1000);
    const auto prompt = engine.render({.messages = {{.role = "user", .content = question}}}).tokens;
    GenerateOptions options;
    options.sampling.temperature = 0.9f;
    options.sampling.seed = 3;
    options.max_tokens = 60;
    const auto ask = [&](const SchedulerOptions& with, uint64_t& reused) {
        std::vector<TokenId> tokens;
        std::mutex mutex;
        std::condition_variable changed;
        bool ended = false;
        Scheduler scheduler(engine, with);
        scheduler.submit({.prompt = prompt, .options = options, .on_event = [&](const RequestEvent& e) {
                              std::lock_guard lock(mutex);
                              if (const auto* step = std::get_if<Generation::Step>(&e))
                                  tokens.push_back(*step->token);
                              if (const auto* done = std::get_if<RequestDone>(&e))
                                  reused = done->reused_tokens, ended = true;
                              changed.notify_all();
                          }});
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ended; });
        return tokens;
    };
    for (const KvType kv : {KvType::f16, KvType::q8_0}) {
        uint64_t reused = 1;
        const auto alone = ask({.kv_type = kv}, reused);
        const SchedulerOptions with_disk{.kv_type = kv, .kv_disk = folder, .kv_disk_bytes = 64 << 20};
        EXPECT_EQ(ask(with_disk, reused), alone);
        EXPECT_EQ(reused, 0u);  // what another encoding left is not used
        EXPECT_EQ(ask(with_disk, reused), alone);
        EXPECT_EQ(reused, (prompt.size() - 1) / KvCache::page_tokens * KvCache::page_tokens);
        EXPECT_GT(reused, 4 * KvCache::page_tokens);
    }
}

}  // namespace
}  // namespace sluice
