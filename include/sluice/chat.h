// Messages of a conversation, as chat templates and the usual APIs know them.
#pragma once

#include <string>
#include <vector>

namespace sluice {

struct ToolCall {
    std::string id{}, name{};
    std::string arguments{};  // a JSON object, as text
};

struct Message {
    std::string role{};     // "system", "user", "assistant", "tool"
    std::string content{};  // what was said; for an assistant without its reasoning
    std::string reasoning{};
    std::vector<ToolCall> tool_calls{};
    std::string tool_call_id{}, name{};  // of a tool's answer
};

struct ChatRequest {
    std::vector<Message> messages{};
    std::string tools{};  // a JSON array of function tools as text, or empty
    bool add_generation_prompt = true;
    std::string extra_variables{};  // a JSON object as text with more template variables (enable_thinking,
                                    // …), or empty
};

/// A conversation rendered and tokenised.
struct Prompt {
    std::vector<int32_t> tokens{};
    std::string text{};
    bool opens_reasoning = false;  // it ends with an open <think>: the answer begins inside
    bool may_reason = false;       // the answer may begin with <think>
};

}  // namespace sluice
