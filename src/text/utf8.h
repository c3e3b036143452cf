// UTF-8 at the edges: model output arrives in pieces that can end inside a character.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

/// Holds back the bytes of an unfinished character, so that what leaves is always whole characters.
/// Bytes that can never become a character leave as U+FFFD each time they are certain to be wrong.
class Utf8Stream {
  public:
    /// Adds bytes; returns all characters that are complete.
    std::string push(std::string_view bytes);
    /// The end: what is still held is returned as U+FFFD (or nothing).
    std::string finish();

  private:
    std::string held_;
};

bool is_valid_utf8(std::string_view text) noexcept;
/// `text` with each maximal invalid sequence replaced by U+FFFD.
std::string sanitize_utf8(std::string_view text);

}  // namespace sluice
