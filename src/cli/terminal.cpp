#include "cli/terminal.h"

#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sluice::cli {

bool is_terminal(Stream stream) noexcept {
    return isatty(int(stream)) == 1;
}

bool can_redraw(Stream stream) noexcept {
    const char* term = std::getenv("TERM");
    return is_terminal(stream) && term && *term && std::string_view(term) != "dumb";
}

bool can_style(Stream stream) noexcept {
    const char* no_color = std::getenv("NO_COLOR");
    return can_redraw(stream) && !(no_color && *no_color);
}

uint32_t columns(Stream stream) noexcept {
    winsize size{};
    if (ioctl(int(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

std::string dim(std::string_view text, Stream stream) {
    return can_style(stream) ? fmt::format("\033[2m{}\033[0m", text) : std::string(text);
}
std::string bold(std::string_view text, Stream stream) {
    return can_style(stream) ? fmt::format("\033[1m{}\033[0m", text) : std::string(text);
}

std::string terminal_safe(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
        if (c == 0x7f) {
            safe += "^?";
        } else if (c < 0x20 && c != '\n' && c != '\t') {
            safe += '^';
            safe += char(c + 0x40);
        } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F in UTF-8
            safe += fmt::format("\\x{:02x}", next);
            ++i;
        } else {
            safe += char(c);
        }
    }
    return safe;
}

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : terminal_safe(text)) {
        if (c == '\n')
            line += "\\n";
        else if (c == '\t')
            line += "\\t";
        else
            line += c;
    }
    return line;
}

std::string grouped(uint64_t number) {
    std::string digits = std::to_string(number);
    for (size_t i = digits.size(); i > 3;) digits.insert(i -= 3, ",");
    return digits;
}

}  // namespace sluice::cli
