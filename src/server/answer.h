// What any of the interfaces asks of a model, and what it gets back, in one form: each interface translates
// to and from this and knows nothing of engines.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/engine.h"

#include "server/api_error.h"

namespace sluice::server {

enum class ToolChoice { automatic, none, required };  // required: a call must be made
enum class AnswerFormat { text, json_object, json_schema, grammar };

struct AnswerRequest {
    std::string id{}, key{};  // of the request; of who asks
    int32_t priority = 0;
    std::optional<ChatRequest> chat{};  // else
    std::vector<TokenId> prompt{};      // is continued as it is
    GenerateOptions options{};
    uint32_t n = 1;  // answers to the same prompt, with seeds that follow each other
    ToolChoice tool_choice = ToolChoice::automatic;
    std::string tool_name{};  // the one that must be called; empty: any
    bool parallel_tool_calls = true;
    AnswerFormat format = AnswerFormat::text;
    std::string schema{};                          // a JSON schema as text
    std::string grammar{};                         // in GBNF
    std::string format_field = "response_format";  // what the request calls it, for errors
};

/// A piece of a tool call: the first of each has its name and id.
struct ToolCallDelta {
    size_t index = 0;
    std::string id{}, name{}, arguments{};
    bool id_is_ours = false;  // the model gave none: nobody else has this id
};

/// What became certain at once. Logprobs are those of the token it came with.
struct AnswerDelta {
    std::string reasoning{}, content{};
    std::vector<ToolCallDelta> tool_calls{};
    std::optional<TokenLogprobs> logprobs{};
    bool empty() const { return reasoning.empty() && content.empty() && tool_calls.empty() && !logprobs; }
};

struct AnswerEnd {
    StopReason reason = StopReason::end_token;
    std::string stop_text{};  // that ended it
    bool called_tools = false;
    uint64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0, reasoning_tokens = 0;
    double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

/// Hears how answers grow. Called by the scheduler's thread, one call at a time.
class AnswerSink {
  public:
    virtual ~AnswerSink() = default;
    /// What the model will read; before all else, by whoever submits.
    virtual void prompt(const std::vector<TokenId>& /*tokens*/) {}
    virtual void waiting(uint64_t /*before*/) {}
    virtual void progress(uint64_t /*processed*/, uint64_t /*total*/) {}
    virtual void delta(uint32_t choice, const AnswerDelta& delta) = 0;
    virtual void end(uint32_t choice, const AnswerEnd& end) = 0;
    virtual void all_ended() = 0;  // the last call, unless failed() is
    virtual void failed(const ApiError& error) = 0;
};

/// One whole answer, for replies that are not streamed.
struct Answer {
    std::string reasoning{}, content{};
    std::vector<ToolCall> tool_calls{};
    std::vector<TokenLogprobs> logprobs{};
    AnswerEnd end{};
    void add(const AnswerDelta& delta);
};

}  // namespace sluice::server
