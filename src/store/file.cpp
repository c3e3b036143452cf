#include "store/file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/fail.h"

namespace sluice {

ReadFile::ReadFile(std::filesystem::path path)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) fail(ErrorCode::io, "cannot open {}: {}", path_.string(), std::strerror(errno));
}

ReadFile::~ReadFile() {
    if (fd_ >= 0) ::close(fd_);
}

ReadFile::ReadFile(ReadFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

void ReadFile::read(uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd_, out.data(), out.size(), off_t(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            fail(ErrorCode::io, "reading {} bytes of {} at offset {} failed: {}; check the drive", out.size(),
                 path_.string(), offset, std::strerror(errno));
        if (n == 0)
            fail(ErrorCode::io,
                 "expected {} more bytes of {} at offset {}, found the end of the file: it was cut while in "
                 "use",
                 out.size(), path_.string(), offset);
        out = out.subspan(size_t(n));
        offset += uint64_t(n);
    }
}

}  // namespace sluice
