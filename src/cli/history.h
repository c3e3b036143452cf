// What was typed in earlier chats, in $XDG_STATE_HOME/sluice/history (else ~/.local/state): one JSON string a
// line, readable by its owner alone. Several chats may add at once; a file that has grown long is replaced by
// its tail.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::cli {

class History {
  public:
    History();
    /// Oldest first. Lines that are no JSON string are skipped.
    std::vector<std::string> load();
    /// Problems are ignored: a chat does not end because its history cannot be kept. Texts that begin with a
    /// space are not kept.
    void add(const std::string& text) noexcept;

  private:
    std::filesystem::path path_;  // empty: there is nowhere to keep it
};

}  // namespace sluice::cli
