// The memory of compiled grammars: planned, counted, kept within its limit whatever is asked for, and never a
// reason for another answer.
#include "engine/constraint_cache.h"

#include <stop_token>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/impl.h"
#include "test_models.h"
#include "text/grammar/gbnf.h"

namespace sluice {
namespace {

Engine rill_with(uint64_t constraint_bytes, uint64_t ram = 0) {
    return Engine::open(test::rill(), {.ram_bytes = ram, .constraint_bytes = constraint_bytes});
}

/// The i-th of many schemas that are all different.
std::string schema(int i) {
    return fmt::format(
        R"({{"type":"object","required":["name{0}","age"],"properties":{{"name{0}":{{"type":"string","maxLength":{1}}},)"
        R"("age":{{"type":"integer","minimum":{0}}},"tags":{{"type":"array","items":{{"enum":["a{0}","b"]}}}}}}}})",
        i, 5 + i % 20);
}

std::string answer(const Engine& engine, const std::shared_ptr<const Constraint>& constraint, uint64_t seed) {
    Session session(engine);
    session.prefill(engine.render({.messages = {{.role = "user", .content = "An object, please."}}}).tokens);
    GenerateOptions o;
    o.sampling.temperature = 1;
    o.sampling.seed = seed;
    o.max_tokens = 80;
    o.constraint = constraint;
    return session.generate(o).text;
}

ConstraintStats stats(const Engine& engine) {
    return engine.impl()->constraints->stats();
}

TEST(ConstraintCache, TheSameTextIsCompiledOnce) {
    const Engine engine = rill_with(0);
    const auto first = engine.constrain_to_schema(schema(1));
    EXPECT_EQ(engine.constrain_to_schema(schema(1)), first);
    EXPECT_NE(engine.constrain_to_schema(schema(2)), first);
    EXPECT_NE(engine.constrain_to_grammar("root ::= \"a\""), engine.constrain_to_json_object());
    EXPECT_EQ(stats(engine).compiled, 4u);
    EXPECT_EQ(stats(engine).found, 1u);
    EXPECT_EQ(stats(engine).evicted, 0u);
}

/// With hardly any room the answers are those given with plenty, and the limit is kept at every moment.
TEST(ConstraintCache, KeepsItsLimitAndChangesNoAnswer) {
    const Engine large = rill_with(64 << 20);
    large.constrain_to_json_object();
    const uint64_t vocabulary = stats(large).bytes;
    const Engine small = rill_with(vocabulary + (200 << 10));
    const std::jthread watch([&](const std::stop_token& done) {
        while (!done.stop_requested()) {
            const ConstraintStats s = stats(small);
            EXPECT_LE(s.bytes, s.limit);
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < (SLUICE_SANITIZED ? 25 : 40); ++i)
        EXPECT_EQ(answer(small, small.constrain_to_schema(schema(i % 20)), uint64_t(i)),
                  answer(large, large.constrain_to_schema(schema(i % 20)), uint64_t(i)))
            << i;
    EXPECT_EQ(stats(large).evicted, 0u);
    EXPECT_LT(stats(small).bytes, stats(large).bytes);
}

/// What is in use does not leave; what was used last leaves last; without users all can be given back.
TEST(ConstraintCache, WhatWasUsedLongestAgoLeavesFirst) {
    const Engine probe = rill_with(0);
    probe.constrain_to_schema(schema(100));
    const uint64_t one = stats(probe).bytes;  // with the vocabulary
    probe.constrain_to_schema(schema(101));
    const uint64_t each = stats(probe).bytes - one;
    const Engine engine = rill_with(one + 3 * each + each / 2);
    engine.constrain_to_schema(schema(110));
    const auto used = engine.constrain_to_schema(schema(111));
    engine.constrain_to_schema(schema(112));
    engine.constrain_to_schema(schema(113));
    engine.constrain_to_schema(schema(110));  // again
    EXPECT_EQ(stats(engine).found, 1u);
    engine.constrain_to_schema(schema(114));  // 112 leaves: 111 is older, but in use
    EXPECT_EQ(stats(engine).evicted, 1u);
    engine.constrain_to_schema(schema(110));
    engine.constrain_to_schema(schema(111));
    EXPECT_EQ(stats(engine).found, 3u);
    engine.constrain_to_schema(schema(112));
    EXPECT_EQ(stats(engine).compiled, 6u);
}

TEST(ConstraintCache, WhatCanNeverFitIsRefusedWithASentence) {
    const Engine probe = rill_with(0);
    probe.constrain_to_json_object();
    const Engine engine = rill_with(stats(probe).bytes + (40 << 10));
    std::string words;
    for (int i = 0; i < 3000; ++i) words += fmt::format("{}\"w{:05}\"", i ? "," : "", i * 7919 % 100'000);
    try {
        engine.constrain_to_schema("{\"enum\":[" + words + "]}");
        FAIL() << "it was compiled";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::out_of_budget);
        EXPECT_NE(std::string(e.what()).find("--grammar-memory"), std::string::npos) << e.what();
    }
    EXPECT_NO_THROW(engine.constrain_to_grammar("root ::= \"a\""));
    const Engine none = rill_with(1000);  // not even the vocabulary
    EXPECT_THROW(none.constrain_to_json_object(), Error);
    EXPECT_NO_THROW(probe.constrain_to_schema("{\"enum\":[" + words + "]}"));
}

TEST(ConstraintCache, WhatIsInUseAndFillsItIsBusy) {
    const Engine probe = rill_with(0);
    probe.constrain_to_json_object();
    const Engine engine = rill_with(stats(probe).bytes + (30 << 10));
    std::vector<std::shared_ptr<const Constraint>> held;
    try {
        for (int i = 0; i < 200; ++i) held.push_back(engine.constrain_to_schema(schema(i)));
        FAIL() << "200 fit";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::busy) << e.what();
    }
    EXPECT_GT(held.size(), 1u);
    held.clear();
    EXPECT_NO_THROW(engine.constrain_to_schema(schema(300)));
}

/// It is a part of the memory that is planned before anything is read.
TEST(ConstraintCache, IsPartOfThePlan) {
    const EngineOptions options{.ram_bytes = 1 << 30,
                                .constraint_bytes = 5 << 20,
                                .set_aside = {{"of the caller", 3 << 20}, {"too much", 1 << 30}}};
    const Engine engine = Engine::open(test::rill(), options);
    const EngineInfo& info = engine.info();
    uint64_t sum = 0, grammars = 0, caller = 0, too_much = 0;
    for (const MemoryPart& part : info.plan) {
        sum += part.bytes;
        if (part.what.starts_with("compiled grammars")) grammars = part.bytes;
        if (part.what == "of the caller") caller = part.bytes;
        if (part.what == "too much") too_much = part.bytes;
    }
    EXPECT_EQ(grammars, 5u << 20);
    EXPECT_EQ(caller, 3u << 20);
    EXPECT_EQ(too_much, (1u << 30) / 64);
    EXPECT_LE(sum, info.ram_limit);
    EXPECT_EQ(info.set_aside.size(), 2u);
    EXPECT_EQ(stats(engine).limit, 5u << 20);
    try {  // it is planned, not taken on top
        Engine::open(test::rill(), {.ram_bytes = 64 << 20, .constraint_bytes = 40 << 20});
        FAIL() << "26 MB of weights, 24 of program and 40 of grammars in 64";
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::out_of_budget);
        EXPECT_NE(std::string(e.what()).find("grammars"), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace sluice
