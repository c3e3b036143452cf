// Calls of tools in each family's form: golden texts, cut at every place; broken ones lose nothing; demanded
// ones are read back.
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "sluice/chat.h"
#include "sluice/error.h"

#include "text/grammar/parse.h"
#include "text/tokenizer.h"
#include "text/tool_calls/answer_parser.h"
#include "text/tool_calls/tool_grammar.h"

namespace sluice {
namespace {

const char* const tools_json = R"([
    {"type":"function","function":{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{
        "city":{"type":"string"},"days":{"type":"integer"},"unit":{"type":"string","enum":["C","F"]}},"required":["city"]}}},
    {"type":"function","function":{"name":"now"}},
    {"name":"add","parameters":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"array","items":{"type":"integer"}}},"required":["a","b"]}}])";

std::shared_ptr<const ToolSet> tools() {
    static const auto all = std::make_shared<const ToolSet>(tools_json);
    return all;
}

struct Whole {
    std::string reasoning, content;
    std::vector<ToolCall> calls;

    void add(const AnswerPiece& piece) {
        reasoning += piece.reasoning;
        content += piece.content;
        for (const ToolCallPiece& c : piece.calls) {
            if (c.index == calls.size()) {
                EXPECT_FALSE(c.name.empty());
                calls.push_back({c.id, c.name, {}});
            } else {
                ASSERT_LT(c.index, calls.size());
                EXPECT_TRUE(c.name.empty() && c.id.empty());
            }
            calls[c.index].arguments += c.arguments;
        }
    }
    std::string shown() const {
        std::string out = "[" + reasoning + "|" + content + "]";
        for (const auto& c : calls) out += " " + c.id + "#" + c.name + "(" + c.arguments + ")";
        return out;
    }
};

Whole parsed(ToolFormat format, const std::vector<std::string_view>& pieces, bool opens_reasoning = false) {
    AnswerParser parser({format, tools(), opens_reasoning});
    Whole whole;
    for (const auto p : pieces) whole.add(parser.push(p));
    whole.add(parser.finish());
    EXPECT_EQ(parser.n_calls(), whole.calls.size());
    return whole;
}

struct CallCase {
    ToolFormat format;
    std::string text, expected;
    bool opens_reasoning = false;
};

const std::vector<CallCase>& cases() {
    using F = ToolFormat;
    static const std::vector<CallCase> all{
        {F::none, "a <tool_call>\n{\"name\": \"now\"} b\n", "[|a <tool_call>\n{\"name\": \"now\"} b\n]"},
        // Hermes, Qwen
        {F::hermes, "Just text.\n", "[|Just text.\n]"},
        {F::hermes,
         "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\\\" "
         "}</tool_call>\"}}\n</tool_call>",
         "[|] #get_weather({\"city\": \"Köln\\\" }</tool_call>\"})"},
        {F::hermes,
         "Let me see.\n<tool_call>\n{\"name\": \"now\", \"arguments\": "
         "{}}\n</tool_call>\n<tool_call>\n{\"arguments\": {\"a\": 1.5, \"b\": [1, 2]}, \"name\": "
         "\"add\"}\n</tool_call>\n",
         "[|Let me see.] #now({}) #add({\"a\": 1.5, \"b\": [1, 2]})"},
        {F::hermes, "thought\n</think>\n\n<tool_call>{\"name\":\"now\"}</tool_call>", "[thought|] #now({})",
         true},
        {F::hermes,
         "<think>\nt\n</think>\n\nok <tool_call>{\"name\":\"now\",\"arguments\":null}</tool_call> done",
         "[t|ok done] #now(null)"},
        {F::hermes, "<tool_call>{\"name\":\"add\",\"arguments\":\"{\\\"a\\\": 1}\"}</tool_call>",
         "[|] #add({\"a\": 1})"},
        {F::hermes,
         "<tool_call>{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{\"a\":1}}}</"
         "tool_call>",
         "[|] #add({\"a\":1})"},
        {F::hermes, "a <tool_call> b </tool_call> c", "[|a <tool_call> b </tool_call> c]"},
        {F::hermes, "a < b <tool_cal l> <tool_call", "[|a < b <tool_cal l> <tool_call]"},
        {F::hermes, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Pa",
         "[|] #get_weather({\"city\": \"Pa)"},
        {F::hermes, "x <tool_call>\n{\"nam", "[|x <tool_call>\n{\"nam]"},
        {F::hermes, "<tool_call>\n{\"arguments\": {}, \"x\": 1}\n</tool_call>",
         "[|<tool_call>\n{\"arguments\": {}, \"x\": 1}\n</tool_call>]"},
        {F::hermes, "<tool_call>{\"name\": \"now\", \"arguments\": {}}} oops", "[|} oops] #now({})"},
        {F::hermes, "<tool_call>{\"name\": \"now\", oops <tool_call>{\"name\": \"now\"}</tool_call>",
         "[|<tool_call>{\"name\": \"now\", oops] #now({})"},
        // Qwen3-Coder
        {F::qwen_coder,
         "Ok.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nNew "
         "York,\n\"NY\"\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
         "[|Ok.] #get_weather({\"city\": \"New York,\\n\\\"NY\\\"\", \"days\": 3})"},
        {F::qwen_coder,
         "<function=now>\n</function>\n<function=add>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n[1, "
         "2]\n</parameter>\n</function> and",
         "[| and] #now({}) #add({\"a\": 1, \"b\": [1, 2]})"},
        {F::qwen_coder,
         "<tool_call>\n<function=get_weather>\n<parameter=city>\n12\n</parameter>\n<parameter=days>\nmany\n</"
         "par",
         "[|] #get_weather({\"city\": \"12\", \"days\": \"many\\n</par\")"},
        {F::qwen_coder, "f<function=a b>", "[|f<function=a b>]"},
        // GLM
        {F::glm,
         "Ok\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris "
         "<x></arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</"
         "tool_call>\n<tool_call>now\n</tool_call>",
         "[|Ok] #get_weather({\"city\": \"Paris <x>\", \"days\": 2}) #now({})"},
        {F::glm, "<tool_call>now</tool_call>!", "[|!] #now({})"},
        {F::glm, "<tool_call>not a call", "[|<tool_call>not a call]"},
        {F::glm, "<tool_call>now\n<arg_key>x</arg_key>\n<arg_value>true", "[|] #now({\"x\": true)"},
        // Llama 3
        {F::llama, "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Rome\"}}",
         "[|] #get_weather({\"city\": \"Rome\"})"},
        {F::llama,
         "<|python_tag|>{\"type\": \"function\", \"name\": \"now\", \"parameters\": {}}; {\"name\": \"add\", "
         "\"parameters\": {\"a\": 1, \"b\": []}}",
         "[|] #now({}) #add({\"a\": 1, \"b\": []})"},
        {F::llama, "{\"name\": \"Bob\", \"parameters\": {\"age\": 3}} x",
         "[|{\"name\": \"Bob\", \"parameters\": {\"age\": 3}} x]"},
        {F::llama, " {\"name\": 1, \"x\": {\"name\": \"now\"}}\n",
         "[| {\"name\": 1, \"x\": {\"name\": \"now\"}}\n]"},
        {F::llama, "It is {\"name\": \"now\", \"parameters\": {}}",
         "[|It is {\"name\": \"now\", \"parameters\": {}}]"},
        {F::llama, "<|python_tag|>now.call()", "[|<|python_tag|>now.call()]"},
        {F::llama, "{ not json", "[|{ not json]"},
        // DeepSeek
        {F::deepseek,
         "Ok.\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"
         "\"city\": "
         "\"`Bonn`\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n`"
         "``<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "[|Ok.] #get_weather({\"city\": \"`Bonn`\"}) #now({})"},
        {F::deepseek,
         "t\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{\"a\": [1, "
         "{}]}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "[t|] #now({\"a\": [1, {}]})", true},
        {F::deepseek,
         "<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜> after",
         "[| after] #now({})"},
        {F::deepseek, "<｜tool▁calls▁begin｜> nothing <｜tool▁calls▁end｜>",
         "[|<｜tool▁calls▁begin｜> nothing <｜tool▁calls▁end｜>]"},
        {F::deepseek,
         "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\": 1",
         "[|] #add({\"a\": 1)"},
        {F::deepseek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>func",
         "[|<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>func]"},
        {F::deepseek_v31,
         "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><"
         "｜tool▁call▁begin｜>function<｜tool▁sep｜>{\"x\": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         "[|] #now({}) #function({\"x\": 1})"},
        // Mistral
        {F::mistral,
         "[TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Lyon]\"}, \"id\": "
         "\"abc123def\"}, {\"name\": \"now\", \"arguments\": {}}]",
         "[|] #get_weather({\"city\": \"Lyon]\"}) #now({})"},
        {F::mistral, "Hm [TOOL_CALLS][{\"id\": \"a1\", \"name\": \"now\", \"arguments\": {}}] ok",
         "[|Hm ok] a1#now({})"},
        {F::mistral, "[TOOL_CALLS] none", "[|[TOOL_CALLS] none]"},
        {F::mistral, "[TOOL_CALLS][{\"name\": \"add\", \"arguments\": {\"a\"", "[|] #add({\"a\")"},
        {F::mistral_named,
         "[TOOL_CALLS]get_weather[ARGS]{\"city\": \"A}\"}[TOOL_CALLS]now[CALL_ID]9x[ARGS]{}",
         "[|] #get_weather({\"city\": \"A}\"}) 9x#now({})"},
        {F::mistral_named, "[TOOL_CALLS]now{} then", "[| then] #now({})"},
        // Kimi
        {F::kimi,
         "Sure. "
         "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{"
         "\"city\": "
         "\"X\"}<|tool_call_end|><|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_"
         "end|><|tool_calls_section_end|>",
         "[|Sure.] functions.get_weather:0#get_weather({\"city\": \"X\"}) functions.now:1#now({})"},
    };
    return all;
}

TEST(ToolCalls, AreFoundWhereverTheStreamIsCut) {
    for (const CallCase& c : cases()) {
        SCOPED_TRACE(std::string(to_string(c.format)) + ": " + c.text);
        const std::string_view text = c.text;
        ASSERT_EQ(parsed(c.format, {text}, c.opens_reasoning).shown(), c.expected);
        for (size_t i = 0; i <= text.size(); ++i) {
            ASSERT_EQ(parsed(c.format, {text.substr(0, i), text.substr(i)}, c.opens_reasoning).shown(),
                      c.expected)
                << i;
            for (size_t k = i; k <= text.size(); k += 7)
                ASSERT_EQ(parsed(c.format, {text.substr(0, i), text.substr(i, k - i), text.substr(k)},
                                 c.opens_reasoning)
                              .shown(),
                          c.expected)
                    << i << " " << k;
        }
        std::vector<std::string_view> bytes;
        for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
        ASSERT_EQ(parsed(c.format, bytes, c.opens_reasoning).shown(), c.expected);
    }
}

/// Cut off anywhere, or with a piece missing: no call is whole that was not, and the text that is no call is
/// there.
TEST(ToolCalls, BrokenOnesLoseNothing) {
    std::mt19937_64 random(1);
    for (const CallCase& c : cases())
        for (size_t i = 0; i < c.text.size(); ++i) {
            std::string text = c.text;
            text.erase(i, i % 3 ? std::string::npos : 1 + random() % 5);
            const Whole w = parsed(c.format, {text}, c.opens_reasoning);
            std::vector<std::string_view> bytes;
            for (size_t k = 0; k < text.size(); ++k) bytes.push_back(std::string_view(text).substr(k, 1));
            ASSERT_EQ(w.shown(), parsed(c.format, bytes, c.opens_reasoning).shown()) << text;
            if (w.calls.empty() && w.reasoning.empty() && !c.opens_reasoning &&
                text.find("think") == std::string::npos) {
                ASSERT_EQ(w.content, text);
            }
        }
}

TEST(ToolCalls, LeaveAsTheyAreWritten) {
    AnswerParser parser({ToolFormat::hermes, tools(), false});
    EXPECT_EQ(parser.push("Hello").content, "Hello");
    EXPECT_TRUE(parser.push(" <tool_").empty());
    EXPECT_TRUE(parser.push("call>\n{\"name\": \"add\", ").empty());
    const AnswerPiece begin = parser.push("\"arguments\": {\"a\": ");
    ASSERT_EQ(begin.calls.size(), 1u);
    EXPECT_EQ(begin.calls[0].name, "add");
    EXPECT_EQ(begin.calls[0].arguments, "{\"a\": ");
    EXPECT_EQ(parser.push("1").calls.at(0).arguments, "1");
    EXPECT_EQ(parser.push("}").calls.at(0).arguments, "}");
    EXPECT_TRUE(parser.push("}\n</tool_call>").empty());
    EXPECT_EQ(parser.push("Bye").content, "Bye");
}

TEST(ToolCalls, LongOnesTakeTimeInProportion) {
    std::string text = "<tool_call>{\"name\": \"add\", \"arguments\": {\"a\": \"";
    AnswerParser parser({ToolFormat::hermes, tools(), false});
    Whole w;
    w.add(parser.push(text));
    for (int i = 0; i < 300'000; ++i) w.add(parser.push("abcdef "));
    w.add(parser.push("\"}}</tool_call>"));
    w.add(parser.finish());
    ASSERT_EQ(w.calls.size(), 1u);
    EXPECT_EQ(w.calls[0].arguments.size(), 7u * 300'000 + 9);
}

std::string template_text(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ToolCalls, TemplatesTellTheForm) {
    const std::filesystem::path data(SLUICE_TEST_DATA);
    const auto of = [&](const char* name) { return tool_format_of(template_text(data / name)); };
    EXPECT_EQ(of("templates/Qwen-Qwen3-0.6B.jinja"), ToolFormat::hermes);
    EXPECT_EQ(of("templates/Qwen-Qwen2.5-7B-Instruct.jinja"), ToolFormat::hermes);
    EXPECT_EQ(of("templates/Qwen-QwQ-32B.jinja"), ToolFormat::hermes);
    EXPECT_EQ(of("templates/meta-llama-Llama-3.1-8B-Instruct.jinja"), ToolFormat::llama);
    EXPECT_EQ(of("templates/meta-llama-Llama-3.3-70B-Instruct.jinja"), ToolFormat::llama);
    EXPECT_EQ(of("templates/llama-cpp-deepseek-r1.jinja"), ToolFormat::deepseek);
    EXPECT_EQ(of("templates/deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja"), ToolFormat::deepseek);
    EXPECT_EQ(of("templates/deepseek-ai-DeepSeek-V3.1.jinja"), ToolFormat::deepseek_v31);
    EXPECT_EQ(of("rill/template.jinja"), ToolFormat::deepseek);
    EXPECT_EQ(tool_format_of("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}"), ToolFormat::mistral_named);
    EXPECT_EQ(tool_format_of("{{ '[TOOL_CALLS]' }}"), ToolFormat::mistral);
    EXPECT_EQ(tool_format_of("<tool_call> <function= <parameter="), ToolFormat::qwen_coder);
    EXPECT_EQ(tool_format_of("<tool_call> <arg_key>"), ToolFormat::glm);
    EXPECT_EQ(tool_format_of("<|tool_calls_section_begin|>"), ToolFormat::kimi);
    EXPECT_EQ(tool_format_of("{{ messages }}"), ToolFormat::none);
}

constexpr ToolFormat all_formats[] = {
    ToolFormat::hermes,  ToolFormat::qwen_coder,    ToolFormat::glm,
    ToolFormat::llama,   ToolFormat::deepseek,      ToolFormat::deepseek_v31,
    ToolFormat::mistral, ToolFormat::mistral_named, ToolFormat::kimi};

TEST(ToolCalls, DemandedOnesAreReadBack) {
    const auto path = std::filesystem::path(SLUICE_TEST_DATA) / "tokenizers/ggml-vocab-llama-spm.gguf";
    const auto tokenizer = Tokenizer::from(GgufFile::open(path).metadata());
    for (const ToolFormat format : all_formats)
        for (const char* name : {"", "get_weather", "now", "add"}) {
            SCOPED_TRACE(std::string(to_string(format)) + " " + name);
            const auto automaton = std::make_shared<const Automaton>(
                tool_call_rules(format, *tools(), {name, true}, *tokenizer));
            int whole = 0;
            for (uint64_t seed = 0; seed < 60; ++seed) {
                std::mt19937_64 random(seed);
                Parse p(automaton, GrammarStart::answer);
                std::string text;
                while (text.size() < 1500 && !(p.complete() && (p.exhausted() || random() % 3 == 0))) {
                    const auto next = p.first_bytes();
                    std::vector<uint8_t> can, closing;
                    for (int b = 1; b < 127; ++b) {
                        if (!next[size_t(b)]) continue;
                        can.push_back(uint8_t(b));
                        if (std::string_view("\"}]</>\n").find(char(b)) != std::string_view::npos)
                            closing.push_back(uint8_t(b));
                    }
                    if (can.empty())
                        for (int b = 127; b < 256; ++b)
                            if (next[size_t(b)]) can.push_back(uint8_t(b));
                    // Free text ends with a marker that nobody draws by chance.
                    const std::string close =
                        format == ToolFormat::glm ? "</arg_value>\n" : "\n</parameter>\n";
                    if (random() % 8 == 0 && p.advance(close)) {
                        text += close;
                        continue;
                    }
                    const auto& from = !closing.empty() && random() % 3 ? closing : can;
                    const uint8_t byte = from[random() % from.size()];
                    ASSERT_TRUE(p.advance(byte));
                    text += char(byte);
                }
                if (!p.complete()) continue;
                ++whole;
                const Whole w = parsed(format, {text});
                ASSERT_FALSE(w.calls.empty()) << text;
                EXPECT_EQ(w.content, "") << text;
                for (const auto& call : w.calls) {
                    EXPECT_TRUE(tools()->find(call.name)) << text;
                    EXPECT_TRUE(!*name || call.name == name) << text;
                    const auto arguments = nlohmann::json::parse(call.arguments, nullptr, false);
                    ASSERT_TRUE(arguments.is_object()) << text << "\n" << call.arguments;
                    if (call.name == "add") {
                        EXPECT_TRUE(arguments.at("a").is_number() && arguments.at("b").is_array());
                    }
                    if (call.name == "get_weather") {
                        EXPECT_TRUE(arguments.at("city").is_string()) << text;
                    }
                }
            }
            EXPECT_GT(whole, 10);
        }
}

TEST(ToolCalls, DemandsThatCannotBeAreRefused) {
    const auto path = std::filesystem::path(SLUICE_TEST_DATA) / "tokenizers/ggml-vocab-llama-spm.gguf";
    const auto tokenizer = Tokenizer::from(GgufFile::open(path).metadata());
    const auto refusal = [&](ToolFormat format, const char* json, const char* name) -> std::string {
        try {
            tool_call_rules(format, ToolSet(json), {name, true}, *tokenizer);
        } catch (const Error& e) {
            return e.what();
        }
        return "none";
    };
    const auto has = [](const std::string& text, const char* part) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    has(refusal(ToolFormat::hermes, "[]", ""), "no tools");
    has(refusal(ToolFormat::hermes, tools_json, "other"), "\"other\"");
    has(refusal(ToolFormat::none, tools_json, ""), "chat template");
    has(refusal(ToolFormat::hermes, "{}", ""), "JSON array");
    has(refusal(ToolFormat::hermes, "[{\"function\":{}}]", ""), "tools[0]");
    has(refusal(ToolFormat::hermes, "[{\"name\":\"‹<s>\\n›\"}]", ""), "name");
    has(refusal(ToolFormat::hermes,
                "[{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"not\":{}}}}}]",
                ""),
        "parameters of the tool \"f\" at \"/properties/x\"");
    EXPECT_EQ(refusal(ToolFormat::hermes, tools_json, ""), "none");
}

/// Markers that are control tokens of the vocabulary are demanded as such.
TEST(ToolCalls, MarkersAreControlTokensWhereTheVocabularySaysSo) {
    const auto path = std::filesystem::path(SLUICE_MODELS) / "rill-q8_0.gguf";
    const auto tokenizer = Tokenizer::from(GgufFile::open(path).metadata());
    const std::string marker = "<｜tool▁calls▁begin｜>";
    const TokenId id = tokenizer->find(marker);
    ASSERT_NE(id, no_token);
    const auto rules = tool_call_rules(ToolFormat::deepseek, *tools(), {"now", false}, *tokenizer);
    Parse p(std::make_shared<const Automaton>(rules), GrammarStart::answer);
    const bool control = tokenizer->kind(id) == TokenKind::control;
    EXPECT_EQ(p.first_bytes()[0xFF], control);
    EXPECT_EQ(p.first_bytes()['<'], !control);
}

}  // namespace
}  // namespace sluice
