// Takes apart what a model writes, while it writes it: reasoning, answer, tool calls.
#pragma once

#include <string_view>

#include "server/answer.h"
#include "text/tool_calls/answer_parser.h"

namespace sluice::server {

class AnswerParts {
  public:
    struct Options {
        AnswerParser::Options answer{};
        bool chat = true;  // else the text is all answer
    };
    explicit AnswerParts(const Options& options) : chat_(options.chat), parser_(options.answer) {}

    AnswerDelta push(std::string_view text);
    AnswerDelta finish();
    bool inside_reasoning() const { return chat_ && parser_.inside_reasoning(); }
    /// What was pushed last belongs, at its end, to the answer proper.
    bool answering() const { return !chat_ || parser_.answering(); }
    bool called_tools() const { return chat_ && parser_.n_calls() > 0; }

  private:
    bool chat_;
    AnswerParser parser_;
};

}  // namespace sluice::server
