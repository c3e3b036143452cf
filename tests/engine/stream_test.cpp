// Promise 1 for streaming: reader, policy, budget, batch and look-ahead decide speed, never a bit.
#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "synthetic_model.h"
#include "test_models.h"

namespace sluice {
namespace {

using test::least_budget;
using test::Outcome;
using test::outcome_of;
using test::same_bits;
using test::synthetic;

class Streaming : public testing::TestWithParam<const char*> {
  protected:
    std::string path = std::string(GetParam()) == "rill" ? test::rill() : synthetic();
    EngineOptions options() {
        EngineOptions o;
        o.threads = 2, o.context = 256, o.batch = 16;
        return o;
    }
    Outcome reference = outcome_of(Engine::open(path, options()), 16);
    uint64_t least = least_budget(path, options());
};

TEST_P(Streaming, ReaderPolicyBudgetAndLookAheadDoNotChangeABit) {
    EXPECT_EQ(reference.stream.misses, 0u);
    bool guessed = false;
    for (const char* io : {"uring", "pread", "buffered"})
        for (const char* policy : {"lru", "slru", "lfru"})
            for (const uint64_t more : {0, 2})
                for (const bool look_ahead : {true, false}) {
                    EngineOptions o = options();
                    o.io = io, o.cache_policy = policy, o.look_ahead = look_ahead;
                    o.ram_bytes = least + (more << 20);
                    const Engine engine = Engine::open(path, o);
                    ASSERT_TRUE(engine.info().streams);
                    const Outcome outcome = outcome_of(engine, 16);
                    EXPECT_TRUE(same_bits(outcome.logits, reference.logits))
                        << io << " " << policy << " " << o.ram_bytes << " look-ahead " << look_ahead;
                    EXPECT_GT(outcome.stream.misses, 100u);
                    EXPECT_GT(outcome.stream.bytes_read, 1u << 20);
                    EXPECT_TRUE(look_ahead || outcome.stream.guesses == 0);
                    guessed |= outcome.stream.guesses > 0;
                }
    EXPECT_TRUE(guessed);
}

TEST_P(Streaming, BatchAndThreadsDoNotChangeABit) {
    for (const uint32_t batch : {1u, 5u, 40u})
        for (const uint32_t threads : {1u, 3u}) {
            EngineOptions o = options();
            o.threads = threads, o.batch = batch;
            o.ram_bytes = least_budget(path, o) + (1 << 20);
            const Engine engine = Engine::open(path, o);
            EXPECT_TRUE(same_bits(outcome_of(engine, batch).logits, reference.logits))
                << batch << " " << threads;
        }
}

TEST_P(Streaming, MmapComputesTheSame) {
    EngineOptions o = options();
    o.io = "mmap";
    EXPECT_TRUE(same_bits(outcome_of(Engine::open(path, o), 16).logits, reference.logits));
}

TEST_P(Streaming, TooLittleMemoryIsRefusedWithWhatItNeeds) {
    EngineOptions o = options();
    o.ram_bytes = least - (2 << 20);
    try {
        Engine::open(path, o);
        FAIL() << "opened with less than the least";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::out_of_budget);
        for (const char* part : {"dense weights", "experts of one token", "KV cache", "program", "--ram"})
            EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << part << ": " << e.what();
    }
}

TEST_P(Streaming, StepsAddUpToTheTotals) {
    EngineOptions o = options();
    o.ram_bytes = least + (2 << 20);
    const Engine engine = Engine::open(path, o);
    StreamStats prefill, decode;
    uint32_t prompt_tokens = 0, steps = 0;
    SessionOptions s{.context = 256, .batch = 16};
    s.on_step = [&](const StepStats& step) {
        (step.decoding ? decode : prefill) += step.stream;
        (step.decoding ? steps : prompt_tokens) += step.tokens;
        EXPECT_GE(step.seconds + 1e-3, step.stream.wait_seconds);
        EXPECT_LE(step.stream.share_of_limit(step.seconds), 1.01);
    };
    Session session(engine, s);
    session.prefill(engine.tokenize("The quick brown fox jumps over the lazy dog. What is 12+30?", false));
    session.generate({.max_tokens = 9, .ignore_end = true});
    const SessionStats total = session.stats();
    EXPECT_EQ(prompt_tokens, total.prompt_tokens);
    EXPECT_EQ(steps, 8u);  // what follows the ninth token is not computed
    for (const auto& [sum, all] : {std::pair{prefill, total.prefill_stream}, {decode, total.decode_stream}}) {
        EXPECT_EQ(sum.hits, all.hits);
        EXPECT_EQ(sum.misses, all.misses);
        EXPECT_EQ(sum.bytes_read, all.bytes_read);
        EXPECT_NEAR(sum.wait_seconds, all.wait_seconds, 1e-9);
    }
    EXPECT_GT(decode.hits + decode.misses, 0u);
}

INSTANTIATE_TEST_SUITE_P(Models, Streaming, testing::Values("rill", "synthetic"),
                         [](const auto& p) { return std::string(p.param); });

}  // namespace
}  // namespace sluice
