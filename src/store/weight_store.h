// Where the weights live. The model names what it needs in two groups, because they are used in two ways:
//
//   dense    attention, norms, router, shared expert, embeddings, head: every token uses them; read once,
//   always in memory experts  the routed FFNs, 97 % of a large model: the router asks for a few of a layer at
//   a time, through acquire();
//            they stay on the drive, and the memory that is left is their cache
//
// A model that fits takes the same path: its cache holds every expert after the first use, or after warm() in
// the background. With --io mmap both groups are the kernel's page cache: the baseline that the rest is
// measured against.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "format/gguf.h"
#include "kernels/matrix.h"
#include "store/dense_arena.h"
#include "store/drive_set.h"
#include "store/expert_cache.h"
#include "store/lease.h"
#include "store/route_trace.h"
#include "store/usage.h"
#include "store/watched_files.h"

namespace sluice {

/// The three tensors of one layer's routed experts: shape (width in, width out, n_experts), gate and up
/// alike.
struct ExpertTensors {
    const GgufTensor *gate = nullptr, *up = nullptr, *down = nullptr;
};

struct LoadPlan {
    std::vector<const GgufTensor*> dense;
    std::vector<ExpertTensors> experts;  // by layer; null pointers where a layer has none
    /// Of the file, both groups.
    uint64_t expert_bytes() const;
};

struct StoreOptions {
    IoMode io = IoMode::automatic;
    CachePolicy policy = CachePolicy::lru;
    bool look_ahead = true;
    std::vector<std::filesystem::path> mirrors{};  // folders with copies of some or all of the files
    std::string route_trace{};                     // a file for what routers choose; empty: none
};

/// Decided before anything is read, so that a budget can be refused with its numbers.
struct StorePlan {
    uint64_t dense_bytes = 0;         // in memory
    uint64_t all_expert_bytes = 0;    // slots for every expert
    uint64_t least_expert_bytes = 0;  // slots for the experts one token uses in a layer: less cannot work
    uint64_t working_set_bytes = 0;   // what one token uses over all layers: below it a cache holds little
};

class WeightStore {
  public:
    /// Opens the readers; nothing is read but what probing needs. n_used: experts of a layer that one token
    /// uses.
    WeightStore(const GgufFile& file, LoadPlan plan, uint32_t n_used, StoreOptions options);
    ~WeightStore();

    const StorePlan& plan() const { return plan_bytes_; }
    /// Reads the dense weights (on_progress(done, total) from this thread) and makes the cache with at most
    /// `expert_budget` bytes. Throws io, out_of_budget.
    void load(uint64_t expert_budget, const std::function<void(uint64_t, uint64_t)>& on_progress);

    /// A dense tensor as one matrix of all its rows (those of a third dimension follow each other). Throws
    /// internal if the plan did not name it.
    MatrixView matrix(const GgufTensor& tensor) const;
    /// A dense float32 vector.
    const float* vector(const GgufTensor& tensor) const;
    /// Experts of a layer, by number, in ascending order; the lease keeps their order.
    std::unique_ptr<Lease> acquire(uint32_t layer, std::vector<uint32_t> experts) const;
    /// Starts reading experts that may be asked for soon, the likeliest first, in idle drive time (see
    /// ExpertCache).
    void guess(uint32_t layer, std::span<const uint32_t> experts) const;
    /// Starts to read what earlier work asked for most, while nothing is demanded and slots are free. usage:
    /// of this model's layers and experts.
    void warm(const UsageCounts& usage) const;
    /// No forward pass is running: warming goes on, if it has not ended.
    void resume_warming() const;
    /// Adds the demands since the last call to `usage`.
    void take_demands(UsageCounts& usage) const;
    ExpertHeat expert_heat() const;
    /// Whether guesses can pay at present.
    bool wants_guesses() const;

    /// Held now: dense weights and cache. With mmap nothing is held: the kernel's page cache is not ours.
    uint64_t bytes() const;
    CacheStats cache_stats() const;
    ReaderStats reader_stats() const;
    /// Bytes a second: the best rate that was seen over a stretch of reading with a deep queue. Loading the
    /// dense weights is the first. 0: not measured (mmap).
    double drive_rate() const { return drive_rate_; }
    /// Experts were read at this rate: the drive's if nothing better was seen, and if it was more than a
    /// burst.
    void saw_rate(uint64_t bytes, double seconds) const;
    uint32_t cached_experts() const { return cache_ ? cache_->n_slots() : 0; }
    uint32_t total_experts() const;
    /// Throws invalid_file if weights still come from the files and somebody changed one since the start.
    void check_unchanged() const;
    /// What happened to the drives since the last call.
    std::vector<std::string> take_notices() const;
    /// "io_uring, direct, depth 32", for the user.
    std::string io_description() const;

  private:
    class Mapping;
    void fill_cache(const std::function<void(uint64_t, uint64_t)>& on_progress);
    std::vector<LayerSource> layer_sources() const;
    uint32_t n_experts(uint32_t layer) const;
    std::unique_ptr<Reader> open_reader(std::span<std::byte> arena, ReadDone done);
    MatrixView shape_of(const GgufTensor& tensor) const;

    const GgufFile& file_;
    LoadPlan plan_;
    uint32_t n_used_;
    StoreOptions options_;
    StorePlan plan_bytes_;
    std::vector<DriveFiles> drives_;     // the model's own folder, and mirrors
    std::vector<WatchedFiles> watched_;  // of each drive
    DriveSet* drive_set_ = nullptr;      // reader_, if there are several drives
    std::unique_ptr<Mapping> mapping_;   // --io mmap
    std::unique_ptr<DenseArena> dense_;
    std::unique_ptr<ExpertCache> cache_;
    std::unique_ptr<Reader> reader_;  // last: its threads use the others
    std::string io_description_;
    uint64_t alignment_ = 1;
    std::unique_ptr<RouteTraceWriter> trace_;
    mutable std::atomic<double> drive_rate_{0};
};

}  // namespace sluice
