// sluice bench: which tests it runs, that its figures follow from its samples, and what it refuses.
#include <cmath>
#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

Finished bench(const Arguments& more) {
    Arguments a{"bench", rill(), "-t", "2"};
    a.insert(a.end(), more.begin(), more.end());
    return sluice(a);
}

std::vector<std::string> names_of(const Json& report) {
    std::vector<std::string> names;
    for (const Json& t : report.at("tests")) names.push_back(t.at("test"));
    return names;
}

TEST(Bench, RunsEveryLengthAtEveryDepth) {
    const Finished f =
        bench({"-p", "24,0", "-p", "8", "-n", "3", "-d", "0,40", "-r", "1", "--format", "json"});
    ASSERT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(names_of(Json::parse(f.out)),
              (std::vector<std::string>{"pp24", "pp8", "tg3", "pp24 @ d40", "pp8 @ d40", "tg3 @ d40"}));
}

TEST(Bench, FiguresFollowFromTheSamples) {
    const Finished f = bench({"-p", "40", "-n", "5", "-d", "70", "-r", "4", "--format", "json"});
    ASSERT_EQ(f.status, 0) << f.err;
    const Json report = Json::parse(f.out);
    ASSERT_EQ(report.at("tests").size(), 2u);
    for (const Json& t : report.at("tests")) {
        const auto samples = t.at("samples").get<std::vector<double>>();
        const auto seconds = t.at("seconds").get<std::vector<double>>();
        ASSERT_EQ(samples.size(), 4u);
        double sum = 0, squares = 0;
        for (size_t i = 0; i < samples.size(); ++i) {
            EXPECT_GT(seconds[i], 0);
            EXPECT_NEAR(samples[i] * seconds[i], t.at("tokens").get<double>(), 1e-6);
            sum += samples[i];
        }
        for (const double s : samples) squares += (s - sum / 4) * (s - sum / 4);
        EXPECT_NEAR(t.at("tokens_per_second"), sum / 4, 1e-6 * sum);
        EXPECT_NEAR(t.at("stddev"), std::sqrt(squares / 3), 1e-6 * sum);
        EXPECT_EQ(t.at("depth"), 70);
    }
    EXPECT_EQ(report.at("machine").at("threads"), 2);
    EXPECT_FALSE(report.at("machine").at("processor").get<std::string>().empty());
    EXPECT_EQ(report.at("model").at("name"), "Rill");
    EXPECT_EQ(report.at("settings").at("context"), 110);
}

TEST(Bench, TextAndMarkdownNameMachineAndModel) {
    for (const char* format : {"text", "md"}) {
        const Finished f = bench({"-p", "16", "-n", "2", "-r", "2", "--kv-type", "q8_0", "--format", format});
        ASSERT_EQ(f.status, 0) << f.err;
        for (const char* part :
             {"2 threads", "Rill, 24.3M parameters, 26.1 MB, KV q8_0", "pp16", "tg2", "± "})
            EXPECT_NE(f.out.find(part), std::string::npos) << f.out;
    }
    const Finished f = bench({"-p", "16", "-n", "0", "-r", "1", "--format", "md"});
    EXPECT_NE(f.out.find("|---|---:|---:|\n| pp16 | "), std::string::npos) << f.out;
    EXPECT_EQ(f.out.find("tg"), std::string::npos);
}

TEST(Bench, SaysWhatTheDriveDidWhenExpertsAreStreamed) {
    const Finished f = bench(
        {"-p", "48", "-n", "2", "-r", "1", "-c", "512", "-b", "16", "--ram", "84M", "--format", "json"});
    ASSERT_EQ(f.status, 0) << f.err;
    const Json report = Json::parse(f.out);
    EXPECT_GT(report.at("tests").at(0).at("stream").at("bytes_read"), 0);
    EXPECT_NE(report.at("settings").at("residency"), "memory");
}

TEST(Bench, LeavesNoMemoryOfItsRandomTokens) {
    const TemporaryFolder folder;
    const Finished f =
        sluice({"bench", rill(), "-p", "48", "-n", "2", "-r", "1", "-c", "512", "-b", "16", "--ram", "84M"},
               "", {{"XDG_CACHE_HOME", folder.path()}});
    ASSERT_EQ(f.status, 0) << f.err;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Bench, RefusesWhatCannotBeMeasured) {
    const Finished nothing = bench({"-p", "0", "-n", "0"});
    EXPECT_EQ(nothing.status, 2);
    EXPECT_NE(nothing.err.find("nothing to measure"), std::string::npos) << nothing.err;
    const Finished deep = bench({"-p", "0", "-n", "2", "-d", "4095"});
    EXPECT_EQ(deep.status, 1);
    EXPECT_NE(deep.err.find("tg2 @ d4095 needs a context of 4097 tokens and the model's limit is 4096"),
              std::string::npos)
        << deep.err;
    const Finished shallow = bench({"-p", "100", "-c", "64"});
    EXPECT_EQ(shallow.status, 1);
    EXPECT_NE(shallow.err.find("--ctx is 64"), std::string::npos) << shallow.err;
    const Finished foreign = bench({"--isa", "mmx"});
    EXPECT_EQ(foreign.status, 2);
    EXPECT_NE(foreign.err.find("plain"), std::string::npos) << foreign.err;
    EXPECT_EQ(bench({"-r", "0"}).status, 2);
    EXPECT_EQ(bench({"-p", "-5"}).status, 2);
    EXPECT_EQ(bench({"--format", "xml"}).status, 2);
}

TEST(Bench, MeasuresTheKernelsOfALesserProcessor) {
    const Finished f = bench({"-p", "16", "-n", "0", "-r", "1", "--isa", "plain", "--format", "json"});
    ASSERT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(Json::parse(f.out).at("machine").at("isa"), "plain");
}

TEST(Bench, StopsOnCtrlC) {
    Process p({"bench", rill(), "-p", "512", "-n", "0", "-r", "10000"});
    ASSERT_TRUE(p.wait_for("tokens/s"));
    p.signal(SIGINT);
    EXPECT_EQ(p.finish().status, 130);
}

}  // namespace
}  // namespace sluice::test
