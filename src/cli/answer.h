// One answer of a session, shown while it is generated: what the model thinks dimmed on standard error (or
// folded into a running clock), what it says on standard output.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "sluice/engine.h"

#include "cli/word_wrap.h"

namespace sluice::cli {

/// What happens to the text between <think> tags.
enum class Thinking {
    shown,     // dimmed, if standard error is a terminal; else dropped
    folded,    // "thinking… 3.2 s" on a terminal
    verbatim,  // not told apart: the whole text is the answer
};
enum class Streaming { on, off };

struct AnswerStyle {
    Thinking thinking = Thinking::shown;
    Streaming streaming = Streaming::on;  // off: nothing is written, for --json
};

struct Answer {
    Generated generated;
    std::string text, reasoning;
};

/// Computes the prompt and generates. Ctrl-C ends the answer with StopReason::cancelled; during the prompt it
/// throws Error (cancelled). The answer is followed by a newline where it lacks one or where a terminal shows
/// it.
Answer answer(Session& session, const Prompt& prompt, const GenerateOptions& options,
              const AnswerStyle& style);

/// Writes an answer's parts where they belong.
class AnswerWriter {
  public:
    explicit AnswerWriter(const AnswerStyle& style);
    void reasoning(std::string_view text);
    void text(std::string_view text);
    /// The end: the fold is closed, the last line ended.
    void finish();

  private:
    using Clock = std::chrono::steady_clock;
    void show_clock();
    void write_text(std::string_view shown);
    void leave_reasoning();

    AnswerStyle style_;
    bool errors_shown_;  // reasoning has a terminal to appear on
    bool output_is_terminal_;
    WordWrap reasoning_wrap_, text_wrap_;
    bool in_reasoning_ = false;
    bool wrote_text_ = false, ends_with_newline_ = false;
    Clock::time_point thinking_since_{}, clock_shown_{};
};

}  // namespace sluice::cli
