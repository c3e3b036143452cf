// Reads with pread on a pool of threads: direct, or through the kernel's page cache.
#pragma once

#include <thread>
#include <vector>

#include "store/direct_file.h"
#include "store/read_queue.h"

namespace sluice {

class PreadReader : public Reader {
  public:
    PreadReader(std::vector<DirectFile> files, uint32_t threads, uint64_t block_bytes, uint64_t alignment,
                std::string description, ReadDone done);
    ~PreadReader() override;
    void submit(std::span<const ReadRequest> requests) override { queue_.push(requests); }
    void drop_idle() override { queue_.drop_idle(); }
    uint64_t alignment() const override { return alignment_; }
    ReaderStats stats() const override { return queue_.stats(); }
    std::string description() const override { return description_; }

  private:
    void work();
    std::vector<DirectFile> files_;
    uint64_t alignment_;
    std::string description_;
    ReadQueue queue_;
    std::vector<std::thread> threads_;
};

}  // namespace sluice
