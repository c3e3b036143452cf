// Tokenizers against the ids that the models' own tokenizers give (tests/data/tokenizers: .inp and .out).
#include "text/tokenizer.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include "sluice/error.h"

namespace sluice {
namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::filesystem::path vocabulary(const std::string& name) {
    return std::filesystem::path(SLUICE_TEST_DATA) / "tokenizers" / (name + ".gguf");
}

std::unique_ptr<Tokenizer> open(const std::filesystem::path& path) {
    return Tokenizer::from(GgufFile::open(path).metadata());
}

std::vector<std::string> texts_of(const std::string& name) {
    const std::string all = read_file(vocabulary(name).string() + ".inp"),
                      separator = "\n__ggml_vocab_test__\n";
    std::vector<std::string> texts;
    for (size_t at = 0;;) {
        const size_t end = all.find(separator, at);
        if (end == std::string::npos) break;
        texts.push_back(all.substr(at, end - at));
        at = end + separator.size();
    }
    return texts;
}

std::vector<std::vector<TokenId>> ids_of(const std::string& name) {
    std::vector<std::vector<TokenId>> lines;
    std::stringstream all(read_file(vocabulary(name).string() + ".out"));
    for (std::string line; std::getline(all, line);) {
        std::stringstream numbers(line);
        lines.emplace_back();
        for (TokenId id; numbers >> id;) lines.back().push_back(id);
    }
    return lines;
}

/// Bytes of every kind: plain text, other scripts, blanks, broken UTF-8, NULs.
std::vector<std::string> hard_texts() {
    std::vector<std::string> texts = {"",
                                      std::string("a\0b", 3),
                                      "\xff\xfe\x80",
                                      "caf\xc3",
                                      "\xed\xa0\x80 surrogate",
                                      "\xc0\xaf overlong",
                                      "\xf0\x9f\xa6",
                                      "ok \xf0\x9f\xa6\x99 \xf0\x9f\xa6",
                                      "\n\n\n  \t x",
                                      "1234567 89",
                                      "<|im_start|>"};
    std::mt19937 random(1);
    for (int i = 0; i < 200; ++i) {
        std::string s;
        for (uint32_t n = random() % 40; n; --n) s += char(random() % (i % 2 ? 256 : 128));
        texts.push_back(s);
    }
    return texts;
}

class EachVocabulary : public testing::TestWithParam<const char*> {
  protected:
    std::unique_ptr<Tokenizer> tokenizer = open(vocabulary(GetParam()));
};

TEST_P(EachVocabulary, GivesTheReferenceIds) {
    const auto texts = texts_of(GetParam());
    const auto ids = ids_of(GetParam());
    ASSERT_GT(texts.size(), 40u);
    ASSERT_EQ(texts.size(), ids.size());
    for (size_t i = 0; i < texts.size(); ++i)
        EXPECT_EQ(tokenizer->encode_plain(texts[i]), ids[i]) << i << ": " << texts[i];
}

TEST_P(EachVocabulary, RoundTripsEveryByte) {
    auto texts = hard_texts();
    for (const auto& t : texts_of(GetParam())) texts.push_back(t);
    for (const auto& t : texts) {
        // DeepSeek Coder's vocabulary has the characters that stand for some bytes (U+00FA for 0xFA) as
        // user-defined tokens: they mean the character, and the byte has no token of its own.
        const auto ids = tokenizer->encode_plain(t);
        const auto ambiguous = [&](TokenId id) {
            return tokenizer->kind(id) == TokenKind::user_defined && tokenizer->raw_text(id).size() == 2;
        };
        if (std::any_of(ids.begin(), ids.end(), ambiguous)) continue;
        EXPECT_EQ(tokenizer->decode(ids, true), t);
    }
}

TEST_P(EachVocabulary, LongTextsTakeSeconds) {
    std::string prose, line;
    for (int i = 0; prose.size() < 10'000'000; ++i)
        prose += "The " + std::to_string(i * 7919 % 100003) +
                 "th word, it's said, was \"hello\"; nobody (but one) knew why.\n";
    const auto seconds = [&](const std::string& text) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(tokenizer->encode_plain(text).empty());
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    EXPECT_LT(seconds(prose), 20);
    std::string chinese;
    while (chinese.size() < 1'000'000) chinese += "中";
    for (const std::string& s :
         {std::string(1'000'000, 'a'), std::string(1'000'000, ' '), std::string(1'000'000, '\n'),
          std::string(1'000'000, '1'), std::string(1'000'000, '!'), std::string(1'000'000, '\xff'), chinese})
        EXPECT_LT(seconds(s), 10) << int(s[0]);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, EachVocabulary,
                         testing::Values("ggml-vocab-deepseek-coder", "ggml-vocab-deepseek-llm",
                                         "ggml-vocab-gpt-2", "ggml-vocab-llama-spm", "gpt-2-as-deepseek-v3",
                                         "gpt-2-as-llama-bpe", "gpt-2-as-qwen2"),
                         [](const auto& p) {
                             std::string name = p.param;
                             for (char& c : name)
                                 if (c == '-') c = '_';
                             return name;
                         });

class Rill : public testing::Test {
  protected:
    std::unique_ptr<Tokenizer> tokenizer = open(std::filesystem::path(SLUICE_MODELS) / "rill-q8_0.gguf");
    const std::string chat = "<｜begin▁of▁sentence｜><｜User｜>What is 12+30?<｜Assistant｜><think>\n";
};

TEST_F(Rill, SpecialTokensAreFoundWhereTheyAreTrusted) {
    const auto ids = tokenizer->encode_trusted(chat);
    EXPECT_EQ(ids[0], 0);
    EXPECT_EQ(ids[1], 3);
    EXPECT_EQ(tokenizer->decode(ids, true), chat);
    EXPECT_EQ(tokenizer->decode(ids, false), "What is 12+30?<think>\n");
    for (const TokenId id : tokenizer->encode_plain(chat)) EXPECT_NE(tokenizer->kind(id), TokenKind::control);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain(chat), true), chat);
}

TEST_F(Rill, ASpecialTokenMustLieWhollyInOneTrustedRange) {
    const std::string user = "<｜User｜>";
    const auto control_tokens = [&](std::vector<TextRange> trusted) {
        int n = 0;
        for (const TokenId id : tokenizer->encode(user + user, trusted))
            n += tokenizer->kind(id) == TokenKind::control;
        return n;
    };
    const size_t n = user.size();
    EXPECT_EQ(control_tokens({{0, 2 * n}}), 2);
    EXPECT_EQ(control_tokens({{0, n}}), 1);
    EXPECT_EQ(control_tokens({{n, 2 * n}}), 1);
    EXPECT_EQ(control_tokens({{0, n - 1}, {n + 1, 2 * n}}), 0);
    EXPECT_EQ(control_tokens({{0, 3}, {4, 2 * n}}), 1);
}

TEST_F(Rill, UserDefinedTokensAreOrdinaryVocabulary) {
    const auto ids = tokenizer->encode_plain("<think>");
    ASSERT_EQ(ids.size(), 1u);
    EXPECT_EQ(tokenizer->kind(ids[0]), TokenKind::user_defined);
}

TEST_F(Rill, EndsAtItsEndToken) {
    EXPECT_TRUE(tokenizer->is_end(1));
    EXPECT_FALSE(tokenizer->is_end(0));
    EXPECT_EQ(tokenizer->special().bos, 0);
    EXPECT_TRUE(tokenizer->special().add_bos);
}

TEST_F(Rill, RefusesIdsOutsideTheVocabulary) {
    EXPECT_THROW(tokenizer->piece(-1, true), Error);
    EXPECT_THROW(tokenizer->piece(4096, true), Error);
}

std::string refusal(const std::function<void(GgufMetadata&)>& change) {
    GgufMetadata m;
    m.source = "model.gguf";
    const GgufFile rill = GgufFile::open(std::filesystem::path(SLUICE_MODELS) / "rill-q8_0.gguf");
    for (const auto& [key, value] : rill.metadata().entries()) {
        GgufMetadata one;
        one.add(key, value);
        if (key.starts_with("tokenizer.ggml.")) m.add(key, value);
    }
    GgufMetadata changed;
    changed.source = m.source;
    change(changed);
    for (const auto& [key, value] : m.entries())
        if (!changed.has(key)) changed.add(key, value);
    try {
        Tokenizer::from(changed);
    } catch (const Error& e) {
        return e.what();
    }
    return "(accepted)";
}

TEST(TokenizerFile, SaysWhatIsWrong) {
    EXPECT_NE(
        refusal([](GgufMetadata& m) { m.add("tokenizer.ggml.pre", std::string("klingon")); }).find("klingon"),
        std::string::npos);
    EXPECT_NE(
        refusal([](GgufMetadata& m) { m.add("tokenizer.ggml.model", std::string("bert")); }).find("bert"),
        std::string::npos);
    EXPECT_NE(
        refusal([](GgufMetadata& m) { m.add("tokenizer.ggml.eos_token_id", uint64_t(9999)); }).find("9999"),
        std::string::npos);
    EXPECT_NE(refusal([](GgufMetadata& m) {
                  m.add("tokenizer.ggml.token_type", std::vector<int64_t>{1, 1});
              }).find("found 2"),
              std::string::npos);
    EXPECT_NE(refusal([](GgufMetadata& m) {
                  m.add("tokenizer.ggml.merges", std::vector<std::string>{"ab"});
              }).find("merge 0"),
              std::string::npos);
    EXPECT_NE(refusal([](GgufMetadata& m) {
                  m.add("tokenizer.ggml.tokens", std::vector<std::string>{});
              }).find("vocabulary"),
              std::string::npos);
}

}  // namespace
}  // namespace sluice
