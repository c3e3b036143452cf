// How a model's family writes the calls of tools. Known from its chat template, which shows the model its
// earlier calls in the same form.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

enum class ToolFormat {
    none,        // the template knows no tools: what the model writes is text
    hermes,      // <tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>      Qwen 2.5, Qwen 3, Hermes
    qwen_coder,  // <tool_call>\n<function=…>\n<parameter=…>\n…\n</parameter>\n</function>\n</tool_call>
    glm,         // <tool_call>…\n<arg_key>…</arg_key>\n<arg_value>…</arg_value>\n</tool_call>
    llama,       // {"name": …, "parameters": {…}} as the whole answer               Llama 3.1 to 3.3
    deepseek,  // <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>…\n```json\n{…}\n```
               // <｜tool▁call▁end｜><｜tool▁calls▁end｜>                          R1, V3, Rill
    deepseek_v31,   // the same, a call being …<｜tool▁sep｜>{…}
    mistral,        // [TOOL_CALLS][{"name": …, "arguments": {…}}]
    mistral_named,  // [TOOL_CALLS]…[ARGS]{…}                                           from 2025 on
    kimi,  // <|tool_calls_section_begin|><|tool_call_begin|>functions.…:0<|tool_call_argument_begin|>
           // {…}<|tool_call_end|><|tool_calls_section_end|>
};

std::string_view to_string(ToolFormat format);
ToolFormat tool_format_of(std::string_view template_source);

}  // namespace sluice
