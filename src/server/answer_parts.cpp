#include "server/answer_parts.h"

#include "server/model_service.h"

namespace sluice::server {

namespace {

/// Models that number their calls themselves are few: the others' get an id of ours.
AnswerDelta delta_of(AnswerPiece piece) {
    AnswerDelta delta{std::move(piece.reasoning), std::move(piece.content), {}, {}};
    for (ToolCallPiece& call : piece.calls) {
        const bool ours = !call.name.empty() && call.id.empty();
        if (ours) call.id = new_id("call_");
        delta.tool_calls.push_back(
            {call.index, std::move(call.id), std::move(call.name), std::move(call.arguments), ours});
    }
    return delta;
}

}  // namespace

AnswerDelta AnswerParts::push(std::string_view text) {
    if (!chat_) return {{}, std::string(text), {}, {}};
    return delta_of(parser_.push(text));
}

AnswerDelta AnswerParts::finish() {
    if (!chat_) return {};
    return delta_of(parser_.finish());
}

void Answer::add(const AnswerDelta& delta) {
    reasoning += delta.reasoning;
    content += delta.content;
    for (const ToolCallDelta& call : delta.tool_calls) {
        if (call.index >= tool_calls.size()) tool_calls.resize(call.index + 1);
        ToolCall& to = tool_calls[call.index];
        if (!call.id.empty()) to.id = call.id;
        if (!call.name.empty()) to.name = call.name;
        to.arguments += call.arguments;
    }
    if (delta.logprobs) logprobs.push_back(*delta.logprobs);
}

}  // namespace sluice::server
