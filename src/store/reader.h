// How bytes get from a drive into memory: one interface, several ways. A reader owns its threads; callers
// queue requests and are called back.
//
// Two classes of requests: demanded reads (the router asked) are started in the order they were queued, as
// many in flight as the drive likes; idle reads (guesses, warming) are started only while no demanded read is
// queued or in flight, a few at a time, and can be dropped until they start. An idle read in flight never
// delays a demanded one by more than one block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice {

enum class IoMode { automatic, uring, pread, buffered, mmap };
std::string_view to_string(IoMode mode);
IoMode parse_io_mode(std::string_view text);  // throws invalid_argument naming the choices

enum class ReadClass : uint8_t { demanded, idle };

/// Bytes [offset, offset + dst.size()) of a file into dst. For direct readers offset, size and address are
/// multiples of Reader::alignment(); a read that reaches beyond the end of the file (by less than one
/// alignment) is short and fine.
struct ReadRequest {
    uint32_t file = 0;  // index into the paths the reader was made with
    ReadClass kind = ReadClass::demanded;
    uint64_t offset = 0;
    std::span<std::byte> dst;
    uint64_t tag = 0;  // the caller's; given back on completion
};

struct ReadOutcome {
    uint64_t tag = 0;
    int error = 0;         // errno, or 0. ENODATA: the file ended before the bytes that were needed
    uint64_t bytes = 0;    // read
    bool dropped = false;  // an idle request that was dropped before it started
    ReadClass kind = ReadClass::demanded;  // the request's
};

struct ReaderStats {
    uint64_t bytes = 0, reads = 0;  // completed
    double busy_seconds = 0;        // time during which at least one read was in flight
    double bytes_per_second() const { return busy_seconds > 0 ? double(bytes) / busy_seconds : 0; }
};

class Reader {
  public:
    virtual ~Reader() = default;  // waits for what is in flight, drops the rest
    /// Queues requests; never waits for the drive. `done` (given at creation) is called once for each, from a
    /// thread of the reader, in any order; it must be short and must not throw.
    virtual void submit(std::span<const ReadRequest> requests) = 0;
    /// Drops idle requests that have not started; `done` is called for them with dropped = true.
    virtual void drop_idle() = 0;
    virtual uint64_t alignment() const = 0;
    virtual ReaderStats stats() const = 0;
    /// "io_uring, direct, registered buffers, depth 32": shown to the user.
    virtual std::string description() const = 0;
    /// What the user should know of since the last call: a drive was dropped.
    virtual std::vector<std::string> take_notices() { return {}; }
};

using ReadDone = std::function<void(const ReadOutcome&)>;

struct ReaderOptions {
    IoMode mode = IoMode::automatic;
    uint32_t depth = 0;  // blocks in flight; 0: the mode's default
    uint64_t block_bytes =
        0;  // requests are split into reads of at most this size; 0: the mode's default (about 1 MiB)
    std::span<std::byte> arena;  // where all destinations lie, for registered buffers; may be empty
};

/// What the probe found for the file system that holds a file.
struct IoProbe {
    IoMode mode = IoMode::buffered;  // the best that works and was verified by comparing bytes
    uint64_t alignment =
        512;             // of offset, length and memory for direct reads (statx STATX_DIOALIGN, else probed)
    std::string reason;  // one sentence when direct I/O or io_uring is not used: "tmpfs buffers direct reads
                         // silently"
};
IoProbe probe_io(const std::filesystem::path& file);

/// Opens all files of one drive. mode automatic: the probe decides, and description() says so. A mode asked
/// for by name that does not work is an Error naming the reason and the flag --io.
std::unique_ptr<Reader> make_reader(const std::vector<std::filesystem::path>& files,
                                    const ReaderOptions& options, ReadDone done);

}  // namespace sluice
