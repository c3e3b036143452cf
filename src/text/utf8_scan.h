// One step through UTF-8 bytes (Unicode 15, table 3-7: well-formed byte sequences).
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

enum class Utf8State { valid, unfinished, invalid };

struct Utf8Scan {
    Utf8State state;
    uint32_t length;     // of the character, or of the maximal invalid part
    uint32_t codepoint;  // if valid
};

/// text: not empty. unfinished: it ends inside what may become a character.
inline Utf8Scan scan_utf8(std::string_view text) {
    const auto byte = [&](size_t i) { return uint32_t(static_cast<unsigned char>(text[i])); };
    const uint32_t b = byte(0);
    if (b < 0x80) return {Utf8State::valid, 1, b};
    if (b < 0xC2 || b > 0xF4) return {Utf8State::invalid, 1, 0};
    const uint32_t n = b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    uint32_t code = b & (0x7Fu >> n);
    for (uint32_t i = 1; i < n; ++i) {
        if (i >= text.size()) return {Utf8State::unfinished, i, 0};
        uint32_t least = 0x80, most = 0xBF;
        if (i == 1) {
            if (b == 0xE0) least = 0xA0;
            if (b == 0xED) most = 0x9F;
            if (b == 0xF0) least = 0x90;
            if (b == 0xF4) most = 0x8F;
        }
        if (byte(i) < least || byte(i) > most) return {Utf8State::invalid, i, 0};
        code = code << 6 | (byte(i) & 0x3F);
    }
    return {Utf8State::valid, n, code};
}

}  // namespace sluice
