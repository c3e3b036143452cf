// Reads through io_uring: one thread keeps as many blocks in flight as the drive likes. It sleeps in the
// kernel when there is nothing to do; new requests wake it through an eventfd that is itself read by the
// ring.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include <liburing.h>

#include "store/direct_file.h"
#include "store/read_queue.h"

namespace sluice {

class UringReader : public Reader {
  public:
    /// Throws io if the kernel refuses a ring. arena: registered as a buffer if the system allows.
    UringReader(std::vector<DirectFile> files, uint32_t depth, uint64_t block_bytes, uint64_t alignment,
                std::span<std::byte> arena, ReadDone done);
    ~UringReader() override;
    void submit(std::span<const ReadRequest> requests) override;
    void drop_idle() override { queue_.drop_idle(); }
    uint64_t alignment() const override { return alignment_; }
    ReaderStats stats() const override { return queue_.stats(); }
    std::string description() const override { return description_; }

  private:
    /// One block in flight; short reads go on from `done`.
    struct Flight {
        ReadQueue::Block block{};
        uint64_t done = 0;
    };
    void run();
    void start(uint32_t flight);
    void watch_wakeups();
    void complete(uint32_t flight, int result);
    void register_arena();

    std::vector<DirectFile> files_;
    uint32_t depth_;
    uint64_t alignment_;
    std::span<std::byte> arena_;
    bool registered_ = false;
    std::string description_;
    ReadQueue queue_;
    io_uring ring_{};
    int wakeup_ = -1;
    uint64_t wakeup_count_ = 0;  // what the ring reads the eventfd into
    std::vector<Flight> flights_;
    std::vector<uint32_t> free_;
    std::thread thread_;
};

}  // namespace sluice
