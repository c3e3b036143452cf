// What streaming cost, in its three forms: --stats-json, run --json and the line of figures, /stats.
#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

/// Rill with too little memory for all of its experts.
Arguments streamed(Arguments a, const Arguments& more) {
    for (const char* s : {"--temp", "0", "-t", "2", "-c", "512", "-b", "16", "--ram", "84M"}) a.push_back(s);
    a.insert(a.end(), more.begin(), more.end());
    return a;
}

std::vector<Json> lines_of(const std::string& file) {
    std::ifstream in(file);
    std::vector<Json> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return lines;
}

constexpr const char* sums[] = {"tokens",     "seconds",      "hits",         "misses",
                                "bytes_read", "read_seconds", "wait_seconds", "compute_seconds"};

/// The steps of a kind add up to its total, and each is possible.
void check_steps(const std::vector<Json>& lines, const std::string& kind) {
    const Json& total = lines[lines.size() - (kind == "prefill" ? 2 : 1)];
    ASSERT_EQ(total.at("kind"), kind + " total");
    for (const char* key : sums) {
        double sum = 0;
        for (const Json& line : lines)
            if (line.at("kind") == kind) sum += line.at(key).get<double>();
        EXPECT_NEAR(sum, total.at(key).get<double>(), 1e-6) << kind << " " << key;
    }
    for (const Json& line : lines) {
        if (line.at("kind") != kind) continue;
        EXPECT_GT(line.at("seconds"), 0);
        EXPECT_LE(line.at("wait_seconds").get<double>(), line.at("seconds").get<double>() + 1e-3) << line;
        EXPECT_GT(line.at("share_of_limit"), 0) << line;
        EXPECT_LE(line.at("share_of_limit"), 1.01) << line;
        EXPECT_LE(line.at("look_ahead").at("useful"), line.at("look_ahead").at("read").get<int>() + 24);
        EXPECT_GT(line.at("drive_bytes_per_second"), 0);
    }
}

TEST(StatsJson, StepsArePossibleAndAddUpToTheTotals) {
    const TemporaryFolder folder;
    const std::string file = folder / "stats.jsonl";
    const Finished f = sluice(streamed({"run", rill(), "-p", "Tell me a story about a fox and a lantern."},
                                       {"-n", "20", "--ignore-eos", "--json", "--stats-json", file}));
    ASSERT_EQ(f.status, 0) << f.err;
    const Json answer = Json::parse(f.out);
    const auto lines = lines_of(file);
    const Json& engine = lines.at(0);
    EXPECT_EQ(engine.at("kind"), "engine");
    EXPECT_EQ(engine.at("model"), "Rill");
    EXPECT_EQ(engine.at("ram_bytes"), 84 << 20);
    EXPECT_EQ(engine.at("cache_policy"), "lfru");
    EXPECT_EQ(engine.at("threads"), 2);
    EXPECT_EQ(engine.at("batch"), 16);
    EXPECT_GT(engine.at("cached_experts"), 0);
    EXPECT_GT(engine.at("total_experts"), engine.at("cached_experts"));
    EXPECT_GT(engine.at("drive_bytes_per_second"), 1e6);

    const int prompt = answer.at("prompt_tokens");
    ASSERT_EQ(lines.size(), size_t(1 + (prompt + 15) / 16 + 19 + 2));
    check_steps(lines, "prefill");
    check_steps(lines, "decode");
    const Json &prefill = lines[lines.size() - 2], &decode = lines.back();
    EXPECT_EQ(prefill.at("tokens"), prompt);
    EXPECT_EQ(decode.at("tokens"), 19);
    // Each token asks for the same number of experts in each layer that has them.
    EXPECT_EQ((decode.at("hits").get<int>() + decode.at("misses").get<int>()) % 19, 0);
    EXPECT_GT(decode.at("bytes_read"), 0);
    // The answer's own figures are the same sums.
    for (const char* key : {"hits", "misses", "bytes_read", "look_ahead", "warmed"}) {
        EXPECT_EQ(answer.at("stream").at("prefill").at(key), prefill.at(key)) << key;
        EXPECT_EQ(answer.at("stream").at("decode").at(key), decode.at(key)) << key;
    }
    for (const char* part : {" at ", "% hits, ", "% waiting, ", "% of the limit"})
        EXPECT_NE(f.err.find(part), std::string::npos) << f.err;
}

TEST(StatsJson, AChatsTurnsAreInOneFile) {
    const TemporaryFolder folder;
    const std::string file = folder / "stats.jsonl";
    const Finished f =
        sluice(streamed({"chat", rill()}, {"--stats-json", file}), "What is 12+30?\nWho are you?\n/stats\n");
    ASSERT_EQ(f.status, 0) << f.err;
    const auto lines = lines_of(file);
    check_steps(lines, "prefill");
    check_steps(lines, "decode");
    EXPECT_GE(std::count_if(lines.begin(), lines.end(), [](const Json& l) { return l["kind"] == "prefill"; }),
              2);
    for (const char* row : {"drive, prompt", "drive, answer", "look-ahead", "warmed", "drive rate"})
        EXPECT_NE(f.err.find(row), std::string::npos) << f.err;
}

TEST(StatsJson, AFullDiskIsToldAfterTheAnswer) {
    const Arguments question = {"run", rill(), "-p", "What is 12+30?", "--temp", "0", "--stats-json"};
    Arguments full = question;
    full.push_back("/dev/full");
    const Finished f = sluice(full);
    EXPECT_EQ(f.status, 1);
    EXPECT_EQ(f.out, "12 + 30 = 42\n");
    EXPECT_NE(f.err.find("could not write /dev/full"), std::string::npos) << f.err;
    const Finished c = sluice({"chat", rill(), "--temp", "0", "--stats-json", "/dev/full"},
                              "What is 12+30?\nWho are you?\n");
    EXPECT_EQ(c.status, 1);
    EXPECT_TRUE(c.out.starts_with("12 + 30 = 42\nI am Rill")) << c.out;
    EXPECT_NE(c.err.find("could not write /dev/full"), std::string::npos) << c.err;
    // A file that cannot be made is told before anything is computed.
    const TemporaryFolder folder;
    Arguments nowhere = question;
    nowhere.push_back(folder / "missing/stats.jsonl");
    const Finished n = sluice(nowhere);
    EXPECT_EQ(n.status, 1);
    EXPECT_EQ(n.out, "");
    EXPECT_NE(n.err.find("missing/stats.jsonl"), std::string::npos) << n.err;
}

TEST(StatsJson, WithoutStreamingNothingIsSaidOfTheDrive) {
    const Finished f = sluice({"chat", rill(), "--temp", "0"}, "What is 12+30?\n/stats\n");
    EXPECT_EQ(f.err.find("drive"), std::string::npos) << f.err;
    EXPECT_EQ(f.err.find("warmed"), std::string::npos) << f.err;
}

}  // namespace
}  // namespace sluice::test
