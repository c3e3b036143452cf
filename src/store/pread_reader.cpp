#include "store/pread_reader.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "core/fail.h"

namespace sluice {

DirectFile::DirectFile(const std::filesystem::path& path, bool direct)
    : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0))) {
    if (fd_ < 0)
        fail(ErrorCode::io, "cannot open {}{}: {}", path.string(), direct ? " for direct reads" : "",
             std::strerror(errno));
    if (!direct)
        ::posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM);  // readahead would compete with what is asked for
}

DirectFile::~DirectFile() {
    if (fd_ >= 0) ::close(fd_);
}

DirectFile::DirectFile(DirectFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

PreadReader::PreadReader(std::vector<DirectFile> files, uint32_t threads, uint64_t block_bytes,
                         uint64_t alignment, std::string description, ReadDone done)
    : files_(std::move(files)),
      alignment_(alignment),
      description_(std::move(description)),
      queue_(block_bytes, std::move(done)) {
    for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

PreadReader::~PreadReader() {
    queue_.stop();
    for (auto& t : threads_) t.join();
}

void PreadReader::work() {
    while (const auto block = queue_.pop()) {
        uint64_t done = 0;
        int error = 0;
        while (done < block->dst.size()) {
            const ssize_t n = ::pread(files_[block->file].fd(), block->dst.data() + done,
                                      block->dst.size() - done, off_t(block->offset + done));
            if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (n < 0) error = errno;
            if (n <= 0) break;
            done += uint64_t(n);
            if (done % alignment_) break;  // the end of the file
        }
        queue_.finish(*block, error, done);
    }
}

}  // namespace sluice
