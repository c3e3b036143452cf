// Several drives that hold copies of the same files, read as one: each request goes to the drive that will
// have it first, by what is queued there and the rate it has shown. A drive whose read fails is dropped with
// a notice, and the read is repeated on another; only if no drive has the bytes does the request fail.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/reader.h"

namespace sluice {

/// One drive: a folder's name for messages, and which of the set's files it has.
struct DriveFiles {
    std::string name;
    std::vector<uint32_t> files;               // numbers in the set
    std::vector<std::filesystem::path> paths;  // of each of them
};

class DriveSet : public Reader {
  public:
    /// Makes a drive's reader; its requests name files by their place in DriveFiles::files.
    using MakeReader = std::function<std::unique_ptr<Reader>(const DriveFiles&, ReadDone)>;

    /// The first drive has all files. file_sizes: of the set's files, in bytes.
    DriveSet(std::vector<DriveFiles> drives, std::vector<uint64_t> file_sizes, const MakeReader& make,
             ReadDone done);
    ~DriveSet() override;

    void submit(std::span<const ReadRequest> requests) override;
    void drop_idle() override;
    uint64_t alignment() const override { return alignment_; }
    ReaderStats stats() const override;
    std::string description() const override;
    std::vector<std::string> take_notices() override;

    /// The drive's files are not what they were: it is not asked again, whatever happens to the others.
    void give_up(uint32_t drive, const std::string& why);
    bool given_up(uint32_t drive) const;

    /// Bytes that each drive has read (tests, figures).
    std::vector<uint64_t> bytes_by_drive() const;

  private:
    struct Drive {
        DriveFiles files;
        std::vector<uint32_t> local;  // number in the drive of each of the set's files, or none
        std::unique_ptr<Reader> reader;
        uint64_t queued = 0, read = 0;  // bytes
        bool dropped = false;           // a read failed: asked only if nobody else is left
        bool given_up = false;
    };
    struct Pending {
        ReadRequest asked;
        uint32_t drive = 0;
        uint64_t tried = 0;  // bit d: drive d failed
    };
    static constexpr uint32_t none = UINT32_MAX;

    uint32_t choose(const ReadRequest& request, uint64_t tried) const;
    void send(uint64_t id, Pending& pending, std::vector<std::vector<ReadRequest>>& by_drive);
    void drop(Drive& drive, const std::string& why);
    void completed(uint32_t drive, const ReadOutcome& outcome);
    bool failed(const Pending& pending, const ReadOutcome& outcome) const;

    std::vector<uint64_t> file_sizes_;
    ReadDone done_;
    uint64_t alignment_ = 1;

    mutable std::mutex mutex_;
    std::condition_variable repeated_;
    std::vector<Drive> drives_;
    std::unordered_map<uint64_t, Pending> pending_;
    uint64_t next_id_ = 0;
    std::vector<std::string> notices_;
    ReaderStats stats_;
    std::chrono::steady_clock::time_point busy_since_{};
    bool ending_ = false;
    uint32_t repeating_ = 0;  // reads being handed to another drive
};

}  // namespace sluice
