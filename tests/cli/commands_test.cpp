// The commands that show what is in a file: inspect, tokenize, detokenize, template, logits, tensor.
#include <algorithm>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "format/gguf.h"
#include "process.h"
#include "quant/decode.h"

namespace sluice::test {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::vector<float> floats(const std::string& bytes) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
}

TEST(Program, ShowsVersionAndHelp) {
    const Finished version = sluice({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_TRUE(version.out.starts_with("sluice ")) << version.out;
    for (const char* command :
         {"chat", "run", "inspect", "tokenize", "detokenize", "template", "logits", "tensor", "bench"}) {
        EXPECT_NE(sluice({"--help"}).out.find(command), std::string::npos);
        const Finished help = sluice({command, "--help"});
        EXPECT_EQ(help.status, 0);
        EXPECT_NE(help.out.find("Example:\n  "), std::string::npos) << help.out;
        EXPECT_NE(help.out.find("Usage: sluice " + std::string(command)), std::string::npos) << help.out;
    }
}

TEST(Program, FindsModelsByName) {
    const TemporaryFolder folder;
    std::filesystem::create_symlink(rill(), folder / "toy-q8_0.gguf");
    const Environment here = {{"SLUICE_MODELS", folder.path()}};
    EXPECT_EQ(sluice({"detokenize", "toy", "59"}, "", here).out, "+");
    EXPECT_EQ(sluice({"detokenize", folder.path(), "59"}).out, "+");
    std::filesystem::create_symlink(rill(), folder / "toy-f16.gguf");
    const Finished two = sluice({"detokenize", "toy", "59"}, "", here);
    EXPECT_EQ(two.status, 1);
    EXPECT_NE(two.err.find("toy-f16.gguf, toy-q8_0.gguf"), std::string::npos) << two.err;
    std::filesystem::create_symlink(rill(), folder / "toy.gguf");
    EXPECT_EQ(sluice({"detokenize", "toy", "59"}, "", here).out, "+");
}

TEST(Inspect, CountsTheBundledModel) {
    const Finished f = sluice({"inspect", rill(), "--json", "--tensors", "--metadata"});
    ASSERT_EQ(f.status, 0) << f.err;
    const OrderedJson j = OrderedJson::parse(f.out);
    EXPECT_EQ(j.at("architecture"), "deepseek2");
    EXPECT_EQ(j.at("name"), "Rill");
    EXPECT_NEAR(j.at("parameters").get<double>(), 24.3e6, 0.05e6);
    EXPECT_NEAR(j.at("active_parameters").get<double>(), 8e6, 0.5e6);
    EXPECT_EQ(j.at("context_length"), 4096);
    EXPECT_EQ(j.at("n_layers"), 6);
    EXPECT_EQ(j.at("n_embd"), 256);
    EXPECT_EQ(j.at("n_vocab"), 4096);
    EXPECT_EQ(j.at("n_experts"), 16);
    EXPECT_EQ(j.at("n_experts_used"), 4);
    EXPECT_EQ(j.at("file_bytes"), std::filesystem::file_size(rill()));
    EXPECT_NEAR(j.at("bits_per_weight").get<double>(), 8.5, 0.1);
    EXPECT_EQ(j.at("kv_bytes_per_token").at("f32"), 6 * 80 * 4);
    EXPECT_EQ(j.at("kv_bytes_per_token").at("f16"), 6 * 80 * 2);
    EXPECT_GT(j.at("tensors_by_kind").at("routed_experts").at("bytes"), 16'000'000);
    EXPECT_GT(j.at("tensors_by_kind").at("mtp_block").at("parameters"), 3'000'000);
    EXPECT_EQ(j.at("quantization").at("Q8_0").at("bits_per_weight"), 8.5);
    EXPECT_EQ(j.at("chat_template").get<std::string>() + "\n",
              read_file(SLUICE_TEST_DATA "/rill/template.jinja"));
    EXPECT_EQ(j.at("shards").size(), 1u);
    EXPECT_EQ(j.at("metadata").at("general.architecture"), "deepseek2");
    uint64_t bytes = 0, parameters = 0;
    for (const auto& [_, kind] : j.at("tensors_by_kind").items())
        parameters += kind.at("parameters").get<uint64_t>();
    for (const auto& t : j.at("tensors")) bytes += t.at("bytes").get<uint64_t>();
    EXPECT_EQ(parameters, j.at("parameters").get<uint64_t>());
    EXPECT_EQ(bytes, j.at("quantization").at("Q8_0").at("bytes").get<uint64_t>() +
                         j.at("quantization").at("F32").at("bytes").get<uint64_t>());
}

TEST(Inspect, ShowsTextForPeople) {
    const Finished f = sluice({"inspect", rill(), "--tensors", "--metadata"});
    ASSERT_EQ(f.status, 0) << f.err;
    for (const char* expected : {"Rill\n", "24.3 M", "7.78 M active", "routed experts", "█",
                                 "token_embd.weight", "256 x 4096", "general.name = \"Rill\""})
        EXPECT_NE(f.out.find(expected), std::string::npos) << expected;
    EXPECT_EQ(f.out.find('\033'), std::string::npos);
}

TEST(Inspect, CopesWithWhatSluiceCannotRun) {
    const Finished f = sluice({"inspect", SLUICE_TEST_DATA "/tokenizers/ggml-vocab-gpt-2.gguf", "--json"});
    ASSERT_EQ(f.status, 0) << f.err;
    const OrderedJson j = OrderedJson::parse(f.out);
    EXPECT_EQ(j.at("architecture"), "gpt2");
    EXPECT_EQ(j.at("parameters"), 0);
    EXPECT_EQ(j.at("n_layers"), 12);
    EXPECT_EQ(j.at("n_vocab"), 50257);
    EXPECT_FALSE(j.at("runnable"));
    EXPECT_TRUE(j.at("kv_bytes_per_token").at("f16").is_null());
    EXPECT_EQ(sluice({"inspect", SLUICE_TEST_DATA "/tokenizers/ggml-vocab-gpt-2.gguf"}).status, 0);
    EXPECT_EQ(sluice({"inspect", SLUICE_TEST_DATA "/rill/greedy.json"}).status, 1);
}

TEST(Tokenize, ShowsIdsAndPieces) {
    const Finished ids = sluice({"tokenize", rill(), "--ids"}, "What is 12+30?");
    EXPECT_EQ(ids.out, "372 287 48 65 66 59 67 64 79\n");
    EXPECT_EQ(sluice({"tokenize", rill(), "--ids", "--bos"}, "What").out, "0 372\n");
    EXPECT_EQ(sluice({"tokenize", rill()}, "1\n+").out, "    65  \"1\"\n    26  \"\\n\"\n    59  \"+\"\n");
    EXPECT_EQ(sluice({"tokenize", rill(), "--ids"}, "").out, "\n");
}

TEST(Tokenize, ParsesControlTokensOnlyWhenAsked) {
    EXPECT_EQ(sluice({"tokenize", rill(), "--ids", "--special"}, "<｜User｜>").out, "3\n");
    const std::string plain = sluice({"tokenize", rill(), "--ids"}, "<｜User｜>").out;
    EXPECT_GT(std::count(plain.begin(), plain.end(), ' '), 2);
}

TEST(Tokenize, ReturnsToTheSameBytes) {
    using namespace std::string_literals;
    const std::string text = "Grüße, 世界!\r\n\t  two\n\n\n \xff\xfe \0 end "s;
    const std::string ids = sluice({"tokenize", rill(), "--ids"}, text).out;
    EXPECT_EQ(sluice({"detokenize", rill()}, ids).out, text);
    EXPECT_EQ(sluice({"detokenize", rill(), "[372,", "287]"}).out, "What is");
    EXPECT_EQ(sluice({"detokenize", rill(), "[372,287]"}).out, "What is");
    EXPECT_EQ(sluice({"detokenize", rill(), "3"}).out, "");
    EXPECT_EQ(sluice({"detokenize", rill(), "3", "--special"}).out, "<｜User｜>");
    for (const char* bad : {"999999", "x", "12x", "99999999999"}) {
        const Finished f = sluice({"detokenize", rill(), bad});
        EXPECT_EQ(f.status, 1);
        EXPECT_NE(f.err.find("expected token ids"), std::string::npos) << f.err;
    }
}

TEST(Tokenize, ReadsVocabularyOnlyFiles) {
    EXPECT_EQ(
        sluice({"tokenize", SLUICE_TEST_DATA "/tokenizers/ggml-vocab-gpt-2.gguf", "--ids"}, "Hello world")
            .out,
        "15496 995\n");
}

TEST(Template, RendersCasesToTheByte) {
    const OrderedJson cases = OrderedJson::parse(read_file(SLUICE_TEST_DATA "/templates/cases.json"));
    int compared = 0;
    for (size_t i = 0; i < cases.size(); i += 5) {
        const auto& c = cases[i];
        if (!c.contains("text")) continue;
        const std::string file = SLUICE_TEST_DATA "/templates/" + c.at("template").get<std::string>();
        EXPECT_EQ(sluice({"template", file, "--input", "-"}, c.dump()).out, c.at("text"))
            << file << " " << c.at("case");
        ++compared;
    }
    EXPECT_GE(compared, 10);
}

TEST(Template, TellsWhatIsTrusted) {
    const std::string input =
        R"({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true})";
    const std::string expected = "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>\n";
    EXPECT_EQ(sluice({"template", rill(), "--input", "-"}, input).out, expected);
    const OrderedJson j =
        OrderedJson::parse(sluice({"template", rill(), "--input", "-", "--trusted"}, input).out);
    const size_t hi = expected.find("Hi");
    EXPECT_EQ(j.at("text"), expected);
    EXPECT_EQ(j.at("trusted"), (OrderedJson{{0, hi}, {hi + 2, expected.size()}}));
    EXPECT_EQ(sluice({"template", rill(), "--input", "-"}, "{}").status, 1);
    EXPECT_EQ(sluice({"template", rill(), "--input", "-"}, "[").status, 1);
}

TEST(Logits, AgreeWithTheReference) {
    const TemporaryFolder folder;
    const std::string golden = SLUICE_TEST_DATA "/golden/deepseek-v3";
    const OrderedJson c = OrderedJson::parse(read_file(golden + "/case.json"));
    const auto expected = floats(read_file(golden + "/logits.f32"));
    const auto run = [&](const std::string& batch) {
        const Finished f = sluice({"logits", golden + "/model.gguf", "--tokens", "-", "--out",
                                   folder / "logits.f32", "--kv-type", "f32", "-b", batch},
                                  c.at("tokens").dump());
        EXPECT_EQ(f.status, 0) << f.err;
        return read_file(folder / "logits.f32");
    };
    const std::string whole = run("512");
    const auto values = floats(whole);
    ASSERT_EQ(values.size(), expected.size());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], 1e-3) << i;
    EXPECT_EQ(run("7"), whole);  // bit for bit
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1)
        << "a temporary file was left";
}

TEST(Logits, RefusesBadTokens) {
    const TemporaryFolder folder;
    for (const char* bad : {"1,x", "4096", "-1"}) {
        EXPECT_EQ(sluice({"logits", rill(), "--tokens=" + std::string(bad), "--out", folder / "l"}).status, 1)
            << bad;
        EXPECT_FALSE(std::filesystem::exists(folder / "l"));
    }
    EXPECT_EQ(sluice({"logits", rill(), "--tokens", ",", "--out", folder / "l"}).status, 2);
}

TEST(Tensor, WritesDecodedValues) {
    const TemporaryFolder folder;
    const GgufFile file = GgufFile::open(rill());
    const GgufTensor* t = file.find("token_embd.weight");
    ASSERT_NE(t, nullptr);
    const std::string bytes = read_file(rill()).substr(t->offset, t->n_bytes);
    std::vector<float> expected(t->n_weights());
    decode(t->type, reinterpret_cast<const std::byte*>(bytes.data()), expected.data(), expected.size());

    const Finished f = sluice({"tensor", rill(), t->name, "--out", folder / "t.f32"});
    ASSERT_EQ(f.status, 0) << f.err;
    EXPECT_EQ(floats(read_file(folder / "t.f32")), expected);
    EXPECT_EQ(sluice({"tensor", rill(), t->name, "--out", "-"}).out, read_file(folder / "t.f32"));

    write_file(folder / "keep", "as it was");
    const Finished missing = sluice({"tensor", rill(), "no.such.weight", "--out", folder / "keep"});
    EXPECT_EQ(missing.status, 1);
    EXPECT_NE(missing.err.find("\"no.such.weight\""), std::string::npos);
    EXPECT_EQ(read_file(folder / "keep"), "as it was");
}

TEST(Replay, ShowsWhatARunWouldHaveHit) {
    const TemporaryFolder folder;
    const std::string trace = folder / "route.trace", svg = folder / "hits.svg";
    const Finished plain = sluice({"run", rill(), "-p", "What is 12+30?", "--temp", "0"});
    const Finished run =
        sluice({"run", rill(), "-p", "What is 12+30?", "--temp", "0", "--route-trace", trace});
    ASSERT_EQ(run.status, 0) << run.err;
    EXPECT_EQ(run.out, plain.out);
    const Finished table = sluice({"replay", trace, "--svg", svg});
    EXPECT_EQ(table.status, 0) << table.err;
    for (const char* text : {"lru", "slru", "lfru", "optimum", "passes"})
        EXPECT_NE(table.out.find(text), std::string::npos) << text;
    EXPECT_NE(read_file(svg).find("</svg>"), std::string::npos);
    const auto json =
        nlohmann::json::parse(sluice({"replay", trace, "--json", "--cache", "2M,8M", "--policy", "lru"}).out);
    ASSERT_EQ(json["results"].size(), 4u);
    EXPECT_EQ(json["results"][0]["policy"], "lru");
    EXPECT_LE(json["results"][0]["hit_rate"], json["results"][2]["hit_rate"]);
    for (const auto& [arguments, sentence] :
         {std::pair<Arguments, std::string>{{"replay", rill()}, "line 1: expected"},
          {{"replay", trace, "--policy", "fifo"}, "expected a cache policy"},
          {{"replay", trace, "--cache", "lots"}, "expected"},
          {{"replay", trace, "--warm-up", "99999999"}, "expected --warm-up below"},
          {{"run", rill(), "-p", "Hi", "--route-trace", "/dev/full"}, "/dev/full"}}) {
        const Finished f = sluice(arguments);
        EXPECT_NE(f.status, 0);
        EXPECT_NE(f.err.find(sentence), std::string::npos) << f.err;
    }
}

}  // namespace
}  // namespace sluice::test
