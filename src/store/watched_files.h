// The model's files, held open to notice that somebody changes them while they are in use: experts read
// before and after such a change do not belong together, and no checksum says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "store/file.h"

namespace sluice {

class WatchedFiles {
  public:
    /// Throws io if a file cannot be opened.
    explicit WatchedFiles(const std::vector<std::filesystem::path>& paths);
    enum class Change { none, cut, written };
    /// Whether a file's size or time of modification is not what it was, and which file. cut: one is shorter,
    /// what was read of it before was right. A file that was deleted, or replaced by another of its name, is
    /// still the one that was opened.
    std::pair<Change, std::filesystem::path> change() const;

  private:
    struct State {
        int64_t bytes = 0, seconds = 0, nanoseconds = 0;
        bool operator==(const State&) const = default;
    };
    struct Watched {
        ReadFile file;
        State state;
    };
    static State state_of(const ReadFile& file);
    std::vector<Watched> files_;
};

}  // namespace sluice
