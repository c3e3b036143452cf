// sluice run, on the bundled model: exact answers, where each byte goes, and how it ends.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "process.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

const Json& greedy() {
    static const Json all = Json::parse(read_file(SLUICE_TEST_DATA "/rill/greedy.json"));
    return all;
}

Json run_json(Arguments more) {
    Arguments arguments = {"run", rill(), "--json", "--temp", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished f = sluice(arguments);
    EXPECT_EQ(f.status, 0) << f.err;
    return Json::parse(f.out, nullptr, false);
}

TEST(Run, GivesTheExactTokensOfTheReference) {
    int compared = 0;
    for (const auto& g : greedy()) {
        if (g.at("smallest_lead").get<double>() < 0.5) continue;  // rounding may decide those
        const Json j = run_json({"-p", g.at("prompt"), "--kv-type", "f32"});
        EXPECT_EQ(j.at("token_ids"), g.at("ids")) << g.at("prompt");
        EXPECT_EQ(j.at("stop_reason"), "eos");
        EXPECT_EQ(j.at("raw_text"), g.at("text"));
        const std::string whole = g.at("text");
        EXPECT_EQ(j.at("text"), whole.substr(whole.find("</think>\n\n") + 10));
        ++compared;
    }
    EXPECT_GE(compared, 5);
}

TEST(Run, JsonHoldsReasoningAndFigures) {
    const Json j = run_json({"-p", "What is 12+30?"});
    EXPECT_EQ(j.at("text"), "12 + 30 = 42");
    EXPECT_EQ(j.at("reasoning"), "ones 2+0=2\ntens 1+3=4");
    EXPECT_EQ(j.at("prompt_tokens"), 14);
    EXPECT_EQ(j.at("generated_tokens"), j.at("token_ids").size());
    EXPECT_EQ(j.at("model"), "Rill");
    EXPECT_TRUE(j.at("seed").is_number_unsigned());
    for (const char* key : {"load_seconds", "prefill_seconds", "decode_seconds", "prefill_tokens_per_second",
                            "decode_tokens_per_second"})
        EXPECT_GT(j.at("timings").at(key).get<double>(), 0) << key;
    for (const char* key :
         {"weights_bytes", "kv_bytes", "scratch_bytes", "peak_rss_bytes", "kv_bytes_per_token"})
        EXPECT_GT(j.at("memory").at(key).get<uint64_t>(), 0u) << key;
    EXPECT_EQ(j.at("memory").at("kv_bytes_per_token"), 960);  // 6 layers x (64 + 16) values x 2 bytes
}

TEST(Run, OnlyTheAnswerGoesToStandardOutput) {
    const Finished f = sluice({"run", rill(), "-p", "What is 12+30?", "--temp", "0"});
    EXPECT_EQ(f.status, 0);
    EXPECT_EQ(f.out, "12 + 30 = 42\n");
    // No terminal: no reasoning, no colours, but the line of figures.
    EXPECT_EQ(f.err.find("tens"), std::string::npos);
    EXPECT_EQ(f.err.find('\033'), std::string::npos);
    EXPECT_NE(f.err.find("answer 28 at "), std::string::npos) << f.err;
    EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), 1);
}

TEST(Run, ReadsThePromptFromAFileAndFromStandardInput) {
    const TemporaryFolder folder;
    write_file(folder / "prompt", "What is 12+30?\n");
    EXPECT_EQ(sluice({"run", rill(), "-f", folder / "prompt", "--temp", "0"}).out, "12 + 30 = 42\n");
    EXPECT_EQ(sluice({"run", rill(), "-", "--temp", "0"}, "What is 12+30?\n").out, "12 + 30 = 42\n");
}

TEST(Run, RawTakesThePromptAsItIs) {
    const std::string prompt = "<｜begin▁of▁sentence｜><｜User｜>What is 12+30?<｜Assistant｜><think>\n";
    const std::string whole = greedy()[0].at("text");
    const Finished f = sluice({"run", rill(), "--raw", "-p", prompt, "--temp", "0"});
    EXPECT_EQ(f.out, whole + "\n");
    const Json j = run_json({"--raw", "-p", prompt});
    EXPECT_EQ(j.at("text"), whole);
    EXPECT_EQ(j.at("reasoning"), "");
    EXPECT_EQ(j.at("prompt_tokens"), 14);  // BOS is not doubled
}

TEST(Run, EndsAtStopTextsAndLimits) {
    const Json stopped = run_json({"-p", "What is 12+30?", "--stop", " = ", "--stop", "[never]"});
    EXPECT_EQ(stopped.at("text"), "12 + 30");
    EXPECT_EQ(stopped.at("stop_reason"), "stop");
    const Json short_one = run_json({"-p", "What is 12+30?", "-n", "5"});
    EXPECT_EQ(short_one.at("token_ids").size(), 5u);
    EXPECT_EQ(short_one.at("stop_reason"), "length");
    EXPECT_EQ(run_json({"-p", "What is 12+30?", "-n", "0"}).at("token_ids").size(), 0u);
    EXPECT_EQ(run_json({"-p", "What is 12+30?", "--ctx", "20"}).at("stop_reason"), "context");
}

TEST(Run, AnswersAreHeldToGrammarsAndSchemas) {
    const Arguments ask = {"-p", "What is 12+30?", "--seed", "3"};
    const auto held = [&](Arguments more) {
        more.insert(more.begin(), ask.begin(), ask.end());
        return run_json(more);
    };
    const std::string schema =
        R"({"type":"object","properties":{"sum":{"type":"integer"}},"required":["sum"]})";
    const Json j = held({"--json-schema", schema});
    EXPECT_TRUE(Json::parse(j.at("text").get<std::string>()).at("sum").is_number_integer());
    EXPECT_EQ(j.at("stop_reason"), "eos");
    EXPECT_NE(j.at("reasoning"), "");

    const std::string path = std::string(SLUICE_TEST_TMP) + "/constraint-" + std::to_string(::getpid());
    std::ofstream(path) << schema;
    EXPECT_EQ(held({"--json-schema", "@" + path}).at("text"), j.at("text"));
    std::ofstream(path) << "root ::= \"<\" [0-9]{3} \">\"";
    const std::string text = held({"--grammar-file", path}).at("text");
    EXPECT_EQ(text.size(), 5u) << text;
    EXPECT_EQ(held({"--grammar", "root ::= \"forty-two\""}).at("text"), "forty-two");
    std::filesystem::remove(path);

    const Finished wrong = sluice({"run", "no-such-model", "-p", "x", "--json-schema", "{\"not\":{}}"});
    EXPECT_EQ(wrong.status, 1);
    EXPECT_NE(wrong.err.find("\"not\" is not supported"), std::string::npos) << wrong.err;
    EXPECT_EQ(sluice({"run", rill(), "-p", "x", "--json-object", "--grammar", "root ::= \"x\""}).status, 2);
}

TEST(Run, BiasForbidsAToken) {
    const int first = greedy()[0].at("ids")[0];
    const Json j =
        run_json({"-p", "What is 12+30?", "--logit-bias", std::to_string(first) + "=-inf", "-n", "1"});
    EXPECT_NE(j.at("token_ids")[0], first);
}

TEST(Run, SameSeedSameAnswer) {
    const Arguments story = {"run", rill(), "-p", "Tell me a story.", "--temp",
                             "1.5", "-n",   "40", "--json",           "--seed"};
    const auto with_seed = [&](const std::string& seed) {
        Arguments a = story;
        a.push_back(seed);
        return Json::parse(sluice(a).out).at("token_ids");
    };
    EXPECT_EQ(with_seed("7"), with_seed("7"));
    EXPECT_NE(with_seed("7"), with_seed("8"));
}

TEST(Run, ThreadsBatchAndMemoryDoNotDecideTokens) {
    const Arguments prompt = {"-p", "Tell me a story about a fox and a lantern.", "-n", "60"};
    const auto with = [&](Arguments more) {
        more.insert(more.end(), prompt.begin(), prompt.end());
        return run_json(more).at("token_ids");
    };
    const Json expected = with({});
    EXPECT_EQ(with({"-t", "1"}), expected);
    EXPECT_EQ(with({"-t", "3", "-b", "5"}), expected);
    EXPECT_EQ(with({"--ram", "100M"}), expected);
}

TEST(Run, ReadsMessagesAndTools) {
    const TemporaryFolder folder;
    write_file(folder / "chat.json",
               R"({"messages": [{"role": "user", "content": "Send Paul a message: call the doctor"}],
        "tools": [{"type": "function", "function": {"name": "send_message", "description": "Send a message to a person.",
        "parameters": {"type": "object", "properties": {"to": {"type": "string"}, "text": {"type": "string"}},
        "required": ["to", "text"]}}}]})");
    const Json j = run_json({"--messages", folder / "chat.json"});
    EXPECT_NE(j.at("raw_text").get<std::string>().find("<｜tool▁sep｜>send_message"), std::string::npos) << j;

    write_file(folder / "bad.json",
               R"([{"role": "user", "content": "hi"}, {"role": "robot", "content": "x"}])");
    const Finished bad = sluice({"run", rill(), "--messages", folder / "bad.json"});
    EXPECT_EQ(bad.status, 1);
    EXPECT_NE(bad.err.find("message 2"), std::string::npos) << bad.err;
    write_file(folder / "deep.json", std::string(100000, '['));
    EXPECT_EQ(sluice({"run", rill(), "--messages", folder / "deep.json"}).status, 1);
}

TEST(Run, SystemMessageReachesTheTemplate) {
    const int without = run_json({"-p", "Hi", "-n", "1"}).at("prompt_tokens");
    const int with = run_json({"-p", "Hi", "-n", "1", "--system", "Be brief."}).at("prompt_tokens");
    EXPECT_GT(with, without);
}

struct Refused {
    Arguments arguments;
    int status;
    std::string says;
};

TEST(Run, RefusesWithOneSentence) {
    const std::string long_prompt(20000, 'x');
    const Refused cases[] = {
        {{"run", "/nowhere/x.gguf", "-p", "x"}, 1, "/nowhere/x.gguf"},
        {{"run", "no-such-model", "-p", "x"}, 1, "\"no-such-model\""},
        {{"run", SLUICE_TEST_DATA "/rill/greedy.json", "-p", "x"}, 1, "greedy.json"},
        {{"run", rill(), "-p", "x", "--ctx", "5"}, 1, "holds 5"},
        {{"run", rill(), "-p", "x", "--ctx", "999999"}, 1, "4096"},
        {{"run", rill(), "-p", "x", "--ram", "1M"}, 1, "--ram"},
        {{"run", rill(), "-f", "/nowhere/prompt"}, 1, "/nowhere/prompt"},
        {{"run", rill()}, 2, "expected one prompt"},
        {{"run", rill(), "-p", "x", "-f", "y"}, 2, "found 2"},
        {{"run", rill(), "-p", "x", "--frobnicate"}, 2, "--frobnicate"},
        {{"run", rill(), "-p", "x", "--temp", "hot"}, 2, "--temp"},
        {{"run", rill(), "-p", "x", "--top-p", "7"}, 2, "7"},
        {{"run", rill(), "-p", "x", "--temp", "-1"}, 2, "-1"},
        {{"run", rill(), "-p", "x", "--kv-type", "q3"}, 2, "q8_0"},
        {{"run", rill(), "-p", "x", "--ram", "lots"}, 2, "--ram"},
        {{"run", rill(), "-p", "x", "--logit-bias", "5"}, 2, "ID=VALUE"},
        {{"run", rill(), "-p", "x", "--threads", "0"}, 2, "--threads"},
        {{"rnu", rill(), "-p", "x"}, 2, "sluice run"},
        {{}, 2, "subcommand"},
    };
    for (const auto& c : cases) {
        const Finished f = sluice(c.arguments);
        EXPECT_EQ(f.status, c.status) << f.err;
        EXPECT_EQ(f.out, "");
        EXPECT_TRUE(f.err.starts_with("sluice: ")) << f.err;
        EXPECT_NE(f.err.find(c.says), std::string::npos) << f.err;
        EXPECT_EQ(std::count(f.err.begin(), f.err.end(), '\n'), c.status == 2 ? 2 : 1) << f.err;
    }
    const Finished f = sluice({"run", rill(), "-p", long_prompt, "--ctx", "100"});
    EXPECT_EQ(f.status, 1);
    EXPECT_NE(f.err.find("tokens and the context holds 100"), std::string::npos) << f.err;
}

TEST(Run, CtrlCKeepsWhatWasGenerated) {
    Process p({"run", rill(), "-p", "Tell me a story.", "--ignore-eos", "--temp", "0", "-t", "1"});
    ASSERT_TRUE(p.wait_for("the"));
    p.signal(SIGINT);
    const Finished f = p.finish(20s);
    EXPECT_EQ(f.status, 130);
    EXPECT_FALSE(f.out.empty());
    EXPECT_NE(f.err.find("cancelled"), std::string::npos) << f.err;
}

TEST(Run, EndsQuietlyWhenNobodyReads) {
    Process p({"run", rill(), "-p", "Tell me a story.", "--temp", "0", "--ignore-eos", "-n", "2000"});
    ASSERT_TRUE(p.wait_for("the"));
    p.close_output();
    const Finished f = p.finish(20s);
    EXPECT_EQ(f.status, 1);
    EXPECT_EQ(f.err, "");
}

TEST(Run, AFullDiskIsAnError) {
    const Finished f = sluice({"tensor", rill(), "output_norm.weight", "--out", "/dev/full"});
    EXPECT_EQ(f.status, 1);
    EXPECT_NE(f.err.find("No space left"), std::string::npos) << f.err;
}

}  // namespace
}  // namespace sluice::test
