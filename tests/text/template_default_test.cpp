// The templates for models that carry none, clocks, and the cost of long conversations.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sluice {
namespace {

using nlohmann::ordered_json;

class Vocabulary final : public Tokenizer {
  public:
    Vocabulary(std::vector<std::string> tokens, std::string description)
        : Tokenizer(metadata(std::move(tokens)), false), description_(std::move(description)) {}
    std::string description() const override { return description_; }

  private:
    static GgufMetadata metadata(std::vector<std::string> tokens) {
        GgufMetadata m;
        m.add("tokenizer.ggml.tokens", GgufValue(std::move(tokens)));
        return m;
    }
    void encode_text(std::string_view, bool, std::vector<TokenId>&) const override {}
    std::string normal_piece(TokenId) const override { return {}; }
    std::string description_;
};

const ordered_json conversation = ordered_json::parse(R"({
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes?"},
        {"role": "user", "content": [{"type": "text", "text": "By"}, {"type": "text", "text": "e"}]}
    ],
    "add_generation_prompt": true
})");

struct Rendered {
    std::string name, text;
};
Rendered by_default(std::vector<std::string> tokens, std::string description = "byte-level BPE, gpt-2") {
    const DefaultTemplate chosen = default_template(Vocabulary(std::move(tokens), std::move(description)));
    TemplateContext context;
    context.bos_token = "<B>";
    context.eos_token = "<E>";
    return {std::string(chosen.name),
            ChatTemplate(std::string(chosen.source)).render(conversation, context).text};
}

TEST(DefaultTemplate, IsChosenByTheVocabulary) {
    const Rendered chatml = by_default({"a", "<|im_start|>", "<|im_end|>"});
    EXPECT_EQ(chatml.name, "ChatML");
    EXPECT_EQ(
        chatml.text,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<think>\nhm\n</think>\n\nYes?<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n");
    const Rendered llama3 = by_default({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"});
    EXPECT_EQ(llama3.name, "Llama 3");
    EXPECT_EQ(llama3.text,
              "<B><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
              "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
              "<|start_header_id|>assistant<|end_header_id|>\n\n<think>\nhm\n</think>\n\nYes?<|eot_id|>"
              "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
              "<|start_header_id|>assistant<|end_header_id|>\n\n");
    const Rendered deepseek = by_default({"<｜User｜>", "<｜Assistant｜>"});
    EXPECT_EQ(deepseek.name, "DeepSeek");
    EXPECT_EQ(deepseek.text, "<B>Be brief.<｜User｜>Hi<｜Assistant｜>Yes?<E><｜User｜>Bye<｜Assistant｜>");
    const Rendered llama2 = by_default({"a"}, "SentencePiece");
    EXPECT_EQ(llama2.name, "Llama 2");
    EXPECT_EQ(llama2.text,
              "<B>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] <think>\nhm\n</think>\n\nYes? "
              "<E><B>[INST] Bye [/INST]");
    const Rendered plain = by_default({"a"});
    EXPECT_EQ(plain.name, "plain");
    EXPECT_EQ(plain.text,
              "Be brief.\n\nUser: Hi\nAssistant: <think>\nhm\n</think>\n\nYes?\nUser: Bye\nAssistant:");
}

TEST(Clock, IsFormattedInEnglish) {
    TemplateContext context;
    context.now.tm_year = 124;  // Sunday, 9 June 2024, 05:06:07
    context.now.tm_mon = 5;
    context.now.tm_mday = 9;
    context.now.tm_hour = 5;
    context.now.tm_min = 6;
    context.now.tm_sec = 7;
    context.now.tm_wday = 0;
    context.now.tm_yday = 160;
    const auto show = [&](const std::string& format) {
        return ChatTemplate("{{ strftime_now('" + format + "') }}")
            .render(ordered_json::object(), context)
            .text;
    };
    EXPECT_EQ(show("%d %b %Y"), "09 Jun 2024");
    EXPECT_EQ(show("%A, %B %-d, %Y %-I:%M %p"), "Sunday, June 9, 2024 5:06 AM");
    EXPECT_EQ(show("%Y-%m-%dT%H:%M:%S %j %y %e|%k %u%w %U %W %V %G %%"),
              "2024-06-09T05:06:07 161 24  9| 5 70 23 23 23 2024 %");
    EXPECT_EQ(show("%c|%x|%X|%F|%T|%D"),
              "Sun Jun  9 05:06:07 2024|06/09/24|05:06:07|2024-06-09|05:06:07|06/09/24");
    EXPECT_EQ(show("%q %"), "%q %");
    context.now.tm_wday = 77;  // whatever the caller gives
    context.now.tm_mon = -5;
    EXPECT_EQ(show("%a %B"), "? ?");
}

// Every template must be linear in the conversation: the list of messages is shared, never copied.
TEST(LongConversation, RendersFast) {
    ordered_json input = {{"messages", ordered_json::array()}, {"add_generation_prompt", true}};
    for (int i = 0; i < 1000; ++i) {
        input["messages"].push_back({{"role", "user"}, {"content", "question " + std::string(400, 'q')}});
        input["messages"].push_back({{"role", "assistant"}, {"content", "answer " + std::string(400, 'a')}});
    }
    const ChatTemplate chat_template(
        "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = "
        "loop.index0 %}"
        "{% endif %}{% endfor %}{% set rest = messages[1:] %}{% for m in messages %}{% set shared = rest %}"
        "{{ '<|' + m.role + '|>' + m['content'].strip() }}{% if loop.index0 == ns.last %}!{% endif %}{% "
        "endfor %}");
    const auto begin = std::chrono::steady_clock::now();
    const RenderedText rendered = chat_template.render(input, {});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    EXPECT_GT(rendered.text.size(), 800'000u);
    EXPECT_LT(taken.count(), 2.0);  // 10 ms when measured; sanitizer builds take longer
}

TEST(ChatTemplateTest, CanBeMovedAndUsedAgain) {
    ChatTemplate first("{{ x }}\n");
    ChatTemplate second = std::move(first);
    first = ChatTemplate("other");
    EXPECT_EQ(second.source(), "{{ x }}\n");
    EXPECT_EQ(second.render({{"x", 1}}, {}).text, "1");
    EXPECT_EQ(second.render({{"x", "a"}}, {}).text, "a");
    EXPECT_EQ(first.render(ordered_json::object(), {}).text, "other");
}

}  // namespace
}  // namespace sluice
