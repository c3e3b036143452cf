#include "cli/turn_lines.h"

#include <string_view>
#include <utility>

namespace sluice::cli {

namespace {
constexpr std::string_view fence = "\"\"\"";
}

std::optional<std::string> TurnLines::add(std::string line) {
    if (line.ends_with('\r')) line.pop_back();
    if (in_block_) return add_to_block(line);
    if (!continued_ && line.starts_with(fence)) {
        in_block_ = true;
        return add_to_block(std::string_view(line).substr(fence.size()));
    }
    continued_ = line.ends_with('\\');
    if (continued_) line.back() = '\n';
    text_ += line;
    if (continued_) return {};
    return std::exchange(text_, {});
}

std::optional<std::string> TurnLines::add_to_block(std::string_view line) {
    const bool closes = line.ends_with(fence);
    if (closes) line.remove_suffix(fence.size());
    text_ += line;
    if (!closes) {
        // The opening fence alone on its line begins no empty line.
        if (!text_.empty() || !line.empty()) text_ += '\n';
        return {};
    }
    in_block_ = false;
    if (text_.ends_with('\n')) text_.pop_back();
    return std::exchange(text_, {});
}

std::optional<std::string> TurnLines::finish() {
    if (!pending()) return {};
    std::string text = std::exchange(text_, {});
    clear();
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

void TurnLines::clear() {
    text_.clear();
    in_block_ = continued_ = false;
}

}  // namespace sluice::cli
