// A file opened for reading at offsets, by any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace sluice {

class ReadFile {
  public:
    /// Throws io with the path and the system's reason.
    explicit ReadFile(std::filesystem::path path);
    ~ReadFile();
    ReadFile(ReadFile&& other) noexcept;
    ReadFile& operator=(ReadFile&&) = delete;

    /// Fills `out` from `offset`: goes on after short reads and signals. Throws io naming file and offset on
    /// an error and at the end of the file (it has shrunk since it was opened).
    void read(uint64_t offset, std::span<std::byte> out) const;
    const std::filesystem::path& path() const { return path_; }
    int fd() const { return fd_; }

  private:
    std::filesystem::path path_;
    int fd_ = -1;
};

}  // namespace sluice
