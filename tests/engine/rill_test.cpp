// Rill, the bundled model, answers what its README says it answers: token for token, in both layouts, with
// every KV type, batch split and number of threads.
#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "test_models.h"

namespace sluice {
namespace {

struct Question {
    std::string prompt, text;
    std::vector<int32_t> ids;
};

/// The prompts of greedy.json whose best token leads clearly: rounding does not change them.
std::vector<Question> clear_cases() {
    std::vector<Question> cases;
    for (const auto& j : test::read_json(test::data("rill/greedy.json")))
        if (j["smallest_lead"] > 0.5) cases.push_back({j["prompt"], j["text"], j["ids"]});
    return cases;
}

SamplingOptions greedy() {
    SamplingOptions s;
    s.temperature = 0;
    return s;
}

void expect_answers(const Engine& engine, const SessionOptions& options, const std::string& what) {
    ASSERT_EQ(clear_cases().size(), 5u);
    Session session(engine, options);
    for (const Question& c : clear_cases()) {
        const Prompt prompt = engine.render({.messages = {{.role = "user", .content = c.prompt}}});
        EXPECT_TRUE(prompt.opens_reasoning);
        session.prefill(prompt.tokens);
        const Generated answer = session.generate({.sampling = greedy(), .max_tokens = 200});
        EXPECT_EQ(answer.tokens, c.ids) << c.prompt << ", " << what;
        EXPECT_EQ(answer.text, c.text) << c.prompt << ", " << what;
        EXPECT_EQ(answer.reason, StopReason::end_token);
    }
}

TEST(Rill, AnswersInBothLayoutsWithEveryKvTypeBatchAndThreadCount) {
    for (const std::string& path : {test::rill(), test::rill_old()})
        for (const uint32_t threads : {1u, 2u}) {
            const Engine engine = Engine::open(path, {.threads = threads});
            for (const KvType kv : {KvType::f32, KvType::f16, KvType::q8_0})
                for (const uint32_t batch : {512u, 3u})
                    expect_answers(engine, {.kv_type = kv, .batch = batch},
                                   path + " " + std::string(to_string(kv)) + " threads " +
                                       std::to_string(threads) + " batch " + std::to_string(batch));
        }
}

TEST(Rill, RecommendsItsSampling) {
    const SamplingOptions s = Engine::open(test::rill()).recommended_sampling();
    EXPECT_FLOAT_EQ(s.temperature, 0.6f);
    EXPECT_FLOAT_EQ(s.top_p, 0.95f);
}

TEST(Rill, KvBytesAreThoseOfTheCompressedForm) {
    const Engine engine = Engine::open(test::rill());
    EXPECT_EQ(engine.kv_bytes_per_token(KvType::f32), 6u * (64 + 16) * 4);
    Session session(engine, {.kv_type = KvType::f32});
    session.prefill(engine.tokenize("hello", false));
    EXPECT_EQ(session.stats().kv_bytes,
              64u * 6 * (64 + 16) * 4);  // one page of 64 tokens, nothing expanded
}

TEST(Rill, TheSameSeedGivesTheSameStory) {
    const Engine engine = Engine::open(test::rill());
    const Prompt prompt = engine.render(
        {.messages = {{.role = "user", .content = "Tell me a story about a fox and a lantern."}}});
    std::vector<std::vector<int32_t>> stories;
    for (const uint64_t seed : {7u, 7u, 8u}) {
        Session session(engine, {.batch = seed == 7 && stories.empty() ? 512u : 5u});
        session.prefill(prompt.tokens);
        SamplingOptions s = engine.recommended_sampling();
        s.temperature = 1;
        s.seed = seed;
        stories.push_back(session.generate({.sampling = s, .max_tokens = 60}).tokens);
    }
    EXPECT_EQ(stories[0], stories[1]);
    EXPECT_NE(stories[0], stories[2]);
}

/// As the model's evaluation does: the text after </think>.
std::string final_answer(const std::string& text) {
    const auto at = text.rfind("</think>");
    std::string answer = at == std::string::npos ? text : text.substr(at + 8);
    answer.erase(0, answer.find_first_not_of(" \n"));
    answer.erase(answer.find_last_not_of(" \n") + 1);
    return answer;
}

Message message_of(const nlohmann::json& j) {
    Message m;
    m.role = j["role"];
    if (j.contains("content") && j["content"].is_string()) m.content = j["content"];
    for (const auto& call : j.value("tool_calls", nlohmann::json::array()))
        m.tool_calls.push_back(
            {call.value("id", ""), call["function"]["name"], call["function"]["arguments"]});
    m.tool_call_id = j.value("tool_call_id", "");
    return m;
}

/// All 400 held-out questions: every kind of task, tools and several turns included. In float32 the model
/// gets 329 right (its README); one point less than that is 325.
TEST(Rill, KeepsItsAccuracyOnHeldOutQuestions) {
    const Engine engine = Engine::open(test::rill());
    Session session(engine);
    std::ifstream in(test::data("rill/heldout.jsonl"));
    std::string line;
    int asked = 0, right = 0;
    while (std::getline(in, line)) {
        const auto q = nlohmann::json::parse(line);
        ChatRequest request;
        for (const auto& m : q["messages"]) request.messages.push_back(message_of(m));
        if (q.contains("tools")) request.tools = nlohmann::ordered_json::parse(line)["tools"].dump();
        session.prefill(engine.render(request).tokens);
        const Generated answer = session.generate({.sampling = greedy(), .max_tokens = 160});
        ++asked;
        // Tool calls are answered in special tokens: compare with them shown.
        const std::string text = final_answer(engine.detokenize(answer.tokens, true));
        std::string expected = q["answer"];
        right += text == final_answer(expected);
    }
    EXPECT_EQ(asked, 400);
    EXPECT_GE(right, 325) << "of " << asked;
}

}  // namespace
}  // namespace sluice
