#include "cli/word_wrap.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

/// Pushed a byte at a time (ASCII), as an answer streams.
std::string wrapped(std::string_view text, uint32_t columns) {
    WordWrap wrap(columns);
    std::string out;
    for (const char c : text) out += wrap.push(std::string_view(&c, 1));
    return out + wrap.finish();
}

TEST(WordWrap, BreaksBetweenWords) {
    EXPECT_EQ(wrapped("the quick brown fox jumps", 10), "the quick\nbrown fox\njumps");
    EXPECT_EQ(wrapped("ends at ten", 11), "ends at ten");
    EXPECT_EQ(wrapped("exactly ten then more", 11), "exactly ten\nthen more");
}

TEST(WordWrap, KeepsTheTextsOwnLines) {
    EXPECT_EQ(wrapped("one\n\ntwo  \nthree", 20), "one\n\ntwo  \nthree");
}

TEST(WordWrap, LeavesCodeAlone) {
    const std::string code = "```\nint main() { return 0; }\n```\n";
    EXPECT_EQ(wrapped(code, 10), code);
    EXPECT_EQ(wrapped("    a = b + c + d", 10), "    a = b + c + d");
}

TEST(WordWrap, LongWordsAppearAsTheyCome) {
    WordWrap wrap(10);
    EXPECT_EQ(wrap.push("abcdef"), "abcdef");
    EXPECT_EQ(wrap.push("ghi"), "");
    EXPECT_EQ(wrap.finish(), "ghi");
}

TEST(WordWrap, NoColumnsNoChange) {
    WordWrap wrap(0);
    EXPECT_EQ(wrap.push("as it "), "as it ");
    EXPECT_EQ(wrap.push("is"), "is");
}

TEST(WordWrap, CountsColumnsNotBytes) {
    EXPECT_EQ(character_width("a"), 1u);
    EXPECT_EQ(character_width("é"), 1u);
    EXPECT_EQ(character_width("好"), 2u);
    EXPECT_EQ(character_width("🎉"), 2u);
    WordWrap wrap(12);
    EXPECT_EQ(wrap.push("ééé ééé ééé ééé "), "ééé ééé ééé\nééé");
}

}  // namespace
}  // namespace sluice::cli
