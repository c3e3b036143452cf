// How the families of models write the calls of tools: a chat template and the control tokens it needs, put
// on Rill's weights. What Rill makes of it is nonsense in the family's form, which is all that is looked at.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/impl.h"
#include "running_server.h"

namespace sluice::test {

struct Family {
    std::string name;
    ToolFormat format;
    std::string source;                 // of the template, or its file in tests/data/templates
    std::vector<std::string> controls;  // not in Rill's vocabulary
    /// Two calls (one, if the family has no more) as a model might write them, unlike any JSON library.
    std::string calls;
    std::string dropped{};  // the end of a prompt, about thoughts, that the next turn does not show again
};

inline void PrintTo(const Family& family, std::ostream* out) {
    *out << family.name;
}

inline std::string template_of(const std::string& file) {
    std::ifstream in(std::filesystem::path(SLUICE_TEST_DATA) / file);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (text.empty()) throw std::runtime_error("there is no " + file);
    return text;
}

inline std::string replaced(std::string text, const std::string& part, const std::string& by) {
    const size_t at = text.find(part);
    if (at == std::string::npos) throw std::runtime_error("there is no " + part);
    return text.replace(at, part.size(), by);
}

/// Templates that are not in tests/data, as short as they can be: what surrounds calls is the family's.
inline std::string short_template(const std::string& user, const std::string& assistant,
                                  const std::string& calls, const std::string& end, const std::string& tool) {
    return "{%- if tools -%}{{ tools | tojson }}{%- endif -%}"
           "{%- for m in messages -%}{%- if m.role == 'tool' -%}" +
           tool + "{%- elif m.role == 'user' -%}" + user + "{%- else -%}" + assistant +
           "{{- m.content or '' -}}{%- if m.tool_calls -%}" + calls + "{%- endif -%}" + end +
           "{%- endif -%}{%- endfor -%}{%- if add_generation_prompt -%}" + assistant + "{%- endif -%}";
}

inline const std::vector<Family>& families() {
    static const std::vector<Family> all = [] {
        const std::string two = R"({"name":"get_weather","arguments":{ "days": 1.0,"city":"Z\u00fcrich" }})",
                          none = R"({"arguments": {},  "name": "now"})";
        const std::string hermes =
            "One moment.\n\n<tool_call>\n" + two + "\n</tool_call>\n\n<tool_call>" + none + "</tool_call>";
        const std::vector<std::string> chatml{"<|im_start|>", "<|im_end|>"};
        const auto deepseek_calls = [](const std::string& before, const std::string& between,
                                       const std::string& after) {
            return "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>" + before + "get_weather" + between +
                   "{ \"days\": 1.0,\"city\":\"Z\\u00fcrich\" }" + after +
                   "<｜tool▁call▁end｜>\n\n<｜tool▁call▁begin｜>" + before + "now" + between + "{ }" + after +
                   "<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
        };
        std::vector<Family> list;
        list.push_back({"Qwen2_5", ToolFormat::hermes,
                        template_of("templates/Qwen-Qwen2.5-7B-Instruct.jinja"), chatml, hermes});
        list.push_back({"Qwen3", ToolFormat::hermes, template_of("templates/Qwen-Qwen3-0.6B.jinja"), chatml,
                        "<think>\nWhich city?\n</think>\n\n" + hermes});
        list.push_back({"QwQ", ToolFormat::hermes, template_of("templates/Qwen-QwQ-32B.jinja"), chatml,
                        hermes, "<think>\n</think>"});
        for (const char* version : {"3.1-8B", "3.3-70B"})
            list.push_back(
                {std::string("Llama") + version[0] + "_" + version[2],
                 ToolFormat::llama,
                 template_of("templates/meta-llama-Llama-" + std::string(version) + "-Instruct.jinja"),
                 {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
                 R"({"name":"get_weather", "parameters":{ "days": 1.0,"city":"Z\u00fcrich" }})"});
        list.push_back({"DeepSeekV3_1",
                        ToolFormat::deepseek_v31,
                        template_of("templates/deepseek-ai-DeepSeek-V3.1.jinja"),
                        {},
                        "One moment.\n\n" + deepseek_calls("", "<｜tool▁sep｜>", "")});
        list.push_back(
            {"DeepSeekR1",
             ToolFormat::deepseek,
             // In Jinja a generator is no JSON.
             replaced(template_of("templates/llama-cpp-deepseek-r1.jinja"), "map(attribute='function') |",
                      "map(attribute='function') | list |"),
             {},
             "No doubt.\n</think>\n\n" + deepseek_calls("function<｜tool▁sep｜>", "\n```json\n", "\n```"),
             "<think>\n"});
        list.push_back(
            {"Rill",
             ToolFormat::deepseek,
             template_of("rill/template.jinja"),
             {},
             "No doubt.\n</think>\n\n" + deepseek_calls("function<｜tool▁sep｜>", "\n```json\n", "\n```"),
             "<think>\n"});
        list.push_back(
            {"DeepSeekV3",
             ToolFormat::deepseek,
             short_template(
                 "{{- '<｜User｜>' + m.content -}}", "{{- '<｜Assistant｜>' -}}",
                 "{{- '<｜tool▁calls▁begin｜>' -}}{%- for c in m.tool_calls -%}"
                 "{{- '<｜tool▁call▁begin｜>function<｜tool▁sep｜>' + c.function.name + '\\n```json\\n' + "
                 "c.function.arguments + '\\n```<｜tool▁call▁end｜>' -}}{%- endfor -%}"
                 "{{- '<｜tool▁calls▁end｜>' -}}",
                 "{{- '<｜end▁of▁sentence｜>' -}}",
                 "{{- '<｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜>' -}}"),
             {},
             "One moment.\n" + deepseek_calls("function<｜tool▁sep｜>", "\n```json\n", "\n```")});
        list.push_back(
            {"Mistral",
             ToolFormat::mistral,
             short_template(
                 "{{- '[INST] ' + m.content + '[/INST]' -}}", "",
                 "{{- '[TOOL_CALLS] [' -}}{%- for c in m.tool_calls -%}{{- ', ' if not loop.first -}}"
                 "{{- '{\"name\": \"' + c.function.name + '\", \"arguments\": ' -}}"
                 "{{- c.function.arguments | tojson -}}{{- ', \"id\": \"' + c.id + '\"}' -}}"
                 "{%- endfor -%}{{- ']' -}}",
                 "{{- '</s>' -}}", "{{- '[TOOL_RESULTS] ' + m.content + '[/TOOL_RESULTS]' -}}"),
             {"[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "</s>"},
             "[TOOL_CALLS][" + two + "," + none + " ]"});
        list.push_back(
            {"MistralNamed",
             ToolFormat::mistral_named,
             short_template("{{- '[INST]' + m.content + '[/INST]' -}}", "",
                            "{%- for c in m.tool_calls -%}{{- '[TOOL_CALLS]' + c.function.name + '[ARGS]' -}}"
                            "{{- c.function.arguments | tojson -}}{%- endfor -%}",
                            "{{- '</s>' -}}", "{{- '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' -}}"),
             {"[INST]", "[/INST]", "[TOOL_CALLS]", "[ARGS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "</s>"},
             R"([TOOL_CALLS]get_weather[ARGS]{ "days": 1.0,"city":"Z\u00fcrich" }[TOOL_CALLS]now[ARGS]{ })"});
        list.push_back(
            {"Qwen3Coder", ToolFormat::qwen_coder,
             "{%- if tools -%}{{ tools | tojson }}{%- endif -%}{%- for m in messages -%}"
             "{{- '<|im_start|>' + m.role -}}{%- if m.content -%}{{- '\\n' + m.content -}}{%- endif -%}"
             "{%- for c in m.tool_calls or [] -%}"
             "{{- '\\n<tool_call>\\n<function=' + c.function.name + '>\\n' -}}"
             "{%- for key, value in c.function.arguments | items -%}"
             "{{- '<parameter=' + key + '>\\n' -}}"
             "{{- (value if value is string else value | tojson) + '\\n</parameter>\\n' -}}"
             "{%- endfor -%}{{- '</function>\\n</tool_call>' -}}{%- endfor -%}{{- '<|im_end|>\\n' -}}"
             "{%- endfor -%}{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}",
             chatml,
             "<tool_call>\n<function=get_weather>\n<parameter=days>\n1.0\n</"
             "parameter>\n<parameter=city>\nZürich\n"
             "</parameter>\n</function>\n</tool_call>\n\n\n<tool_call>\n<function=now>\n</function>\n</"
             "tool_call>"});
        list.push_back(
            {"Glm",
             ToolFormat::glm,
             short_template(
                 "{{- '<|user|>\\n' + m.content -}}", "{{- '<|assistant|>' -}}",
                 "{%- for c in m.tool_calls -%}{{- '\\n<tool_call>' + c.function.name + '\\n' -}}"
                 "{%- for key, value in c.function.arguments | items -%}"
                 "{{- '<arg_key>' + key + '</arg_key>\\n<arg_value>' -}}"
                 "{{- (value if value is string else value | tojson) + '</arg_value>\\n' -}}"
                 "{%- endfor -%}{{- '</tool_call>' -}}{%- endfor -%}",
                 "", "{{- '<|observation|>\\n<tool_response>\\n' + m.content + '</tool_response>' -}}"),
             {"<|user|>", "<|assistant|>", "<|observation|>"},
             "\nOne moment.\n<tool_call>get_weather\n<arg_key>days</arg_key>\n<arg_value>1.0</arg_value>\n"
             "<arg_key>city</arg_key>\n<arg_value>Zürich</arg_value>\n</tool_call>\n<tool_call>now\n</"
             "tool_call>\n"});
        list.push_back(
            {"Kimi",
             ToolFormat::kimi,
             short_template("{{- '<|im_user|>user<|im_middle|>' + m.content + '<|im_end|>' -}}",
                            "{{- '<|im_assistant|>assistant<|im_middle|>' -}}",
                            "{{- '<|tool_calls_section_begin|>' -}}{%- for c in m.tool_calls -%}"
                            "{{- '<|tool_call_begin|>' + c.id + '<|tool_call_argument_begin|>' -}}"
                            "{{- (c.function.arguments if c.function.arguments is string else "
                            "c.function.arguments | tojson) + '<|tool_call_end|>' -}}"
                            "{%- endfor -%}{{- '<|tool_calls_section_end|>' -}}",
                            "{{- '<|im_end|>' -}}",
                            "{{- '<|im_system|>tool<|im_middle|>' + m.content + '<|im_end|>' -}}"),
             {"<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>", "<|im_end|>",
              "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
              "<|tool_call_argument_begin|>", "<|tool_call_end|>"},
             "One moment.<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
             "<|tool_call_argument_begin|>{ \"days\": 1.0,\"city\":\"Z\\u00fcrich\" }<|tool_call_end|>"
             "<|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{ }<|tool_call_end|>"
             "<|tool_calls_section_end|>"});
        return list;
    }();
    return all;
}

/// The family's control tokens take the places of the vocabulary's last words, which Rill hardly knows.
inline Engine engine_of(const Family& family) {
    Engine engine = Engine::open(SLUICE_MODELS "/rill-q8_0.gguf", {.threads = 2});
    Engine::Impl& impl = *engine.impl();
    GgufMetadata changed;
    for (const auto& [key, value] : impl.file.metadata().entries()) {
        GgufValue mine = value;
        for (size_t i = 0; i < family.controls.size(); ++i) {
            if (key == "tokenizer.ggml.tokens") {
                auto& tokens = std::get<std::vector<std::string>>(mine);
                tokens[tokens.size() - 1 - i] = family.controls[i];
            } else if (key == "tokenizer.ggml.token_type") {
                auto& types = std::get<std::vector<int64_t>>(mine);
                types[types.size() - 1 - i] = int64_t(TokenKind::control);
            }
        }
        changed.add(key, std::move(mine));
    }
    const TokenId last = TokenId(engine.info().n_vocab) - 1;
    for (size_t i = 0; i < family.controls.size(); ++i) {  // GLM's turns end where others begin
        if (family.controls[i] == "<|user|>")
            changed.add("tokenizer.ggml.eot_token_id", uint64_t(last - TokenId(i)));
        if (family.controls[i] == "<|observation|>")
            changed.add("tokenizer.ggml.eom_token_id", uint64_t(last - TokenId(i)));
    }
    impl.tokenizer = Tokenizer::from(changed);
    impl.chat_template.emplace(family.source);
    return engine;
}

}  // namespace sluice::test
