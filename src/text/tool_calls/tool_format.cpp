#include "text/tool_calls/tool_format.h"

#include <array>

namespace sluice {

namespace {

/// A template that holds `sign` (and `also`) writes calls so. The first that fits counts.
struct Sign {
    std::string_view sign, also;
    ToolFormat format;
};
constexpr std::array signs{
    Sign{"<|tool_calls_section_begin|>", "", ToolFormat::kimi},
    Sign{"<｜tool▁sep｜>", "```json", ToolFormat::deepseek},
    Sign{"<｜tool▁sep｜>", "", ToolFormat::deepseek_v31},
    Sign{"[TOOL_CALLS]", "[ARGS]", ToolFormat::mistral_named},
    Sign{"[TOOL_CALLS]", "", ToolFormat::mistral},
    Sign{"<arg_key>", "<tool_call>", ToolFormat::glm},
    Sign{"<function=", "<parameter=", ToolFormat::qwen_coder},
    Sign{"<tool_call>", "", ToolFormat::hermes},
    Sign{"<|start_header_id|>", "\"parameters\": ", ToolFormat::llama},
};

}  // namespace

std::string_view to_string(ToolFormat format) {
    constexpr std::array names{"none",     "hermes",       "qwen_coder", "glm",           "llama",
                               "deepseek", "deepseek_v31", "mistral",    "mistral_named", "kimi"};
    return names[size_t(format)];
}

ToolFormat tool_format_of(std::string_view source) {
    const auto has = [&](std::string_view text) { return source.find(text) != std::string_view::npos; };
    for (const Sign& s : signs)
        if (has(s.sign) && has(s.also)) return s.format;
    return ToolFormat::none;
}

}  // namespace sluice
