// Breaks lines between words, for text that streams to a terminal: a word appears when it is complete. Lines
// of code (in a fenced block, or indented by four spaces) and words that fill half a line stay as they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cli {

class WordWrap {
  public:
    /// columns 0: nothing is changed or held back.
    explicit WordWrap(uint32_t columns) : columns_(columns) {}
    /// Adds whole characters; returns what can be shown.
    std::string push(std::string_view text);
    /// The end: the word in progress.
    std::string finish();

  private:
    void take(std::string_view character, std::string& out);
    void end_word(std::string& out);
    void begin_line();
    bool is_code() const {
        return in_code_ || line_head_.starts_with("    ") || line_head_.starts_with("```");
    }

    uint32_t columns_;
    uint32_t column_ = 0;  // of the cursor
    std::string word_;     // held back
    uint32_t word_width_ = 0;
    uint32_t spaces_ = 0;    // before the word, not shown yet: none end a broken line
    std::string line_head_;  // the first bytes of the line, to know code by
    bool in_code_ = false;   // between ``` lines
};

/// Terminal columns of a UTF-8 character: 2 for East Asian wide ones and emoji, 0 for combining marks.
uint32_t character_width(std::string_view character);

}  // namespace sluice::cli
