// An open file that closes itself, and writing all of something to it.
#pragma once

#include <cerrno>
#include <cstddef>

#include <unistd.h>

namespace sluice {

/// A file descriptor, or -1; closed by its destructor.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

/// Writes n bytes however many calls that takes; false, with errno, if it cannot.
inline bool write_all(int fd, const void* data, size_t n) noexcept {
    const auto* bytes = static_cast<const char*>(data);
    while (n > 0) {
        const ssize_t done = ::write(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = EIO;
        if (done <= 0) return false;
        bytes += done, n -= size_t(done);
    }
    return true;
}

}  // namespace sluice
