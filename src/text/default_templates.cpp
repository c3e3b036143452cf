// Templates for models that carry none, as data. Each is the plain form of its family, without tools: the
// system's words, turns by role, the head of the answer. Content may be a string or a list of parts with
// texts.
#include <array>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sluice {
namespace {

constexpr std::string_view chatml = R"({%- for m in messages -%}
    {%- set text = m.content if m.content is string else m.content | map(attribute='text', default='') | join -%}
    {{- '<|im_start|>' + m.role + '\n' + text + '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\n' -}}
{%- endif -%})";

constexpr std::string_view llama3 = R"({{- bos_token -}}
{%- for m in messages -%}
    {%- set text = m.content if m.content is string else m.content | map(attribute='text', default='') | join -%}
    {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + text | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%})";

// What was thought before an answer is not said again.
constexpr std::string_view deepseek = R"({{- bos_token -}}
{%- for m in messages -%}
    {%- set text = m.content if m.content is string else m.content | map(attribute='text', default='') | join -%}
    {%- if m.role == 'system' -%}
        {{- text -}}
    {%- elif m.role == 'assistant' -%}
        {{- '<｜Assistant｜>' + text.split('</think>')[-1] | trim + eos_token -}}
    {%- else -%}
        {{- '<｜User｜>' + text -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<｜Assistant｜>' -}}
{%- endif -%})";

// The system's words stand inside the first instruction.
constexpr std::string_view llama2 = R"({%- set ns = namespace(system='') -%}
{%- for m in messages -%}
    {%- set text = m.content if m.content is string else m.content | map(attribute='text', default='') | join -%}
    {%- if m.role == 'system' -%}
        {%- set ns.system = '<<SYS>>\n' + text + '\n<</SYS>>\n\n' -%}
    {%- elif m.role == 'assistant' -%}
        {{- ' ' + text | trim + ' ' + eos_token -}}
    {%- else -%}
        {{- bos_token + '[INST] ' + ns.system + text | trim + ' [/INST]' -}}
        {%- set ns.system = '' -%}
    {%- endif -%}
{%- endfor -%})";

constexpr std::string_view plain = R"({%- for m in messages -%}
    {%- set text = m.content if m.content is string else m.content | map(attribute='text', default='') | join -%}
    {%- if m.role == 'system' -%}
        {{- text + '\n\n' -}}
    {%- elif m.role == 'assistant' -%}
        {{- 'Assistant: ' + text + '\n' -}}
    {%- else -%}
        {{- 'User: ' + text + '\n' -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'Assistant:' -}}
{%- endif -%})";

struct Family {
    std::string_view token;  // in the vocabularies of this family only
    DefaultTemplate chat;
};
constexpr std::array<Family, 3> families{{
    {"<|im_start|>", {"ChatML", chatml}},
    {"<|start_header_id|>", {"Llama 3", llama3}},
    {"<｜User｜>", {"DeepSeek", deepseek}},
}};

}  // namespace

DefaultTemplate default_template(const Tokenizer& tokenizer) {
    for (const Family& family : families) {
        if (tokenizer.find(family.token) != no_token) return family.chat;
    }
    if (tokenizer.description().starts_with("SentencePiece")) return {"Llama 2", llama2};
    return {"plain", plain};
}

}  // namespace sluice
