#include "store/watched_files.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include "core/fail.h"

namespace sluice {

WatchedFiles::WatchedFiles(const std::vector<std::filesystem::path>& paths) {
    for (const auto& path : paths) {
        ReadFile file(path);
        const State state = state_of(file);
        files_.push_back({std::move(file), state});
    }
}

WatchedFiles::State WatchedFiles::state_of(const ReadFile& file) {
    struct stat s;
    if (::fstat(file.fd(), &s) != 0)
        fail(ErrorCode::io, "cannot ask for the state of {}: {}", file.path().string(), std::strerror(errno));
    return {s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
}

std::pair<WatchedFiles::Change, std::filesystem::path> WatchedFiles::change() const {
    for (const auto& [file, state] : files_) {
        const State now = state_of(file);
        if (now != state) return {now.bytes < state.bytes ? Change::cut : Change::written, file.path()};
    }
    return {Change::none, {}};
}

}  // namespace sluice
