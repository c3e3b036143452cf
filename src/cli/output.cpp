#include "cli/output.h"

#include <cerrno>
#include <cstring>
#include <random>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/exit_code.h"
#include "core/descriptor.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

std::filesystem::path temporary_beside(const std::filesystem::path& target) {
    std::random_device random;
    auto name = fmt::format(".{}.{:08x}.tmp", target.filename().string(), random());
    return target.parent_path() / name;
}

}  // namespace

void write_output(std::string_view bytes) {
    const int error = write_all(STDOUT_FILENO, bytes.data(), bytes.size()) ? 0 : errno;
    if (error == EPIPE) throw OutputClosed();
    if (error) fail(ErrorCode::io, "could not write to standard output: {}", std::strerror(error));
}

void write_error(std::string_view text) noexcept {
    write_all(STDERR_FILENO, text.data(), text.size());
}

OutputFile::OutputFile(const std::string& path, Access access) : target_(path), to_output_(path == "-") {
    if (to_output_) return;
    std::error_code ignored;
    if (const auto real = std::filesystem::canonical(target_, ignored); !ignored) target_ = real;
    const auto status = std::filesystem::status(target_, ignored);
    const mode_t mode = access == Access::owner_only ? 0600 : 0666;
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
        temporary_ = temporary_beside(target_);
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd_ < 0) temporary_.clear();
    }
    if (fd_ < 0) fail_io("open");
}

OutputFile::~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::fail_io(std::string_view doing) const {
    fail(ErrorCode::io, "could not {} {}: {}", doing, target_.string(), std::strerror(errno));
}

void OutputFile::write(std::string_view bytes) {
    if (to_output_) return write_output(bytes);
    if (!write_all(fd_, bytes.data(), bytes.size())) fail_io("write");
}

void OutputFile::commit() {
    if (to_output_ || temporary_.empty()) return;
    if (::fsync(fd_) != 0) fail_io("write");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_io("replace");
    temporary_.clear();
    // The new name is safe once its folder is; file systems that cannot sync folders keep it safe anyway.
    const auto folder = target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        ::fsync(fd);
        ::close(fd);
    }
}

}  // namespace sluice::cli
