#include "text/reasoning.h"

#include <gtest/gtest.h>

#include "text/utf8.h"

namespace sluice {
namespace {

struct Parts {
    std::string reasoning, answer;
    bool operator==(const Parts&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Parts& p) {
    return out << "{" << p.reasoning << " | " << p.answer << "}";
}

/// The text in pieces of `size` bytes: the result must not depend on it.
Parts split(const std::string& text, bool inside, size_t size) {
    ReasoningSplitter s(inside);
    Parts parts;
    for (size_t at = 0; at <= text.size(); at += size) {
        const auto p = at < text.size() ? s.push(text.substr(at, size)) : s.finish();
        parts.reasoning += p.reasoning, parts.answer += p.answer;
    }
    if (text.size() % size) {
        const auto p = s.finish();
        parts.reasoning += p.reasoning, parts.answer += p.answer;
    }
    return parts;
}

void expect_split(const std::string& text, bool inside, const Parts& expected) {
    for (size_t size = 1; size <= text.size() + 1; ++size)
        EXPECT_EQ(split(text, inside, size), expected) << text << " in pieces of " << size;
}

TEST(Reasoning, StartsInside) {
    expect_split("ones 2+0=2\ntens 1+3=4\n</think>\n\n12 + 30 = 42", true,
                 {"ones 2+0=2\ntens 1+3=4", "12 + 30 = 42"});
    expect_split("\n</think>\n\nI am Rill.", true, {"", "I am Rill."});
    expect_split("a < b </thin", true, {"a < b </thin", ""});
    expect_split("never ends  ", true, {"never ends", ""});
}

TEST(Reasoning, OpensItsOwnTag) {
    expect_split("<think>\nhm\n</think>\nyes", false, {"hm", "yes"});
    expect_split(" \n<think>hm</think>", false, {"hm", ""});
}

TEST(Reasoning, TextWithoutTagsIsUnchanged) {
    expect_split("  plain <thin air> \n", false, {"", "  plain <thin air> \n"});
    expect_split("stray </think> tag", false, {"", "stray </think> tag"});
    expect_split("yes <think>no</think>", false, {"", "yes <think>no</think>"});
    expect_split("<thi", false, {"", "<thi"});
    expect_split("", false, {"", ""});
}

TEST(Reasoning, KnowsAPromptThatOpensIt) {
    EXPECT_TRUE(ReasoningSplitter::prompt_opens_reasoning("<｜Assistant｜><think>\n"));
    EXPECT_FALSE(ReasoningSplitter::prompt_opens_reasoning("<think>\n\n</think>\n\n"));
    EXPECT_FALSE(ReasoningSplitter::prompt_opens_reasoning(""));
}

TEST(Utf8, NeverSplitsACharacter) {
    const std::string text = "aé中🦙z";
    for (size_t cut = 0; cut <= text.size(); ++cut) {
        Utf8Stream s;
        const std::string first = s.push(text.substr(0, cut));
        EXPECT_TRUE(is_valid_utf8(first)) << cut;
        const std::string second = s.push(text.substr(cut));
        EXPECT_EQ(first + second + s.finish(), text);
    }
}

TEST(Utf8, WhatCanNeverBeACharacterIsReplaced) {
    EXPECT_EQ(sanitize_utf8("a\xff"
                            "b"),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(sanitize_utf8("\xe4\xb8"), "\xEF\xBF\xBD");
    EXPECT_EQ(sanitize_utf8("\xed\xa0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_FALSE(is_valid_utf8("\xc0\xaf"));
    EXPECT_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));
    EXPECT_TRUE(is_valid_utf8("\xf4\x8f\xbf\xbf"));
}

}  // namespace
}  // namespace sluice
