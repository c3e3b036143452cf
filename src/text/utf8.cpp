#include "text/utf8.h"

#include "text/utf8_scan.h"

namespace sluice {

namespace {
constexpr std::string_view replacement = "\xEF\xBF\xBD";
}

std::string Utf8Stream::push(std::string_view bytes) {
    held_ += bytes;
    std::string out;
    size_t at = 0;
    while (at < held_.size()) {
        const Utf8Scan s = scan_utf8(std::string_view(held_).substr(at));
        if (s.state == Utf8State::unfinished) break;
        if (s.state == Utf8State::valid)
            out.append(held_, at, s.length);
        else
            out += replacement;
        at += s.length;
    }
    held_.erase(0, at);
    return out;
}

std::string Utf8Stream::finish() {
    const bool rest = !held_.empty();
    held_.clear();
    return rest ? std::string(replacement) : std::string();
}

bool is_valid_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const Utf8Scan s = scan_utf8(text);
        if (s.state != Utf8State::valid) return false;
        text.remove_prefix(s.length);
    }
    return true;
}

std::string sanitize_utf8(std::string_view text) {
    Utf8Stream stream;
    std::string out = stream.push(text);
    return out + stream.finish();
}

}  // namespace sluice
