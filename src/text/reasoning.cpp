#include "text/reasoning.h"

#include <algorithm>
#include <utility>

namespace sluice {

namespace {

constexpr std::string_view open_tag = "<think>", close_tag = "</think>", blanks = " \t\r\n";

/// How many bytes at the end of `text` may begin `tag`.
size_t partial_tag(std::string_view text, std::string_view tag) {
    for (size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n)
        if (text.substr(text.size() - n) == tag.substr(0, n)) return n;
    return 0;
}

size_t leading_blanks(std::string_view text) {
    return std::min(text.find_first_not_of(blanks), text.size());
}

size_t trailing_blanks(std::string_view text) {
    const size_t last = text.find_last_not_of(blanks);
    return last == std::string_view::npos ? text.size() : text.size() - last - 1;
}

}  // namespace

ReasoningSplitter::ReasoningSplitter(bool starts_inside)
    : state_(starts_inside ? State::reasoning : State::undecided) {}

ReasoningSplitter::Piece ReasoningSplitter::push(std::string_view text) {
    held_ += text;
    Piece piece;
    if (state_ == State::undecided) decide();
    if (state_ == State::reasoning) take_reasoning(piece);
    if (state_ == State::after) {
        held_.erase(0, leading_blanks(held_));
        if (!held_.empty()) state_ = State::answer;
    }
    if (state_ == State::answer) piece.answer += std::exchange(held_, {});
    return piece;
}

/// Only a tag at the very start opens reasoning; anything else is the answer, unchanged.
void ReasoningSplitter::decide() {
    const std::string_view rest = std::string_view(held_).substr(leading_blanks(held_));
    if (rest.starts_with(open_tag)) {
        held_ = std::string(rest.substr(open_tag.size()));
        state_ = State::reasoning;
    } else if (!open_tag.starts_with(rest)) {
        state_ = State::answer;
    }
}

void ReasoningSplitter::take_reasoning(Piece& piece) {
    if (!begun_) held_.erase(0, leading_blanks(held_));
    if (held_.empty()) return;
    const size_t end = held_.find(close_tag);
    if (end != std::string::npos) {
        const size_t n = end - trailing_blanks(std::string_view(held_).substr(0, end));
        piece.reasoning += held_.substr(0, n);
        held_.erase(0, end + close_tag.size());
        state_ = State::after;
        return;
    }
    // Held back: what may begin the tag, and the blanks before it, which would belong to neither part.
    const std::string_view held = held_;
    size_t keep = partial_tag(held, close_tag);
    keep += trailing_blanks(held.substr(0, held.size() - keep));
    piece.reasoning += held.substr(0, held.size() - keep);
    begun_ |= keep < held.size();
    held_.erase(0, held_.size() - keep);
}

ReasoningSplitter::Piece ReasoningSplitter::finish() {
    Piece piece;
    std::string rest = std::exchange(held_, {});
    if (state_ == State::reasoning) {
        rest.resize(rest.size() - trailing_blanks(rest));
        piece.reasoning = std::move(rest);
    } else {
        piece.answer = std::move(rest);
    }
    return piece;
}

bool ReasoningSplitter::prompt_closes_reasoning(std::string_view prompt) {
    return prompt.substr(0, prompt.size() - trailing_blanks(prompt)).ends_with(close_tag);
}

bool ReasoningSplitter::prompt_opens_reasoning(std::string_view prompt) {
    return prompt.substr(0, prompt.size() - trailing_blanks(prompt)).ends_with(open_tag);
}

}  // namespace sluice
