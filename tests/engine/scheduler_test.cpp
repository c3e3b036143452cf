// Requests in company: each answer is the one given alone, askers take turns, cancellation is quick, limits
// hold, and beginnings are computed once.
#include "engine/scheduler.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "test_models.h"

namespace sluice {
namespace {

/// Gathers the events of one request; wait() is for the test's thread.
class Answer {
  public:
    std::function<void(const RequestEvent&)> listener() {
        return [this](const RequestEvent& e) {
            std::lock_guard lock(mutex_);
            if (const auto* step = std::get_if<Generation::Step>(&e)) {
                tokens.push_back(*step->token);
                text += step->text;
                if (on_token) on_token();
            } else if (const auto* d = std::get_if<RequestDone>(&e)) {
                done = *d;
                text += d->text;
                ended_ = true;
            } else if (const auto* f = std::get_if<RequestFailed>(&e)) {
                failure = f->sentence;
                ended_ = true;
            } else if (const auto* p = std::get_if<RequestProgress>(&e)) {
                progress.push_back(p->processed);
            }
            changed_.notify_all();
        };
    }
    bool wait(std::chrono::seconds most = std::chrono::seconds(60)) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, most, [&] { return ended_; });
    }
    bool wait_for_tokens(size_t n) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60),
                                 [&] { return ended_ || tokens.size() >= n; });
    }

    std::vector<TokenId> tokens;
    std::string text, failure;
    std::vector<uint64_t> progress;
    std::optional<RequestDone> done;
    std::function<void()> on_token;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
};

class Scheduling : public testing::Test {
  protected:
    Engine engine = Engine::open(test::rill());

    std::vector<TokenId> prompt(const std::string& text) {
        return engine.render({.messages = {{.role = "user", .content = text}}}).tokens;
    }
    static GenerateOptions options(uint64_t seed, int64_t most) {
        GenerateOptions o;
        o.sampling.temperature = seed ? 0.9f : 0.0f;
        o.sampling.seed = seed;
        o.sampling.repeat_penalty = 1.05f;
        o.max_tokens = most;
        return o;
    }
    std::string long_text(int words) {
        std::string text = "Sort these:";
        for (int i = 0; i < words; ++i) text += " " + std::to_string((i * 7919) % 1000);
        return text;
    }
};

TEST_F(Scheduling, EveryAnswerIsTheOneGivenAlone) {
    struct Case {
        std::string question;
        uint64_t seed;
        int64_t most;
    };
    std::vector<Case> cases;
    for (uint64_t i = 0; i < 9; ++i)
        cases.push_back({i % 3 == 0   ? long_text(int(40 + 25 * i))
                         : i % 3 == 1 ? "What is " + std::to_string(i) + " times 47?"
                                      : "Tell me a story about a fox and a lantern.",
                         i % 4, int64_t(10 + 9 * i)});
    for (const KvType kv : {KvType::f16, KvType::q8_0}) {
        std::vector<std::vector<TokenId>> alone;
        for (const Case& c : cases) {
            Session session(engine, {.kv_type = kv});
            session.prefill(prompt(c.question));
            alone.push_back(session.generate(options(c.seed, c.most)).tokens);
        }
        for (const uint32_t parallel : {3u, 8u}) {
            Scheduler scheduler(engine, {.parallel = parallel, .prefill_chunk = 37, .kv_type = kv});
            std::vector<Answer> answers(cases.size());
            for (size_t i = 0; i < cases.size(); ++i) {
                scheduler.submit({.prompt = prompt(cases[i].question),
                                  .options = options(cases[i].seed, cases[i].most),
                                  .on_event = answers[i].listener()});
                if (i % 5 == 4) answers[i - 3].wait_for_tokens(3);  // some join while others answer
            }
            for (size_t i = 0; i < cases.size(); ++i) {
                ASSERT_TRUE(answers[i].wait());
                EXPECT_EQ(answers[i].tokens, alone[i]) << cases[i].question << ", parallel " << parallel;
                EXPECT_EQ(answers[i].failure, "");
            }
        }
    }
}

TEST_F(Scheduling, ALongPromptDoesNotStopOthersAnswers) {
    Scheduler scheduler(engine, {.parallel = 2, .prefill_chunk = 16});
    Answer story, sorted;
    GenerateOptions endless = options(0, 2000);
    endless.ignore_end = true;
    const auto ticket = scheduler.submit(
        {.prompt = prompt("Tell me a story."), .options = endless, .on_event = story.listener()});
    ASSERT_TRUE(story.wait_for_tokens(5));
    const auto question = prompt(long_text(300));
    ASSERT_GT(question.size(), 600u);
    scheduler.submit({.prompt = question, .options = options(0, 4), .on_event = sorted.listener()});
    ASSERT_TRUE(sorted.wait());
    ticket.cancel();
    ASSERT_TRUE(story.wait());
    EXPECT_EQ(sorted.tokens.size(), 4u);
    // The prompt was read in chunks of at most 16 tokens while the other answer went on, a token a step.
    ASSERT_GT(sorted.progress.size(), question.size() / 16);
    for (size_t i = 1; i < sorted.progress.size(); ++i)
        EXPECT_LE(sorted.progress[i] - sorted.progress[i - 1], 16u);
    EXPECT_GE(story.tokens.size(), sorted.progress.size());
    EXPECT_EQ(story.done->reason, StopReason::cancelled);
}

TEST_F(Scheduling, SharedBeginningsAreComputedOnce) {
    const std::string system = long_text(150);
    const auto ask = [&](const std::string& q) {
        return engine
            .render({.messages = {{.role = "system", .content = system}, {.role = "user", .content = q}}})
            .tokens;
    };
    Scheduler scheduler(engine, {.parallel = 4});
    std::vector<std::vector<TokenId>> alone;
    const std::string questions[] = {"What is 1+2?", "What is 12+30?", "Who are you?", "What is 1+2?"};
    for (const auto& q : questions) {
        Session session(engine);
        session.prefill(ask(q));
        alone.push_back(session.generate(options(3, 40)).tokens);
    }
    // All at once: the first reads, the others wait for what they share.
    std::vector<Answer> answers(4);
    for (size_t i = 0; i < 4; ++i)
        scheduler.submit(
            {.prompt = ask(questions[i]), .options = options(3, 40), .on_event = answers[i].listener()});
    const size_t shared = ask("").size() - 20;
    for (size_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(answers[i].wait());
        EXPECT_EQ(answers[i].tokens, alone[i]);
        if (i > 0) {
            EXPECT_GE(answers[i].done->reused_tokens + KvCache::page_tokens, shared);
        }
    }
    // The next turn of a conversation: nothing but what is new is computed.
    std::vector<TokenId> next = ask(questions[0]);
    next.insert(next.end(), answers[0].tokens.begin(), answers[0].tokens.end());
    const size_t held = next.size() - 1;  // the last token of an answer that ended by length was never fed
    const auto more = prompt("And 2+3?");
    next.insert(next.end(), more.begin(), more.end());
    Session session(engine);
    session.prefill(next);
    Answer second;
    scheduler.submit({.prompt = next, .options = options(3, 40), .on_event = second.listener()});
    ASSERT_TRUE(second.wait());
    EXPECT_GE(second.done->reused_tokens, held - 1);
    EXPECT_EQ(second.tokens, session.generate(options(3, 40)).tokens);
    // The same prompt again: one token is computed for its logits.
    Answer again;
    scheduler.submit({.prompt = next, .options = options(3, 40), .on_event = again.listener()});
    ASSERT_TRUE(again.wait());
    EXPECT_EQ(again.done->reused_tokens, next.size() - 1);
    EXPECT_EQ(again.tokens, second.tokens);
}

TEST_F(Scheduling, TheKvBudgetHoldsWhateverIsKept) {
    const uint32_t context = 256;
    Scheduler scheduler(engine, {.parallel = 2, .context = context});
    for (int i = 0; i < (SLUICE_SANITIZED ? 6 : 12); ++i) {
        Answer a, b;
        Session alone(engine, {.context = context});
        const auto p = prompt(std::to_string(i) + long_text(40 + i));
        alone.prefill(p);
        scheduler.submit({.prompt = p, .options = options(0, 60), .on_event = a.listener()});
        scheduler.submit({.prompt = prompt("Who are you, " + std::to_string(i) + "?"),
                          .options = options(2, 60),
                          .on_event = b.listener()});
        ASSERT_TRUE(a.wait() && b.wait());
        EXPECT_EQ(a.tokens, alone.generate(options(0, 60)).tokens);
        const SchedulerStats s = scheduler.stats();
        EXPECT_LE(s.kv_bytes_used + s.kv_bytes_cached, s.kv_bytes_limit);
        EXPECT_EQ(s.kv_bytes_limit, 2u * context * engine.kv_bytes_per_token(KvType::f16));
    }
    EXPECT_GT(scheduler.stats().kv_bytes_cached, 0u);
}

TEST_F(Scheduling, AskersTakeTurns) {
    Scheduler scheduler(engine, {.parallel = 1});
    std::mutex mutex;
    std::vector<std::string> order;
    std::vector<Answer> answers(9);
    const auto submit = [&](size_t i, const std::string& key, int32_t priority) {
        const auto listen = answers[i].listener();
        const std::string name = key + std::to_string(i);
        scheduler.submit({.prompt = prompt(name),
                          .options = options(0, 3),
                          .key = key,
                          .priority = priority,
                          .on_event = [&, listen, name](const RequestEvent& e) {
                              if (std::holds_alternative<RequestDone>(e)) {
                                  std::lock_guard lock(mutex);
                                  order.push_back(name);
                              }
                              listen(e);
                          }});
    };
    Answer first;  // keeps the engine until all are in the queue
    GenerateOptions endless = options(0, -1);
    endless.ignore_end = true;
    const auto ticket = scheduler.submit(
        {.prompt = prompt("go"), .options = endless, .key = "x", .on_event = first.listener()});
    ASSERT_TRUE(first.wait_for_tokens(1));
    for (size_t i = 0; i < 5; ++i) submit(i, "a", 0);
    submit(5, "b", 0), submit(6, "b", 0);
    submit(7, "c", 0);
    submit(8, "a", 5);
    ticket.cancel();
    for (auto& a : answers) ASSERT_TRUE(a.wait());
    EXPECT_EQ(order, (std::vector<std::string>{"a8", "b5", "c7", "a0", "b6", "a1", "a2", "a3", "a4"}));
}

TEST_F(Scheduling, CancellationTakesEffectWithinAStep) {
    Scheduler scheduler(engine, {.parallel = 2});
    GenerateOptions endless = options(1, -1);
    endless.ignore_end = true;
    std::vector<Answer> answers(2);
    Answer waiting;
    std::vector<Scheduler::Ticket> tickets;
    for (auto& a : answers)
        tickets.push_back(scheduler.submit(
            {.prompt = prompt("Tell me a story."), .options = endless, .on_event = a.listener()}));
    for (auto& a : answers) ASSERT_TRUE(a.wait_for_tokens(3));
    const auto third = scheduler.submit(
        {.prompt = prompt("Who are you?"), .options = endless, .on_event = waiting.listener()});
    third.cancel();
    ASSERT_TRUE(waiting.wait());  // although no place is free
    EXPECT_EQ(waiting.done->reason, StopReason::cancelled);
    EXPECT_TRUE(waiting.tokens.empty());
    std::atomic<size_t> at_cancel{SIZE_MAX};
    answers[0].on_token = [&] {  // in the scheduler's thread, between two steps
        if (at_cancel == SIZE_MAX) at_cancel = answers[0].tokens.size(), tickets[0].cancel();
    };
    ASSERT_TRUE(answers[0].wait());
    EXPECT_EQ(answers[0].tokens.size(), at_cancel.load());
    EXPECT_EQ(answers[0].done->reason, StopReason::cancelled);
    answers[1].on_token = [&] { throw std::runtime_error("the asker has left"); };
    ASSERT_TRUE(answers[1].wait());
    EXPECT_EQ(answers[1].done->reason, StopReason::cancelled);
    EXPECT_EQ(scheduler.stats().cancelled, 3u);
}

TEST_F(Scheduling, LimitsAreTold) {
    Scheduler scheduler(engine, {.parallel = 1, .queue = 2, .context = 128});
    const auto error = [&](Request r) {
        try {
            scheduler.submit(std::move(r));
            return std::pair(ErrorCode::internal, std::string("none"));
        } catch (const Error& e) {
            return std::pair(e.code(), std::string(e.what()));
        }
    };
    EXPECT_EQ(error({.prompt = {}}).first, ErrorCode::invalid_argument);
    EXPECT_EQ(error({.prompt = {4096}}).first, ErrorCode::invalid_argument);
    EXPECT_EQ(error({.prompt = std::vector<TokenId>(129, 300)}).first, ErrorCode::out_of_budget);
    GenerateOptions wrong;
    wrong.sampling.top_p = 2;
    EXPECT_EQ(error({.prompt = {300}, .options = wrong}).first, ErrorCode::invalid_argument);
    GenerateOptions endless = options(0, -1);
    endless.ignore_end = true;
    std::vector<Answer> answers(3);
    for (auto& a : answers)
        scheduler.submit({.prompt = prompt("Hi"), .options = endless, .on_event = a.listener()});
    EXPECT_EQ(error({.prompt = {300}}).first, ErrorCode::busy);
    for (auto& a : answers) {
        ASSERT_TRUE(a.wait());
        EXPECT_EQ(a.done->reason, StopReason::context_full);
    }
    EXPECT_EQ(scheduler.stats().refused, 1u);
}

TEST_F(Scheduling, EmbeddingsAreTheSameInCompany) {
    const auto embed = [&](Scheduler& s, const std::string& text, Answer& a) {
        s.submit({.prompt = engine.tokenize_prompt(text), .embed = true, .on_event = a.listener()});
    };
    const std::string texts[] = {"a fox and a lantern", "the fox and the lantern", long_text(200)};
    std::vector<std::vector<float>> alone;
    for (const auto& t : texts) {
        Scheduler s(engine, {.parallel = 1});
        Answer a;
        embed(s, t, a);
        ASSERT_TRUE(a.wait());
        alone.push_back(a.done->embedding);
    }
    Answer story;  // may still be told when the others are done: outlives the scheduler
    std::vector<Answer> answers(3);
    Scheduler s(engine, {.parallel = 4, .prefill_chunk = 7});
    s.submit(
        {.prompt = prompt("Tell me a story."), .options = options(1, 200), .on_event = story.listener()});
    for (size_t i = 0; i < 3; ++i) embed(s, texts[i], answers[i]);
    const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
        double sum = 0;
        for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * b[i];
        return sum;
    };
    for (size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(answers[i].wait());
        EXPECT_EQ(answers[i].done->embedding, alone[i]);
        EXPECT_EQ(alone[i].size(), engine.info().n_embd);
        EXPECT_NEAR(dot(alone[i], alone[i]), 1, 1e-5);
    }
    EXPECT_GT(dot(alone[0], alone[1]), dot(alone[0], alone[2]));
}

TEST_F(Scheduling, ThoughtsEndWithTheirBudget) {
    Scheduler scheduler(engine, {.parallel = 2});
    GenerateOptions o = options(0, 100);
    o.opens_reasoning = true;
    for (const int64_t budget : {0, 4}) {
        o.thinking_budget = budget;
        Answer a;
        scheduler.submit({.prompt = prompt("What is 12+30?"), .options = o, .on_event = a.listener()});
        ASSERT_TRUE(a.wait());
        const size_t end = a.text.find("</think>");
        ASSERT_NE(end, std::string::npos) << a.text;
        EXPECT_LE(engine.tokenize(a.text.substr(0, end), false).size(), size_t(budget) + 1) << a.text;
        EXPECT_EQ(a.done->reason, StopReason::end_token);
    }
}

TEST_F(Scheduling, LogprobsAreThoseOfTheModel) {
    Scheduler scheduler(engine, {.parallel = 1});
    std::vector<TokenLogprobs> seen;
    GenerateOptions o = options(0, 5);
    o.top_logprobs = 3;
    Answer a;
    const auto listen = a.listener();
    scheduler.submit(
        {.prompt = prompt("What is 12+30?"), .options = o, .on_event = [&](const RequestEvent& e) {
             if (const auto* step = std::get_if<Generation::Step>(&e)) seen.push_back(*step->logprobs);
             listen(e);
         }});
    ASSERT_TRUE(a.wait());
    ASSERT_EQ(seen.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
        ASSERT_EQ(seen[i].top.size(), 3u);
        EXPECT_EQ(seen[i].chosen.token, a.tokens[i]);
        EXPECT_LE(seen[i].chosen.logprob, seen[i].top[0].logprob);
        EXPECT_GE(seen[i].top[0].logprob, seen[i].top[1].logprob);
        EXPECT_LE(seen[i].top[0].logprob, 0);
    }
    // Greedy with a mild penalty: the first token is the best one, and by far.
    EXPECT_EQ(seen[0].chosen.token, seen[0].top[0].token);
}

TEST_F(Scheduling, SessionsBesideASchedulerDoNotDisturbIt) {
    const auto p = prompt("Tell me a story about a fox and a lantern.");
    Session alone(engine);
    alone.prefill(p);
    const auto expected = alone.generate(options(5, 80)).tokens;
    Scheduler scheduler(engine, {.parallel = 2});
    std::vector<Answer> answers(2);
    for (auto& a : answers)
        scheduler.submit({.prompt = p, .options = options(5, 80), .on_event = a.listener()});
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] {
            Session session(engine);
            session.prefill(p);
            EXPECT_EQ(session.generate(options(5, 80)).tokens, expected);
        });
    for (auto& t : threads) t.join();
    for (auto& a : answers) {
        ASSERT_TRUE(a.wait());
        EXPECT_EQ(a.tokens, expected);
    }
}

}  // namespace
}  // namespace sluice
