// Requests waiting to be read, split into blocks: what all readers share. Thread-safe.
//
// Demanded blocks are handed out in the order they were queued. Idle blocks are handed out only while no
// demanded block is queued or in flight, and few at a time, so that a demand never waits for more than those.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "store/reader.h"

namespace sluice {

class ReadQueue {
    /// A request and how much of it was handed out and finished. Owned by the queue until its last block is
    /// handed out, then by its blocks.
    struct Request {
        ReadRequest asked;
        uint64_t handed_out = 0, finished = 0;  // bytes of asked.dst
        uint64_t bytes = 0;                     // that were read
        int error = 0;
    };

  public:
    ReadQueue(uint64_t block_bytes, ReadDone done) : block_bytes_(block_bytes), done_(std::move(done)) {}

    struct Block {
        Request* request = nullptr;
        uint32_t file = 0;
        uint64_t offset = 0;
        std::span<std::byte> dst;
    };

    void push(std::span<const ReadRequest> requests);
    /// A block to read now, or nothing.
    std::optional<Block> try_pop();
    /// Waits for one; nothing once stop() was called.
    std::optional<Block> pop();
    /// A block that try_pop() or pop() gave is finished: error 0 or an errno, and the bytes that were read
    /// (fewer only at the end of the file).
    void finish(const Block& block, int error, uint64_t bytes);
    void drop_idle();
    /// Drops everything that was not started; pop() returns nothing from now on.
    void stop();
    bool stopped() const;
    ReaderStats stats() const;

  private:
    static constexpr uint32_t most_idle_in_flight = 4;
    std::optional<Block> next_block();
    void report_dropped(std::deque<std::unique_ptr<Request>>& dropped);

    const uint64_t block_bytes_;
    const ReadDone done_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<Request>> demanded_, idle_;  // with blocks that were not handed out
    uint32_t demanded_in_flight_ = 0, idle_in_flight_ = 0;
    bool stop_ = false;
    ReaderStats stats_;
    double busy_since_ = 0;
};

}  // namespace sluice
