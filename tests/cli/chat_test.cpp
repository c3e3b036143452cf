// sluice chat: lines piped in, and a person at a terminal.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "process.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

Finished chat(const std::string& lines, Arguments more = {}) {
    Arguments arguments = {"chat", rill(), "--temp", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return sluice(arguments, lines);
}

TEST(Chat, AnswersOneQuestionWithoutInput) {
    const Finished f = chat("");
    EXPECT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(f.out, "12 + 30 = 42\n");
    EXPECT_NE(f.err.find("What is 12+30?"), std::string::npos);
}

TEST(Chat, FindsTheBundledModel) {
    const Finished f = sluice({"chat", "--temp", "0"}, "", {{"SLUICE_MODELS", SLUICE_MODELS}});
    EXPECT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(f.out, "12 + 30 = 42\n");
}

TEST(Chat, EachLineIsATurn) {
    const Finished f = chat("What is 12+30?\n\nWho are you?\n/quit\nWhat is 6 times 47?\n");
    EXPECT_EQ(f.status, 0) << f.err;
    EXPECT_TRUE(f.out.starts_with("12 + 30 = 42\nI am Rill")) << f.out;
    EXPECT_EQ(std::count(f.out.begin(), f.out.end(), '\n'), 2) << f.out;
    EXPECT_NE(f.err.find(" cached)"), std::string::npos) << "the second prompt begins as the first did";
}

TEST(Chat, JoinsLines) {
    const TemporaryFolder folder;
    const std::string file = folder / "chat.json";
    chat("What is \\\n12+30?\n\"\"\"one\n\ntwo\"\"\"\n\"\"\"\nthree\n\"\"\"\n\"\"\"four\"\"\"\n/save " +
         file + "\n");
    const Json j = Json::parse(read_file(file));
    EXPECT_EQ(j.at("messages")[0].at("content"), "What is \n12+30?");
    EXPECT_EQ(j.at("messages")[2].at("content"), "one\n\ntwo");
    EXPECT_EQ(j.at("messages")[4].at("content"), "three");
    EXPECT_EQ(j.at("messages")[6].at("content"), "four");
}

TEST(Chat, SavesAndLoads) {
    const TemporaryFolder folder;
    const std::string file = folder / "chat.json", copy = folder / "copy.json";
    write_file(file, "old");
    EXPECT_EQ(chat("/system Be brief.\nWhat is 12+30?\n/save " + file + "\n").status, 0);
    const Json saved = Json::parse(read_file(file));
    ASSERT_EQ(saved.at("messages").size(), 3u);
    EXPECT_EQ(saved.at("messages")[0].at("role"), "system");
    EXPECT_EQ(saved.at("messages")[2].at("content"), "12 + 30 = 42");
    EXPECT_EQ(saved.at("messages")[2].at("reasoning_content"), "ones 2+0=2\ntens 1+3=4");
    EXPECT_EQ(chat("/load " + file + "\n/save " + copy + "\n").status, 0);
    EXPECT_EQ(Json::parse(read_file(copy)), saved);
    EXPECT_EQ(chat("/save " + copy + "\n", {"--load", file}).status, 0);
    EXPECT_EQ(Json::parse(read_file(copy)), saved);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2)
        << "a temporary file was left";
}

TEST(Chat, RefusesBadFilesAndKeepsTheConversation) {
    const TemporaryFolder folder;
    const char* bad[] = {"",
                         "{",
                         "[1]",
                         "[{}]",
                         "{\"messages\": 5}",
                         R"([{"role": "user", "content": 7}])",
                         R"([{"role": "x"}])",
                         R"([{"role": "assistant", "tool_calls": [{"name": 3}]}])",
                         "\xff\xfe"};
    for (const char* text : bad) {
        write_file(folder / "bad.json", text);
        const Finished f = chat("/load " + (folder / "bad.json") + "\n/stats\nWhat is 12+30?\n");
        EXPECT_EQ(f.status, 1) << text;
        EXPECT_EQ(f.out, "12 + 30 = 42\n") << text;
        EXPECT_NE(f.err.find("sluice: expected"), std::string::npos) << f.err;
    }
    EXPECT_EQ(chat("/load /nowhere/x\n").status, 1);
    EXPECT_EQ(chat("/save /nowhere/x\n").status, 1);
}

TEST(Chat, SettingsTakeEffect) {
    const Finished f = chat("/set max-tokens 3\nWhat is 12+30?\n/set temp 0.2\n/set\n");
    EXPECT_EQ(f.status, 0) << f.err;
    EXPECT_NE(f.err.find("answer 3 at"), std::string::npos) << f.err;
    EXPECT_NE(f.err.find("temp is 0.2"), std::string::npos) << f.err;
    for (const char* bad :
         {"/set nothing 1", "/set temp hot", "/set temp -1", "/set top-p 7", "/set think maybe", "/fly"}) {
        const Finished g = chat(std::string(bad) + "\n/set\n");
        EXPECT_EQ(g.status, 1) << bad;
        EXPECT_NE(g.err.find("temp               0 "), std::string::npos) << g.err;
    }
}

TEST(Chat, ClearsAndTellsWhenTheContextIsFull) {
    const Finished full =
        chat("What is 12+30?\nWho are you?\nAnd now?\n/clear\nWhat is 12+30?\n", {"--ctx", "48"});
    EXPECT_EQ(full.status, 1);
    EXPECT_NE(
        full.err.find("the context holds 48; /clear begins a new one, or start again with --ctx up to 4096"),
        std::string::npos)
        << full.err;
    EXPECT_NE(full.err.find("the context of 48 tokens is full"), std::string::npos) << full.err;
    EXPECT_TRUE(full.out.starts_with("12 + 30 = 42\nI am Rill")) << full.out;
    EXPECT_TRUE(full.out.ends_with("\n12 + 30 = 42\n")) << full.out;
}

/// A person's terminal: no history of theirs is touched.
struct Terminal {
    TemporaryFolder state;
    Environment environment = {
        {"XDG_STATE_HOME", state.path()}, {"TERM", "xterm"}, {"LC_ALL", "C.UTF-8"}, {"NO_COLOR", ""}};
};

TEST(ChatTerminal, TalksWithDimmedReasoning) {
    Terminal t;
    TerminalProcess p({"chat", rill(), "--temp", "0"}, t.environment);
    ASSERT_TRUE(p.wait_for("Some questions it answers well:")) << p.shown();
    ASSERT_TRUE(p.wait_for(">")) << p.shown();
    p.type("What is 12+30?\n");
    ASSERT_TRUE(p.wait_for("\033[2mones")) << p.shown();
    ASSERT_TRUE(p.wait_for("= 42")) << p.shown();
    ASSERT_TRUE(p.wait_for("eos\033[0m")) << p.shown();
    ASSERT_TRUE(p.wait_for(">"));
    p.type("\x04");
    EXPECT_EQ(p.finish(), 0) << p.shown();
    EXPECT_EQ(read_file(t.state / "sluice/history"), "\"What is 12+30?\"\n");
    const auto access = std::filesystem::status(t.state / "sluice/history").permissions();
    EXPECT_EQ(access & std::filesystem::perms(0077), std::filesystem::perms::none);

    TerminalProcess again({"chat", rill(), "--temp", "0"}, t.environment);
    ASSERT_TRUE(again.wait_for("Ctrl-D leaves"));
    ASSERT_TRUE(again.wait_for(">"));
    again.type("\033[A\n");  // the arrow upwards
    ASSERT_TRUE(again.wait_for("= 42")) << again.shown();
    again.type("/quit\n");
    EXPECT_EQ(again.finish(), 0);
}

TEST(ChatTerminal, CtrlCStopsTheAnswerAndThenLeaves) {
    Terminal t;
    TerminalProcess p({"chat", rill(), "--temp", "0", "--ignore-eos", "-t", "1"}, t.environment);
    ASSERT_TRUE(p.wait_for("Ctrl-D leaves"));
    ASSERT_TRUE(p.wait_for(">"));
    p.type("Tell me a story about a fox and a lantern.\n");
    ASSERT_TRUE(p.wait_for("brave fox")) << p.shown();
    p.type("\x03");
    ASSERT_TRUE(p.wait_for("cancelled")) << p.shown();
    ASSERT_TRUE(p.wait_for(">")) << p.shown();
    std::this_thread::sleep_for(100ms);  // the terminal flushes what was typed when ^C comes
    p.type("half a line");
    ASSERT_TRUE(p.wait_for("half a line"));
    p.type("\x03");
    ASSERT_TRUE(p.wait_for(">")) << p.shown();
    std::this_thread::sleep_for(100ms);
    p.type("\x03");
    EXPECT_EQ(p.finish(), 130) << p.shown();
}

TEST(ChatTerminal, FoldsReasoningAndHonoursNoColor) {
    Terminal t;
    t.environment["NO_COLOR"] = "1";
    TerminalProcess p({"chat", rill(), "--temp", "0", "--no-think-show"}, t.environment);
    ASSERT_TRUE(p.wait_for("Ctrl-D leaves"));
    p.type("What is 12+30?\n");
    ASSERT_TRUE(p.wait_for("= 42")) << p.shown();
    p.type("/quit\n");
    EXPECT_EQ(p.finish(), 0);
    EXPECT_NE(p.shown().find("thinking… "), std::string::npos) << p.shown();
    EXPECT_EQ(p.shown().find("tens 1"), std::string::npos) << p.shown();
    EXPECT_EQ(p.shown().find("\033[2m"), std::string::npos) << p.shown();
}

TEST(ChatTerminal, BreaksLinesBetweenWords) {
    const std::string question = "Tell me a story about a fox and a lantern.";
    const std::string whole = sluice({"run", rill(), "-p", question, "--temp", "0"}).out;
    Terminal t;
    TerminalProcess p({"run", rill(), "-p", question, "--temp", "0"}, t.environment);
    EXPECT_EQ(p.finish(), 0) << p.shown();
    std::string shown = p.shown().substr(0, p.shown().find("\033"));
    size_t lines = 0;
    for (size_t at = 0, end; (end = shown.find("\r\n", at)) != std::string::npos; at = end + 2, ++lines)
        EXPECT_LE(end - at, 80u) << shown.substr(at, end - at);
    EXPECT_GE(lines, 5u);
    // The same words: each break stands where a space was.
    for (size_t at; (at = shown.find("\r\n")) != std::string::npos;) shown.replace(at, 2, " ");
    EXPECT_EQ(shown, whole.substr(0, whole.size() - 1) + " ");
}

TEST(ChatTerminal, LeavesOnTerminate) {
    Terminal t;
    Process p({"chat", rill(), "--temp", "0"}, t.environment);
    p.write("What is 12+30?\n");
    ASSERT_TRUE(p.wait_for("= 42"));
    p.signal(SIGTERM);
    EXPECT_EQ(p.finish(10s).status, 128 + SIGTERM);
}

}  // namespace
}  // namespace sluice::test
