// The prompt of a chat in a terminal: editing, history and UTF-8 by libedit; signals by us, so that Ctrl-C
// clears a line, or leaves when there is none.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/history.h"

namespace sluice::cli {

class LineEditor {
  public:
    LineEditor();
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    enum class Ended { line, end_of_input, interrupted };
    struct Line {
        Ended ended = Ended::line;
        std::string text;  // without its newline; what had been typed when it was interrupted
    };
    /// One line after `prompt` (bold where styles are) and a space.
    Line read(const std::string& prompt);
    /// Remembers a turn, for this chat and the next ones.
    void remember(const std::string& turn);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::cli
