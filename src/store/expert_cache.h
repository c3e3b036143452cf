// The RAM tier of the routed experts: slots under one budget, filled by direct reads, emptied by a policy.
//
// An expert is in one of three states, and may be pinned in the last two:
//
//   absent    no slot
//   loading   has a slot; reads of its slices are queued or in flight
//   resident  all bytes are there; in the policy's lists unless pinned
//
// Invariants, asserted: a slot belongs to at most one expert; a loading or pinned expert is never a victim; a
// guess takes only a free slot or one that only a guess filled; what is handed out is complete.
//
// So that guesses find room in a full cache, a few slots (guess_room) are kept free or guessed: demands take
// theirs from the demanded. A guess that is demanded becomes one of these, and one of these leaves in its
// place.
//
// Warming (warming.cpp) fills free slots with what earlier runs asked for most, while nothing is demanded:
// the first lease pauses it, resume_warming() lets it go on. What it brought in counts as demanded, by the
// user's earlier work, so that guesses do not evict it.
//
// One lease at a time takes and releases (forward passes take turns); reads are completed by the readers'
// threads. One mutex guards the tables; nothing waits for the drive while holding it.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/memory.h"
#include "kernels/matrix.h"
#include "store/lease.h"
#include "store/policy.h"
#include "store/reader.h"

namespace sluice {

/// One of an expert's three matrices: where it lies in the files.
struct SliceSource {
    uint32_t file = 0;
    uint64_t offset = 0;  // of expert 0's slice; expert e's follows at e * bytes
    uint64_t bytes = 0;
    MatrixView shape{};  // of one expert; its data is filled in when lent
};

/// gate, up, down of one layer's experts. n_experts 0: the layer has none.
struct LayerSource {
    uint32_t n_experts = 0;
    std::array<SliceSource, 3> slices{};
    uint64_t expert_bytes() const { return slices[0].bytes + slices[1].bytes + slices[2].bytes; }
};

struct CacheStats {
    uint64_t hits = 0, misses = 0;  // demanded experts that were resident, or were not
    uint64_t demanded_bytes = 0;    // read because of misses
    uint64_t guesses = 0,
             useful_guesses = 0;             // experts whose reads began on a guess; of them, demanded later
    uint64_t guessed_bytes = 0;              // read for guesses
    double wait_seconds = 0;                 // a lease had nothing to hand out
    uint64_t warmed = 0, warmed_useful = 0;  // experts that warming read; of them, demanded before they left
    uint64_t warmed_bytes = 0;               // read for warming
};

/// What a model's routed experts do at a moment, for those who watch: [layer][expert] of the layers that have
/// some.
struct ExpertHeat {
    uint32_t layers = 0, experts = 0, first_layer = 0;
    std::vector<uint32_t> demands{};   // since the start, modulo 2^32
    std::vector<uint8_t> in_memory{};  // 1 or 0
};

class ExpertCache {
  public:
    /// Bytes of slots: for every expert; and the least that works, the experts that one token uses in a
    /// layer.
    struct Need {
        uint64_t everything = 0, least = 0;
    };
    static Need planned_bytes(const std::vector<LayerSource>& layers, uint64_t alignment, uint32_t n_used);

    /// Room for as many experts as `budget` bytes allow, at most all. files: the paths behind
    /// SliceSource::file, for messages. guess_room: experts that guesses may keep in a cache that is full, at
    /// most an eighth of it. Throws out_of_budget naming the least that works if fewer than `least_slots`
    /// experts fit.
    ExpertCache(std::vector<LayerSource> layers, std::vector<std::string> files, uint64_t budget,
                uint64_t alignment, CachePolicy policy, uint32_t least_slots, uint32_t guess_room = 0);

    /// The readers' destinations (for registered buffers).
    std::span<std::byte> arena() const { return arena_.bytes(); }
    uint64_t bytes() const { return arena_.size(); }
    uint32_t n_slots() const { return uint32_t(slots_.size()); }
    uint32_t n_experts() const { return n_keys_; }
    bool holds_everything() const { return n_slots() == n_keys_; }

    /// Must be called once before anything is asked; the reader's ReadDone must call completed().
    void use(Reader& reader) { reader_ = &reader; }
    void completed(const ReadOutcome& outcome);

    /// Starts reading experts that nobody asked for yet, best first, as far as free slots and stale guesses
    /// allow. drop_stale: guesses made before that have not started are dropped first.
    void guess(uint32_t layer, std::span<const uint32_t> experts, bool drop_stale);
    /// False if everything is here, and for a while after fewer than a quarter of the last guesses came true.
    bool wants_guesses();

    /// demands: of each expert in earlier runs, by key (see first_key()). Starts to read the most used ones
    /// into free slots, a few at a time, in idle drive time; returns at once. It ends when the slots are
    /// full.
    void warm(const std::vector<uint32_t>& demands);
    /// No forward pass is running: what a lease paused goes on.
    void resume_warming();
    /// For good: must be called before the reader goes.
    void stop_warming();
    /// Demands of each expert, by key, since the last call.
    std::vector<uint32_t> take_demands();
    /// Demands since the start and whether it is here, of each expert by key.
    void look(std::vector<uint32_t>& demands, std::vector<uint8_t>& in_memory) const;
    /// The key of a layer's expert 0; the others follow it.
    ExpertKey first_key(uint32_t layer) const { return first_key_[layer]; }

    CacheStats stats() const;
    void forget_stats();

  private:
    friend class ExpertLease;
    static constexpr uint32_t none = UINT32_MAX;

    struct Slot {
        uint64_t offset = 0;  // in the arena, aligned
        ExpertKey key = none;
        uint32_t pins = 0;
        uint8_t landed = 0;       // bit i: slice i is there
        uint8_t outstanding = 0;  // reads not completed
        bool guessed = false;     // only a guess asked for it so far
        bool counted = true;      // in the statistics of guesses
        bool warmed = false;      // warming asked for it first
        bool demanded = true;     // a lease asked for it since (of warmed ones)
        bool inherited = false;   // a lease took it over with reads in flight that it did not ask for
        int error = 0;            // of a read that failed
        uint32_t failed_slice = 0;
        std::array<uint64_t, 3> region{};  // of each slice, from the slot's offset
    };
    /// Layers whose experts need about the same room share slots.
    struct SlotClass {
        uint64_t slot_bytes = 0;
        std::array<uint64_t, 3> region{};
        std::vector<uint32_t> free;
        std::unique_ptr<EvictionPolicy> policy;
        uint32_t n_keys = 0, n_slots = 0;
        uint32_t guess_room = 0;  // slots that demands leave free or guessed
        uint32_t n_guessed = 0;   // slots whose expert only a guess asked for
    };

    static std::vector<SlotClass> plan_classes(const std::vector<LayerSource>& layers, uint64_t alignment,
                                               std::vector<uint32_t>& class_of_layer);
    void make_slots(uint64_t budget, CachePolicy policy, uint32_t least_slots, uint32_t guess_room);
    ExpertKey key_of(uint32_t layer, uint32_t expert) const { return first_key_[layer] + expert; }
    uint32_t layer_of(ExpertKey key) const;
    SlotClass& class_of(ExpertKey key) { return classes_[class_of_layer_[layer_of(key)]]; }
    static constexpr uint8_t all_landed = 7;

    std::optional<uint32_t> take_slot(ExpertKey key, bool for_guess);
    std::optional<ExpertKey> choose_victim(const SlotClass& c, bool for_guess) const;
    void promote(uint32_t slot);
    void queue_reads(uint32_t slot, ReadClass kind, std::vector<ReadRequest>& out);
    void unpin(uint32_t slot);
    void free_slot(uint32_t slot);
    void start_warm_reads(std::vector<ReadRequest>& out);
    void finish_warm_read(uint32_t slot);
    void pause_warming();
    void demand_warmed(Slot& slot);
    ExpertView view(uint32_t slot) const;
    [[noreturn]] void throw_read_error(const Slot& slot) const;

    std::vector<LayerSource> layers_;
    std::vector<std::string> files_;
    uint64_t alignment_;
    std::vector<ExpertKey> first_key_;  // of each layer, and one more
    std::vector<uint32_t> class_of_layer_;
    uint32_t n_keys_ = 0;
    Memory arena_;
    Reader* reader_ = nullptr;

    mutable std::mutex mutex_;
    std::condition_variable landed_;
    std::vector<Slot> slots_;
    std::vector<uint32_t> slot_of_;  // of each key, or none
    std::vector<SlotClass> classes_;
    std::vector<uint32_t> demands_;      // of each key, since take_demands()
    std::vector<uint32_t> all_demands_;  // of each key, ever
    std::deque<ExpertKey> to_warm_;      // most used first
    std::vector<ExpertKey> warm_order_;  // read since warming went on, most used first
    uint32_t warm_in_flight_ = 0;        // experts
    bool warming_ = false;
    CacheStats stats_, judged_;  // judged_: when guesses were last judged
    uint64_t guesses_off_ = 0;   // layers for which no guesses are wanted
};

/// A lease on the cache: hits are handed out first, the rest as its bytes land. Releasing an expert lets its
/// slot hold another one of the same lease, so that a layer with more experts than slots flows through them.
class ExpertLease : public Lease {
  public:
    ExpertLease(ExpertCache& cache, uint32_t layer, std::vector<uint32_t> experts);
    ~ExpertLease() override;
    ExpertLease(const ExpertLease&) = delete;
    ExpertLease& operator=(const ExpertLease&) = delete;

    /// Throws io with file and offset if a read failed: the lease is then good for nothing but destruction.
    Ready take_ready() override;
    ExpertView operator[](uint32_t index) const override;
    void release(uint32_t index) override;

  private:
    enum class Stage : uint8_t { pending, lent, gate_up_taken, all_taken, released };
    struct Entry {
        ExpertKey key;
        uint32_t slot = ExpertCache::none;
        Stage stage = Stage::pending;
    };
    void start_pending(std::vector<ReadRequest>& reads);
    const ExpertCache::Slot* collect(Ready& ready, std::vector<ReadRequest>& reads);

    ExpertCache& cache_;
    std::vector<Entry> entries_;
    std::deque<uint32_t> pending_;  // indices without a slot yet, in file order
    uint32_t taken_ = 0;            // entries handed out whole
};

}  // namespace sluice
