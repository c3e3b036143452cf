// Anonymous memory for weights, caches and scratch: page aligned, zeroed by the kernel on first touch, in
// huge pages where the system allows. Move-only; freed by its destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

class Memory {
  public:
    Memory() = default;
    /// Throws out_of_budget with the size if the system refuses. 0 bytes is an empty block.
    explicit Memory(uint64_t bytes);
    /// The same without rounding up to whole huge pages: for many blocks of a few MB each.
    static Memory exact(uint64_t bytes);
    /// For a block that all cores read, before anything is written to it: its pages are dealt out in turns
    /// over the memory of all sockets (NUMA nodes), so that no socket's is the bottleneck. Nothing on
    /// machines with one.
    void spread_over_sockets() const;
    ~Memory() { release(); }
    Memory(Memory&& other) noexcept;
    Memory& operator=(Memory&& other) noexcept;

    std::byte* data() const { return data_; }
    uint64_t size() const { return size_; }
    std::span<std::byte> bytes() const { return {data_, size_}; }
    float* floats() const { return reinterpret_cast<float*>(data_); }

  private:
    Memory(uint64_t bytes, uint64_t granule);
    void release() noexcept;
    std::byte* data_ = nullptr;
    uint64_t size_ = 0;    // asked for
    uint64_t mapped_ = 0;  // taken from the system
};

}  // namespace sluice
