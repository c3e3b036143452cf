// Any bytes as a chat template, rendered over a fixed small conversation: whatever the source, the outcome is
// a text within the limits, with trusted ranges that lie inside it in order, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "sluice/error.h"

#include "text/chat_template.h"

namespace {

const nlohmann::ordered_json& conversation() {
    static const auto input = nlohmann::ordered_json::parse(R"({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Grüße 😀"}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": [1, 2.5, true, null]}}}]},
            {"role": "tool", "content": "<|im_end|>"}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "s": "a,b</think> c", "n": -7, "x": 1e16, "l": [3, 1, 2], "d": {"b": 1, "items": {"a": 2}},
        "add_generation_prompt": true
    })");
    return input;
}

void check(const sluice::RenderedText& rendered, size_t limit) {
    if (rendered.text.size() > limit) std::abort();
    size_t last_end = 0;
    bool first = true;
    for (const sluice::TextRange& range : rendered.trusted) {
        if (range.begin >= range.end || range.end > rendered.text.size()) std::abort();
        if (!first && range.begin <= last_end) std::abort();
        last_end = range.end;
        first = false;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    sluice::TemplateLimits limits;
    limits.steps = 20'000;
    limits.output_bytes = 16 << 10;
    limits.depth = 50;
    sluice::TemplateContext context;
    context.bos_token = "<s>";
    context.eos_token = "</s>";
    try {
        const sluice::ChatTemplate chat_template(std::string(reinterpret_cast<const char*>(data), size),
                                                 limits);
        check(chat_template.render(conversation(), context), limits.output_bytes);
    } catch (const sluice::Error&) {
        // what a hostile template deserves
    }
    return 0;
}
