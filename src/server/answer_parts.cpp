#include "server/answer_parts.h"

namespace sluice::server {

AnswerDelta AnswerParts::take(ReasoningSplitter::Piece piece) {
    AnswerDelta delta;
    delta.reasoning = std::move(piece.reasoning);
    delta.content = std::move(piece.answer);
    return delta;
}

AnswerDelta AnswerParts::push(std::string_view text) {
    if (!options_.chat) return take({{}, std::string(text)});
    return take(reasoning_.push(text));
}

AnswerDelta AnswerParts::finish() {
    if (!options_.chat) return {};
    return take(reasoning_.finish());
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
