// The dense weights: read once at start, at the drive's full rate, into anonymous huge-page memory
// (file-backed pages would be evicted under pressure and fault back every token).
//
// Tensors that follow each other in a file are read as one run. A run's place in memory begins at the same
// offset within an aligned block as in the file, so that direct reads land where the weights are used,
// without a copy.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/memory.h"
#include "format/gguf.h"
#include "store/reader.h"

namespace sluice {

class DenseArena {
  public:
    /// Plans the places; nothing is read. alignment: the reader's.
    DenseArena(const GgufFile& file, std::vector<const GgufTensor*> tensors, uint64_t alignment);

    uint64_t bytes() const { return memory_.size(); }
    /// Bytes of the tensors of a plan in such an arena, before it is made.
    static uint64_t planned_bytes(std::vector<const GgufTensor*> tensors, uint64_t alignment);

    /// Reads everything; on_progress(done, total) is called from this thread. The reader's ReadDone must call
    /// completed(). Throws io naming file and offset.
    void read(Reader& reader, const std::function<void(uint64_t, uint64_t)>& on_progress);
    void completed(const ReadOutcome& outcome);

    /// The tensor's bytes, or nullptr if it is not among the dense ones.
    const std::byte* find(const GgufTensor& tensor) const;

  private:
    struct Run {
        uint32_t shard = 0;
        uint64_t begin = 0, end = 0;  // in the file, aligned
        uint64_t place = 0;           // in memory_
    };
    static std::vector<Run> plan_runs(std::vector<const GgufTensor*>& tensors, uint64_t alignment);

    const GgufFile& file_;
    uint64_t alignment_;
    std::vector<Run> runs_;
    std::unordered_map<const GgufTensor*, uint64_t> places_;
    Memory memory_;

    std::mutex mutex_;
    std::condition_variable landed_;
    std::vector<ReadRequest> requests_;
    uint64_t done_requests_ = 0, done_bytes_ = 0;
    int error_ = 0;
    uint64_t failed_tag_ = 0;
};

}  // namespace sluice
