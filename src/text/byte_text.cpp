#include "text/byte_text.h"

#include <unordered_map>

#include "text/utf8_scan.h"

namespace sluice {

namespace {

std::array<uint32_t, 256> codepoints() {
    std::array<uint32_t, 256> c{};
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; ++b) {
        const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        c[b] = itself ? b : next++;
    }
    return c;
}

std::array<std::string, 256> make_characters() {
    std::array<std::string, 256> out;
    const auto codes = codepoints();
    for (size_t b = 0; b < 256; ++b) {
        const uint32_t c = codes[b];  // below U+0800
        if (c < 0x80)
            out[b] = char(c);
        else
            out[b] = {char(0xC0 | c >> 6), char(0x80 | (c & 0x3F))};
    }
    return out;
}

std::array<int16_t, 512> make_bytes() {
    std::array<int16_t, 512> out;
    out.fill(-1);
    const auto codes = codepoints();
    for (size_t b = 0; b < 256; ++b) out[codes[b]] = int16_t(b);
    return out;
}

}  // namespace

const std::array<std::string, 256>& byte_characters() {
    static const auto characters = make_characters();
    return characters;
}

std::string bytes_of_text(std::string_view text) {
    static const auto bytes = make_bytes();
    std::string out;
    while (!text.empty()) {
        const Utf8Scan s = scan_utf8(text);
        if (s.state == Utf8State::valid && s.codepoint < bytes.size() && bytes[s.codepoint] >= 0)
            out += char(bytes[s.codepoint]);
        else
            out += text.substr(0, s.length);
        text.remove_prefix(s.length);
    }
    return out;
}

std::string text_of_bytes(std::string_view bytes) {
    std::string out;
    for (const char b : bytes) out += byte_characters()[static_cast<uint8_t>(b)];
    return out;
}

}  // namespace sluice
