#include "text/jinja/characters.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace sluice::jinja {
namespace {

struct Block {
    char32_t first, last;
};

template <size_t N>
bool in_blocks(const std::array<Block, N>& blocks, char32_t code) noexcept {
    const auto after = std::upper_bound(blocks.begin(), blocks.end(), code,
                                        [](char32_t c, const Block& block) { return c < block.first; });
    return after != blocks.begin() && code <= std::prev(after)->last;
}

// Capital letters and the way to their small ones. Pairs alternate: capital, small, capital, small.
enum class Casing : uint8_t { shifted, paired };
struct CaseRange {
    char32_t first, last;  // capitals for `shifted`, both for `paired`
    Casing casing;
    int32_t shift;  // added to a capital
};
constexpr std::array<CaseRange, 33> case_ranges{{
    {0x41, 0x5A, Casing::shifted, 32},     {0xC0, 0xD6, Casing::shifted, 32},
    {0xD8, 0xDE, Casing::shifted, 32},     {0x100, 0x12F, Casing::paired, 1},
    {0x132, 0x137, Casing::paired, 1},     {0x139, 0x148, Casing::paired, 1},
    {0x14A, 0x177, Casing::paired, 1},     {0x178, 0x178, Casing::shifted, -121},
    {0x179, 0x17E, Casing::paired, 1},     {0x1CD, 0x1DC, Casing::paired, 1},
    {0x1DE, 0x1EF, Casing::paired, 1},     {0x1F8, 0x21F, Casing::paired, 1},
    {0x222, 0x233, Casing::paired, 1},     {0x370, 0x373, Casing::paired, 1},
    {0x386, 0x386, Casing::shifted, 38},   {0x388, 0x38A, Casing::shifted, 37},
    {0x38C, 0x38C, Casing::shifted, 64},   {0x38E, 0x38F, Casing::shifted, 63},
    {0x391, 0x3A1, Casing::shifted, 32},   {0x3A3, 0x3AB, Casing::shifted, 32},
    {0x3D8, 0x3EF, Casing::paired, 1},     {0x400, 0x40F, Casing::shifted, 80},
    {0x410, 0x42F, Casing::shifted, 32},   {0x460, 0x481, Casing::paired, 1},
    {0x48A, 0x4BF, Casing::paired, 1},     {0x4C1, 0x4CE, Casing::paired, 1},
    {0x4D0, 0x52F, Casing::paired, 1},     {0x531, 0x556, Casing::shifted, 48},
    {0x1E00, 0x1E95, Casing::paired, 1},   {0x1EA0, 0x1EFF, Casing::paired, 1},
    {0x2160, 0x216F, Casing::shifted, 16}, {0x24B6, 0x24CF, Casing::shifted, 26},
    {0xFF21, 0xFF3A, Casing::shifted, 32},
}};

constexpr std::array<Block, 57> letter_blocks{{
    {0x41, 0x5A},     {0x61, 0x7A},     {0xAA, 0xAA},     {0xB5, 0xB5},     {0xBA, 0xBA},
    {0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2C1},    {0x2C6, 0x2D1},   {0x2E0, 0x2E4},
    {0x370, 0x374},   {0x376, 0x377},   {0x37A, 0x37D},   {0x37F, 0x37F},   {0x386, 0x386},
    {0x388, 0x3F5},   {0x3F7, 0x481},   {0x48A, 0x52F},   {0x531, 0x556},   {0x560, 0x588},
    {0x5D0, 0x5EA},   {0x620, 0x64A},   {0x671, 0x6D3},   {0x6FA, 0x6FC},   {0x904, 0x939},
    {0x958, 0x961},   {0x985, 0x9B9},   {0xA05, 0xA39},   {0xA85, 0xAB9},   {0xB05, 0xB39},
    {0xB83, 0xBB9},   {0xC05, 0xC39},   {0xC85, 0xCB9},   {0xD05, 0xD3A},   {0xE01, 0xE30},
    {0xE81, 0xEB0},   {0xF40, 0xF6C},   {0x1000, 0x102A}, {0x10A0, 0x10FF}, {0x1100, 0x135A},
    {0x13A0, 0x16EA}, {0x1780, 0x17B3}, {0x1820, 0x1878}, {0x1D00, 0x1DBF}, {0x1E00, 0x1FBC},
    {0x2C00, 0x2CE4}, {0x3041, 0x3096}, {0x30A1, 0x30FA}, {0x30FC, 0x30FF}, {0x3105, 0x318E},
    {0x3400, 0x4DBF}, {0x4E00, 0xA48C}, {0xAC00, 0xD7A3}, {0xF900, 0xFAD9}, {0xFF21, 0xFF3A},
    {0xFF41, 0xFF5A}, {0xFF66, 0xFFDC},
}};
constexpr Block supplementary_ideographs{0x20000, 0x323AF};

constexpr std::array<Block, 20> digit_blocks{{
    {0x30, 0x39},   {0xB2, 0xB3},   {0xB9, 0xB9},     {0x660, 0x669},   {0x6F0, 0x6F9},
    {0x7C0, 0x7C9}, {0x966, 0x96F}, {0x9E6, 0x9EF},   {0xA66, 0xA6F},   {0xAE6, 0xAEF},
    {0xB66, 0xB6F}, {0xBE6, 0xBEF}, {0xC66, 0xC6F},   {0xCE6, 0xCEF},   {0xD66, 0xD6F},
    {0xE50, 0xE59}, {0xED0, 0xED9}, {0x2070, 0x2070}, {0x2074, 0x2089}, {0xFF10, 0xFF19},
}};

constexpr std::array<Block, 10> space_blocks{{
    {0x9, 0xD},
    {0x1C, 0x20},
    {0x85, 0x85},
    {0xA0, 0xA0},
    {0x1680, 0x1680},
    {0x2000, 0x200A},
    {0x2028, 0x2029},
    {0x202F, 0x202F},
    {0x205F, 0x205F},
    {0x3000, 0x3000},
}};

constexpr std::array<Block, 15> unprintable{{
    {0x0, 0x1F},
    {0x7F, 0xA0},
    {0xAD, 0xAD},
    {0x600, 0x605},
    {0x61C, 0x61C},
    {0x6DD, 0x6DD},
    {0x1680, 0x1680},
    {0x180E, 0x180E},
    {0x2000, 0x200F},
    {0x2028, 0x202F},
    {0x205F, 0x206F},
    {0x3000, 0x3000},
    {0xD800, 0xF8FF},
    {0xFEFF, 0xFEFF},
    {0xFFF0, 0xFFFB},
}};

}  // namespace

Character character_at(std::string_view text, size_t at) noexcept {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
    const uint8_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    const Character wrong{0xFFFD, 1};
    const uint8_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) return wrong;
    char32_t code = lead & (0x7F >> length);
    for (uint8_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return wrong;
        code = code << 6 | (byte(i) & 0x3F);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return wrong;
    return {code, length};
}

size_t character_before(std::string_view text, size_t end) noexcept {
    // A whole character of n bytes ends here if reading it from n bytes back reaches exactly `end`.
    for (size_t n = 2; n <= 4 && n <= end; ++n) {
        if (character_at(text.substr(0, end), end - n).bytes == n) return end - n;
    }
    return end - 1;
}

size_t count_characters(std::string_view text) noexcept {
    size_t count = 0;
    for (size_t at = 0; at < text.size(); ++count) at += character_at(text, at).bytes;
    return count;
}

size_t byte_of_character(std::string_view text, size_t index) noexcept {
    size_t at = 0;
    for (; index > 0 && at < text.size(); --index) at += character_at(text, at).bytes;
    return at;
}

void append_character(std::string& text, char32_t code) {
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

bool is_space(char32_t code) noexcept {
    return in_blocks(space_blocks, code);
}

bool is_letter(char32_t code) noexcept {
    return in_blocks(letter_blocks, code) ||
           (code >= supplementary_ideographs.first && code <= supplementary_ideographs.last);
}

bool is_digit(char32_t code) noexcept {
    return in_blocks(digit_blocks, code);
}

bool is_upper(char32_t code) noexcept {
    return to_lower(code) != code;
}

bool is_lower(char32_t code) noexcept {
    return code == 0xDF || to_upper(code) != code;
}

bool is_printable(char32_t code) noexcept {
    return code < 0xE0000 && !in_blocks(unprintable, code);
}

char32_t to_lower(char32_t code) noexcept {
    for (const CaseRange& range : case_ranges) {
        if (code < range.first) continue;
        if (code > range.last) continue;
        if (range.casing == Casing::paired && (code - range.first) % 2 != 0) return code;
        return static_cast<char32_t>(static_cast<int32_t>(code) + range.shift);
    }
    return code;
}

char32_t to_upper(char32_t code) noexcept {
    switch (code) {  // small letters that are no range's partner
        case 0xB5:
            return 0x39C;
        case 0x131:
            return 'I';
        case 0x17F:
            return 'S';
        case 0x3C2:
            return 0x3A3;
        default:
            break;
    }
    for (const CaseRange& range : case_ranges) {
        if (range.casing == Casing::paired) {
            if (code >= range.first && code <= range.last && (code - range.first) % 2 != 0) return code - 1;
            continue;
        }
        const auto capital = static_cast<char32_t>(static_cast<int32_t>(code) - range.shift);
        if (capital >= range.first && capital <= range.last) return capital;
    }
    return code;
}

}  // namespace sluice::jinja
