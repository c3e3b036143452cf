// Learning from run to run: the second start warms the cache with what the first one used; tokens stay the
// same.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "sluice/engine.h"

#include "engine/impl.h"
#include "test_models.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class Learning : public testing::Test {
  protected:
    void SetUp() override { fs::remove_all(folder); }
    void TearDown() override { fs::remove_all(folder); }

    EngineOptions options(bool learn) const {
        EngineOptions o;
        o.threads = 2, o.context = 256, o.batch = 16;
        o.ram_bytes = some_experts();
        o.learn = learn, o.usage_folder = (folder / "usage").string();
        return o;
    }
    /// A budget with room for some of Rill's experts.
    static uint64_t some_experts() {
        static const uint64_t budget = [] {
            EngineOptions o;
            o.threads = 2, o.context = 256, o.batch = 16;
            for (o.ram_bytes = 32 << 20;; o.ram_bytes += 1 << 20) try {
                    Engine::open(test::rill(), o);
                    return o.ram_bytes + (8 << 20);
                } catch (const Error& e) {
                    if (e.code() != ErrorCode::out_of_budget) throw;
                }
        }();
        return budget;
    }
    /// Warming is at its end: nothing was read for a while.
    static uint64_t wait_for_warming(const Engine& engine) {
        uint64_t before = UINT64_MAX;
        for (int i = 0; i < 100 && engine.stream_stats().warmed != before; ++i) {
            before = engine.stream_stats().warmed;
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
        return before;
    }
    static Generated answer(const Engine& engine, const std::string& question) {
        Session session(engine, {.context = 256});
        session.prefill(engine.render({.messages = {{.role = "user", .content = question}}}).tokens);
        GenerateOptions o{.max_tokens = 60};
        o.sampling.temperature = 0;
        return session.generate(o);
    }
    size_t files() const {
        return fs::exists(folder / "usage")
                   ? size_t(std::distance(fs::directory_iterator(folder / "usage"), {}))
                   : 0;
    }
    fs::path only_file() const { return fs::directory_iterator(folder / "usage")->path(); }

    const fs::path folder = fs::path(SLUICE_TEST_TMP) / ("learn-" + std::to_string(getpid()));
    const std::string question = "Tell me a story about a fox.";
};

TEST_F(Learning, TheSecondStartWarmsAndGivesTheSameTokens) {
    Generated first;
    uint64_t cold_misses = 0;
    {
        const Engine engine = Engine::open(test::rill(), options(true));
        ASSERT_TRUE(engine.info().streams);
        EXPECT_EQ(wait_for_warming(engine), 0u) << "nothing was learnt yet";
        first = answer(engine, question);
        cold_misses = engine.stream_stats().misses;
        EXPECT_EQ(engine.stream_stats().warmed, 0u);
    }
    EXPECT_EQ(files(), 1u);
    const Engine engine = Engine::open(test::rill(), options(true));
    const uint64_t warmed = wait_for_warming(engine);
    EXPECT_GT(warmed, 10u);
    EXPECT_EQ(engine.stream_stats().hits + engine.stream_stats().misses, 0u);
    EXPECT_EQ(engine.stream_stats().guesses, 0u) << "warming is not look-ahead";
    EXPECT_EQ(answer(engine, question).tokens, first.tokens);
    const StreamStats s = engine.stream_stats();
    EXPECT_GT(s.warmed_useful, warmed / 4);
    EXPECT_LE(s.warmed_useful, s.warmed);
    EXPECT_LT(s.misses, cold_misses);
}

TEST_F(Learning, APromptAtOnceInterruptsWarmingAndGivesTheSameTokens) {
    const auto first = answer(Engine::open(test::rill(), options(true)), question).tokens;
    for (int i = 0; i < 5; ++i) {
        Engine::open(test::rill(), options(true));  // closed while it warms
        const Engine engine = Engine::open(test::rill(), options(true));
        std::this_thread::sleep_for(std::chrono::milliseconds(3 * i));
        EXPECT_EQ(answer(engine, question).tokens, first);
        wait_for_warming(engine);  // what the answer interrupted goes on
        EXPECT_EQ(answer(engine, question).tokens, first);
    }
}

TEST_F(Learning, OffNothingIsReadOrWritten) {
    answer(Engine::open(test::rill(), options(false)), question);
    EXPECT_FALSE(fs::exists(folder));
    answer(Engine::open(test::rill(), options(true)), question);
    ASSERT_EQ(files(), 1u);
    const auto written = fs::last_write_time(only_file());
    const Engine engine = Engine::open(test::rill(), options(false));
    EXPECT_EQ(wait_for_warming(engine), 0u);
    answer(engine, question);
    EXPECT_EQ(fs::last_write_time(only_file()), written);
}

TEST_F(Learning, AnEngineThatAnsweredNothingWritesNothing) {
    Engine::open(test::rill(), options(true));
    EXPECT_EQ(files(), 0u);
}

TEST_F(Learning, LongUseIsWrittenWhileItLasts) {
    const Engine engine = Engine::open(test::rill(), options(false));
    const Engine::Impl& impl = *engine.impl();
    std::vector<std::string> notices;
    const auto remember = [&](std::chrono::seconds every) {
        return std::make_unique<UsageMemory>(impl.file, impl.params.n_layers, impl.params.moe.n_experts,
                                             *impl.store, (folder / "usage").string(), notices, every);
    };
    auto seldom = remember(std::chrono::hours(1));
    answer(engine, question);
    seldom->rest();
    EXPECT_EQ(files(), 0u);
    seldom.reset();
    ASSERT_EQ(files(), 1u);
    fs::remove(only_file());
    const auto often = remember(std::chrono::seconds(0));
    answer(engine, question);
    often->rest();
    EXPECT_EQ(files(), 1u) << "a crash would lose the whole session";
    EXPECT_TRUE(notices.empty());
}

TEST_F(Learning, ADamagedFileIsANoticeAndIsReplaced) {
    answer(Engine::open(test::rill(), options(true)), question);
    const fs::path file = only_file();
    fs::resize_file(file, fs::file_size(file) - 3);
    {
        const Engine engine = Engine::open(test::rill(), options(true));
        const auto& notices = engine.info().notices;
        EXPECT_EQ(std::count_if(notices.begin(), notices.end(),
                                [&](const auto& n) { return n.find(file.string()) != std::string::npos; }),
                  1);
        answer(engine, question);
    }
    const Engine engine = Engine::open(test::rill(), options(true));
    EXPECT_EQ(engine.info().notices.size(), 0u);
    EXPECT_GT(wait_for_warming(engine), 0u);
}

TEST_F(Learning, AFolderThatCannotBeWrittenIsANotice) {
    fs::create_directories(folder);
    std::ofstream(folder / "usage") << "a file where a folder should be";
    const Engine engine = Engine::open(test::rill(), options(true));
    ASSERT_EQ(engine.info().notices.size(), 1u);
    EXPECT_NE(engine.info().notices[0].find("not remembered"), std::string::npos);
    EXPECT_FALSE(answer(engine, question).tokens.empty());
}

TEST_F(Learning, WhatFitsInMemoryNeedsNoFile) {
    EngineOptions o = options(true);
    o.ram_bytes = 0;
    const Engine engine = Engine::open(test::rill(), o);
    ASSERT_FALSE(engine.info().streams);
    answer(engine, question);
    EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace sluice
