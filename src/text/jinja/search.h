// Substring search that stays linear for hostile texts (std::string::find is quadratic on "aaaa…b" in
// "aaaa…").
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::jinja {

/// Like text.find(wanted, from).
size_t find_bytes(std::string_view text, std::string_view wanted, size_t from = 0) noexcept;
/// Like text.rfind(wanted): the last occurrence.
size_t find_last_bytes(std::string_view text, std::string_view wanted);

}  // namespace sluice::jinja
