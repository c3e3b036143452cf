// What one forward pass computes: runs of new tokens, each for a sequence with its own KV cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/memory.h"
#include "kernels/matrix.h"
#include "model/kv_cache.h"

namespace sluice {

enum class WantLogits { none, last, all };

/// Tokens that follow those in a cache. Two segments of a batch never share a cache.
struct Segment {
    KvCache* cache = nullptr;
    std::span<const int32_t> tokens{};
    WantLogits logits = WantLogits::last;
    float* hidden_sum = nullptr;  // (n_embd), or none: the normed last hidden state of each token is added
};

/// Float rows that live from one pass to the next and grow to the largest batch seen.
class Buffer {
  public:
    /// (n, width), contents undefined.
    Rows rows(uint64_t n, uint64_t width) {
        if (memory_.size() < n * width * sizeof(float)) {
            memory_ = Memory();  // give back before taking more
            memory_ = Memory(n * width * sizeof(float));
        }
        return {memory_.floats(), width};
    }
    uint64_t bytes() const { return memory_.size(); }

  private:
    Memory memory_;
};

/// The tokens of all segments in one row, with what each layer needs to know of them.
struct Batch {
    std::span<const Segment> segments{};
    uint32_t n = 0;                 // tokens
    std::vector<uint32_t> first{};  // of each segment, its first token's index
    Rows angles{};                  // (n, rope angles)
};

}  // namespace sluice
