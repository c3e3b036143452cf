// When an engine's routing is remembered and put to use: the file is read and the cache warmed at start; it
// is written when the engine closes, and after answers every few minutes, so that a crash loses little.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "store/usage.h"
#include "store/weight_store.h"

namespace sluice {

class UsageMemory {
  public:
    /// Reads the file and starts to warm the store. folder: empty for the user's cache folder. What cannot be
    /// read or written becomes a notice. The store must outlive it. save_every: the time between two writes
    /// while answers come.
    UsageMemory(const GgufFile& file, uint32_t n_layers, uint32_t n_experts, const WeightStore& store,
                const std::string& folder, std::vector<std::string>& notices,
                std::chrono::seconds save_every = std::chrono::minutes(3));
    /// Writes what was learnt.
    ~UsageMemory();
    UsageMemory(const UsageMemory&) = delete;
    UsageMemory& operator=(const UsageMemory&) = delete;

    /// An answer has ended: warming goes on; now and then the file is written. From any thread.
    void rest();

  private:
    using Clock = std::chrono::steady_clock;
    void save();

    const WeightStore& store_;
    UsageFile file_;
    std::chrono::seconds save_every_;
    bool writable_ = false;
    std::mutex mutex_;  // of what follows
    UsageCounts counts_;
    Clock::time_point saved_ = Clock::now();
};

}  // namespace sluice
