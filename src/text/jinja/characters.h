// Characters of UTF-8 text as Python's str sees them, because chat templates are written against Python:
// len(), [i], strip() and upper() count and classify code points. Bytes that are not UTF-8 count as one
// character each, so that every function here is total over any input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::jinja {

struct Character {
    char32_t code = 0;  // U+FFFD for a byte that is not UTF-8
    uint8_t bytes = 1;
};

/// The character that starts at byte `at`; `at` must lie inside the text.
Character character_at(std::string_view text, size_t at) noexcept;
/// The byte where the character before `end` starts; `end` must be positive.
size_t character_before(std::string_view text, size_t end) noexcept;
size_t count_characters(std::string_view text) noexcept;
/// The byte where character number `index` starts; the text's size if it has fewer.
size_t byte_of_character(std::string_view text, size_t index) noexcept;
/// Appends one code point; surrogates and values beyond Unicode become U+FFFD.
void append_character(std::string& text, char32_t code);

/// Python's str.isspace() for one character.
bool is_space(char32_t code) noexcept;
/// Letters: exact for ASCII and the large alphabets, by block for the others.
bool is_letter(char32_t code) noexcept;
/// Decimal digits of any script, and superscripts (Python's isdigit).
bool is_digit(char32_t code) noexcept;
bool is_upper(char32_t code) noexcept;
bool is_lower(char32_t code) noexcept;
/// False for what repr() must escape: controls, separators other than the space, private use.
bool is_printable(char32_t code) noexcept;
char32_t to_upper(char32_t code) noexcept;
char32_t to_lower(char32_t code) noexcept;

}  // namespace sluice::jinja
