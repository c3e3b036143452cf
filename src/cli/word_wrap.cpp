#include "cli/word_wrap.h"

#include <algorithm>

namespace sluice::cli {

namespace {

uint32_t code_point(std::string_view c) {
    const auto byte = [&](size_t i) { return uint32_t(static_cast<unsigned char>(c[i])); };
    switch (c.size()) {
        case 1:
            return byte(0);
        case 2:
            return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
        case 3:
            return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
        default:
            return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    }
}

/// Bytes of the character at the beginning of valid UTF-8.
size_t character_bytes(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t n = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return std::min(n, text.size());
}

}  // namespace

uint32_t character_width(std::string_view character) {
    const uint32_t c = code_point(character);
    if ((c >= 0x300 && c < 0x370) || c == 0x200b || c == 0x200d || (c >= 0xfe00 && c < 0xfe10)) return 0;
    const bool wide =
        (c >= 0x1100 && c < 0x1160) || (c >= 0x2e80 && c < 0xa4d0) || (c >= 0xac00 && c < 0xd7a4) ||
        (c >= 0xf900 && c < 0xfb00) || (c >= 0xfe30 && c < 0xfe70) || (c >= 0xff00 && c < 0xff61) ||
        (c >= 0x1f300 && c < 0x1f650) || (c >= 0x1f900 && c < 0x1fa00) || (c >= 0x20000 && c < 0x40000);
    return wide ? 2 : 1;
}

void WordWrap::begin_line() {
    if (line_head_.starts_with("```")) in_code_ = !in_code_;
    line_head_.clear();
    column_ = spaces_ = 0;
}

void WordWrap::end_word(std::string& out) {
    if (word_.empty()) return;
    const bool fits = column_ + spaces_ + word_width_ <= columns_;
    const bool breakable = column_ > 0 && spaces_ > 0 && word_width_ <= columns_ && !is_code();
    if (!fits && breakable) {
        out += '\n';
        column_ = 0;
    } else {
        out.append(spaces_, ' ');
        column_ += spaces_;
    }
    out += word_;
    column_ += word_width_;
    if (column_ > columns_) column_ = (column_ - 1) % columns_ + 1;  // the terminal broke it
    spaces_ = word_width_ = 0;
    word_.clear();
}

void WordWrap::take(std::string_view character, std::string& out) {
    if (line_head_.size() < 4) line_head_ += character;
    if (character == " ") {
        end_word(out);
        ++spaces_;
    } else if (character == "\n") {
        if (line_head_.ends_with('\n')) line_head_.pop_back();
        end_word(out);
        out.append(spaces_, ' ');
        out += '\n';
        begin_line();
    } else {
        word_ += character;
        word_width_ += character == "\t" ? 8 : character_width(character);
        // Languages without spaces, long links: shown as they come.
        if (word_width_ > columns_ / 2) end_word(out);
    }
}

std::string WordWrap::push(std::string_view text) {
    if (columns_ == 0) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const size_t n = character_bytes(text);
        take(text.substr(0, n), out);
        text.remove_prefix(n);
    }
    return out;
}

std::string WordWrap::finish() {
    std::string out;
    if (columns_) end_word(out);
    return out;
}

}  // namespace sluice::cli
