#include "cli/progress.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/terminal.h"
#include "core/sizes.h"

namespace sluice::cli {

namespace {

constexpr double long_seconds = 2;  // what is done sooner is not worth a bar
constexpr double redraw_seconds = 0.1;
constexpr double line_seconds = 5;  // between lines where there is no terminal

std::string bar(double fraction, uint32_t columns) {
    const auto full = uint32_t(fraction * columns);
    std::string s;
    for (uint32_t i = 0; i < columns; ++i) s += i < full ? "█" : "░";
    return s;
}

std::string duration(double seconds) {
    const auto s = uint64_t(seconds + 0.5);
    return s < 60 ? fmt::format("{} s", s) : fmt::format("{}:{:02} min", s / 60, s % 60);
}

}  // namespace

std::string Progress::line(uint64_t done, uint64_t total, double seconds) const {
    const double fraction = total ? std::min(1.0, double(done) / double(total)) : 1;
    const double rate = seconds > 0 ? double(done) / seconds : 0;
    const std::string remaining = rate > 0 ? duration(double(total - std::min(done, total)) / rate) : "?";
    const auto amount = [&](uint64_t n) {
        return unit_ == Unit::bytes ? human_bytes(n) : fmt::format("{} tokens", grouped(n));
    };
    return fmt::format("{} {:3.0f} % of {}, {}/s, {} left", what_, 100 * fraction, amount(total),
                       amount(uint64_t(rate)), remaining);
}

void Progress::update(uint64_t done, uint64_t total) {
    const auto now = Clock::now();
    const double elapsed = std::chrono::duration<double>(now - begin_).count();
    const double since_shown = std::chrono::duration<double>(now - shown_).count();
    const bool redraw = can_redraw(Stream::error);
    const bool first = shown_ == Clock::time_point{};
    // A bar may come early when the rate so far says that the work is long.
    const double whole = done ? elapsed * double(total) / double(done) : 0;
    const bool is_long = elapsed > long_seconds || (redraw && elapsed > 0.3 && whole > long_seconds);
    if (!is_long || done >= total) return;
    if (!first && since_shown < (redraw ? redraw_seconds : line_seconds)) return;
    shown_ = now;
    const std::string text = line(done, total, elapsed);
    if (!redraw) return write_error(text + "\n");
    const uint32_t room = columns(Stream::error);
    constexpr uint32_t bar_width = 24;
    const bool bar_fits = room > text.size() + bar_width + 1;
    const double fraction = double(done) / double(total);
    write_error("\r\033[K" + (bar_fits ? bar(fraction, bar_width) + " " + text : text.substr(0, room - 1)));
    bar_shown_ = true;
}

void Progress::finish() noexcept {
    if (bar_shown_) write_error("\r\033[K");
    bar_shown_ = false;
}

}  // namespace sluice::cli
