// A model's answer taken apart while it streams: what it thought, what it says, which tools it calls. What
// servers give their clients; text from Generation::Step goes in, pieces come out.
//
//     AnswerParser parser({.format = tool_format_of(source), .tools = tools, .opens_reasoning = …});
//     send(parser.push(step.text)); …; send(parser.finish());
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/reasoning.h"
#include "text/tool_calls/tool_call_parser.h"

namespace sluice {

struct AnswerPiece {
    std::string reasoning{}, content{};
    std::vector<ToolCallPiece> calls{};
    bool empty() const { return reasoning.empty() && content.empty() && calls.empty(); }
};

class AnswerParser {
  public:
    struct Options {
        ToolFormat format = ToolFormat::none;    // none where the request offers no tools
        std::shared_ptr<const ToolSet> tools{};  // those it offers
        bool opens_reasoning = false;            // as in Prompt
    };
    explicit AnswerParser(const Options& options)
        : reasoning_(options.opens_reasoning), calls_(options.format, options.tools) {}

    AnswerPiece push(std::string_view text) {
        auto [reasoning, answer] = reasoning_.push(text);
        auto [content, calls] = calls_.push(answer);
        return {std::move(reasoning), std::move(content), std::move(calls)};
    }
    AnswerPiece finish() {
        auto [reasoning, answer] = reasoning_.finish();
        auto [content, calls] = calls_.push(answer);
        auto [last_content, last_calls] = calls_.finish();
        calls.insert(calls.end(), last_calls.begin(), last_calls.end());
        return {std::move(reasoning), content + last_content, std::move(calls)};
    }
    bool inside_reasoning() const { return reasoning_.inside(); }
    /// What was pushed last belongs, at its end, to the answer proper.
    bool answering() const { return reasoning_.answering(); }
    /// So far.
    size_t n_calls() const { return calls_.n_calls(); }

  private:
    ReasoningSplitter reasoning_;
    ToolCallParser calls_;
};

}  // namespace sluice
