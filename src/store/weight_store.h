// Where the weights live. The model names what it needs in two groups, because they are used in two ways:
//
//   dense    attention, norms, router, shared expert, embeddings, head: every token uses them; always in
//   memory experts  the routed FFNs: the router asks for a few of a layer at a time, through acquire()
//
// Today both are read into anonymous memory when the store is made (file-backed pages would be evicted under
// pressure and fault back every token). The lease is the interface that streaming from the drive will stand
// behind: what is in memory is handed out first, the rest as its bytes land, so that callers already compute
// in whatever order that is.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/memory.h"
#include "core/thread_pool.h"
#include "format/gguf.h"
#include "kernels/matrix.h"

namespace sluice {

/// The three tensors of one layer's routed experts: shape (width in, width out, n_experts), gate and up
/// alike.
struct ExpertTensors {
    const GgufTensor *gate = nullptr, *up = nullptr, *down = nullptr;
};

/// One routed expert's weights, usable as long as its lease lives.
struct ExpertView {
    MatrixView gate, up, down;
};

/// Experts of one layer, pinned. Destroying it unpins them.
class Lease {
  public:
    /// Indices (into the span that acquire() was given) of experts that are ready and were not handed out
    /// before; waits for at least one. Empty when all were handed out.
    std::vector<uint32_t> take_ready();
    const ExpertView& operator[](uint32_t index) const { return views_[index]; }

  private:
    friend class WeightStore;
    std::vector<ExpertView> views_;
    bool taken_ = false;
};

struct LoadPlan {
    std::vector<const GgufTensor*> dense;
    std::vector<ExpertTensors> experts;  // by layer; null pointers where a layer has none
    uint64_t bytes() const;
};

class WeightStore {
  public:
    /// Reads everything the plan names from the file's shards; on_progress(done, total) is called by this
    /// thread. Throws io with file and offset.
    WeightStore(const GgufFile& file, LoadPlan plan, ThreadPool& pool,
                const std::function<void(uint64_t, uint64_t)>& on_progress);

    /// A dense tensor as one matrix of all its rows (those of a third dimension follow each other). Throws
    /// internal if the plan did not name it.
    MatrixView matrix(const GgufTensor& tensor) const;
    /// A dense float32 vector.
    const float* vector(const GgufTensor& tensor) const;
    /// Experts of a layer, by number; the lease keeps the order of `experts`.
    Lease acquire(uint32_t layer, std::span<const uint32_t> experts) const;

    uint64_t bytes() const { return arena_.size(); }

  private:
    const std::byte* data(const GgufTensor& tensor) const;
    MatrixView expert(const GgufTensor& tensor, uint64_t index) const;

    LoadPlan plan_;
    Memory arena_;
    std::unordered_map<const GgufTensor*, uint64_t> offsets_;  // of each tensor in the arena
};

}  // namespace sluice
