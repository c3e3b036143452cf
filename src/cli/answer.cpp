#include "cli/answer.h"

#include "cli/figures.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "text/reasoning.h"

namespace sluice::cli {

AnswerWriter::AnswerWriter(const AnswerStyle& style)
    : style_(style),
      errors_shown_(is_terminal(Stream::error)),
      output_is_terminal_(is_terminal(Stream::output)),
      reasoning_wrap_(errors_shown_ ? columns(Stream::error) : 0),
      text_wrap_(output_is_terminal_ ? columns(Stream::output) : 0) {}

void AnswerWriter::show_clock() {
    const auto now = Clock::now();
    if (!can_redraw(Stream::error) || now - clock_shown_ < std::chrono::milliseconds(100)) return;
    clock_shown_ = now;
    const double seconds = std::chrono::duration<double>(now - thinking_since_).count();
    write_error("\r\033[K" + dim("thinking… " + seconds_text(seconds), Stream::error));
}

void AnswerWriter::reasoning(std::string_view text) {
    if (text.empty() || style_.streaming == Streaming::off) return;
    if (!in_reasoning_) thinking_since_ = Clock::now();
    in_reasoning_ = true;
    if (!errors_shown_) return;
    if (style_.thinking == Thinking::folded) return show_clock();
    if (const std::string shown = reasoning_wrap_.push(terminal_safe(text)); !shown.empty())
        write_error(dim(shown, Stream::error));
}

void AnswerWriter::leave_reasoning() {
    if (!in_reasoning_) return;
    in_reasoning_ = false;
    if (!errors_shown_) return;
    if (style_.thinking == Thinking::shown)
        return write_error(dim(reasoning_wrap_.finish(), Stream::error) + "\n\n");
    const double seconds = std::chrono::duration<double>(Clock::now() - thinking_since_).count();
    const char* begin = can_redraw(Stream::error) ? "\r\033[K" : "";
    write_error(begin + dim("thinking… " + seconds_text(seconds), Stream::error) + "\n");
}

void AnswerWriter::text(std::string_view text) {
    if (text.empty() || style_.streaming == Streaming::off) return;
    leave_reasoning();
    write_text(output_is_terminal_ ? text_wrap_.push(terminal_safe(text)) : std::string(text));
}

void AnswerWriter::write_text(std::string_view shown) {
    if (shown.empty()) return;
    write_output(shown);
    wrote_text_ = true;
    ends_with_newline_ = shown.ends_with('\n');
}

void AnswerWriter::finish() {
    leave_reasoning();
    if (style_.streaming == Streaming::off) return;
    write_text(text_wrap_.finish());
    if (!ends_with_newline_ && (wrote_text_ || !output_is_terminal_)) write_output("\n");
}

Answer answer(Session& session, const Prompt& prompt, const GenerateOptions& options,
              const AnswerStyle& style) {
    const CancelOnInterrupt cancel(session);
    {
        Progress progress("reading the prompt", Progress::Unit::tokens);
        session.prefill(prompt.tokens, [&](uint64_t done, uint64_t total) {
            progress.update(done, total);
            check_interrupt();
        });
    }
    Answer a;
    AnswerWriter writer(style);
    ReasoningSplitter splitter(prompt.opens_reasoning);
    const bool split = style.thinking != Thinking::verbatim;
    const auto take = [&](const ReasoningSplitter::Piece& piece) {
        a.reasoning += piece.reasoning;
        a.text += piece.answer;
        writer.reasoning(piece.reasoning);
        writer.text(piece.answer);
    };
    a.generated = session.generate(options, [&](std::string_view text) {
        take(split ? splitter.push(text) : ReasoningSplitter::Piece{"", std::string(text)});
        return !interrupted();
    });
    if (split) take(splitter.finish());
    writer.finish();
    return a;
}

}  // namespace sluice::cli
