// A file opened for direct reads (O_DIRECT) or for buffered ones.
#pragma once

#include <filesystem>

namespace sluice {

class DirectFile {
  public:
    /// Throws io with the path and the system's reason.
    DirectFile(const std::filesystem::path& path, bool direct);
    ~DirectFile();
    DirectFile(DirectFile&& other) noexcept;
    DirectFile& operator=(DirectFile&&) = delete;
    int fd() const { return fd_; }

  private:
    int fd_;
};

}  // namespace sluice
