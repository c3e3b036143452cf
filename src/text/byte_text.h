// How byte-level BPE writes bytes in its vocabulary: printable Latin-1 as itself, the rest as characters from
// U+0100 on (Radford et al. 2019, bytes_to_unicode).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

/// The character, in UTF-8, that stands for a byte.
const std::array<std::string, 256>& byte_characters();
/// The bytes that a vocabulary entry stands for; characters that stand for no byte are kept as they are.
std::string bytes_of_text(std::string_view text);
/// The vocabulary's way to write bytes.
std::string text_of_bytes(std::string_view bytes);

}  // namespace sluice
