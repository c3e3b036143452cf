// What the three standard streams are connected to, and text made fit for them: styles only where a terminal
// shows them (NO_COLOR and TERM=dumb are honoured), and no control characters from models or files on a
// terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cli {

enum class Stream { input = 0, output = 1, error = 2 };

bool is_terminal(Stream stream) noexcept;
/// The stream is a terminal that understands escape sequences such as "erase this line".
bool can_redraw(Stream stream) noexcept;
/// Styles are wanted on this stream.
bool can_style(Stream stream) noexcept;
/// Columns of the terminal, 80 if unknown.
uint32_t columns(Stream stream) noexcept;

std::string dim(std::string_view text, Stream stream);
std::string bold(std::string_view text, Stream stream);

/// `text` with the characters that could command a terminal (C0 but newline and tab, DEL, C1) made visible:
/// "^[",
/// "\x9b". Expects whole characters.
std::string terminal_safe(std::string_view text);
/// The same for one line: newlines and tabs too.
std::string one_line(std::string_view text);

/// 4096 as "4,096".
std::string grouped(uint64_t number);

}  // namespace sluice::cli
