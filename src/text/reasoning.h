// Splits a model's answer, while it streams, into what stands between <think> tags and the answer proper.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

class ReasoningSplitter {
  public:
    struct Piece {
        std::string reasoning, answer;  // either may be empty
    };
    /// starts_inside: the prompt ended with an open <think> (its template wrote it).
    explicit ReasoningSplitter(bool starts_inside);
    /// Adds text; returns what is certain. Text that may be the beginning of a tag is held back. Whitespace
    /// directly after <think>, directly before and after </think> belongs to neither part and is dropped.
    /// Only a tag at the start of the answer opens reasoning; a later one is text.
    Piece push(std::string_view text);
    /// The end of the text: releases what was held (an unfinished tag is text).
    Piece finish();
    bool inside() const { return state_ == State::reasoning; }
    /// The answer proper has begun, or nothing yet.
    bool answering() const { return state_ == State::answer || state_ == State::undecided; }

    /// True if a rendered prompt ends with an open <think> tag, blanks aside.
    static bool prompt_opens_reasoning(std::string_view prompt);
    /// True if it ends with </think>, blanks aside: the answer is not to be thought about.
    static bool prompt_closes_reasoning(std::string_view prompt);

  private:
    enum class State {
        undecided,
        reasoning,
        after,
        answer
    };  // after: between </think> and the answer's first character
    void decide();
    void take_reasoning(Piece& piece);

    State state_;
    bool begun_ = false;  // some reasoning was given out
    std::string held_;
};

}  // namespace sluice
