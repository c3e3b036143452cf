// Takes apart what a model writes, while it writes it: reasoning, answer, tool calls.
#pragma once

#include <string>
#include <string_view>

#include "server/answer.h"
#include "text/reasoning.h"

namespace sluice::server {

class AnswerParts {
  public:
    struct Options {
        bool opens_reasoning = false;  // as in Prompt
        bool chat = true;              // else the text is all answer
    };
    explicit AnswerParts(const Options& options) : options_(options), reasoning_(options.opens_reasoning) {}

    AnswerDelta push(std::string_view text);
    AnswerDelta finish();
    bool inside_reasoning() const { return options_.chat && reasoning_.inside(); }
    /// What was pushed last belongs, at its end, to the answer proper.
    bool answering() const { return !options_.chat || reasoning_.answering(); }
    bool called_tools() const { return n_calls_ > 0; }

  private:
    AnswerDelta take(ReasoningSplitter::Piece piece);

    Options options_;
    ReasoningSplitter reasoning_;
    size_t n_calls_ = 0;
};

}  // namespace sluice::server
