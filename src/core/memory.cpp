#include "core/memory.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

namespace {
constexpr uint64_t page = 4096, huge = 2 << 20;
}

Memory::Memory(uint64_t bytes) : Memory(bytes, bytes >= huge ? huge : page) {}

Memory Memory::exact(uint64_t bytes) {
    return Memory(bytes, page);
}

Memory::Memory(uint64_t bytes, uint64_t granule) : size_(bytes) {
    if (bytes == 0) return;
    const auto rounded = checked_align(bytes, granule);
    void* p = rounded ? mmap(nullptr, *rounded, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                      : MAP_FAILED;
    if (p == MAP_FAILED)
        fail(ErrorCode::out_of_budget,
             "the system refused {} of memory ({}); close other programs or choose a smaller context",
             human_bytes(bytes), std::strerror(rounded ? errno : ENOMEM));
    mapped_ = *rounded;
    if (bytes >= huge) madvise(p, mapped_, MADV_HUGEPAGE);  // advice: a refusal costs speed, nothing else
    data_ = static_cast<std::byte*>(p);
}

namespace {

/// A bit for each of the first 64 NUMA nodes that have memory: lists such as "0-1,4" of the kernel.
uint64_t nodes_with_memory() {
    std::ifstream in("/sys/devices/system/node/has_memory");
    uint64_t nodes = 0;
    for (std::string range; std::getline(in, range, ',');) {
        std::istringstream ends(range);
        uint32_t first = 64, last;
        char dash;
        if (!(ends >> first)) continue;
        if (!(ends >> dash >> last)) last = first;
        for (; first <= last && first < 64; ++first) nodes |= uint64_t(1) << first;
    }
    return nodes;
}

}  // namespace

void Memory::spread_over_sockets() const {
    static const uint64_t nodes = nodes_with_memory();
    constexpr int interleave = 3;  // MPOL_INTERLEAVE of <linux/mempolicy.h>
    if (data_ && (nodes & (nodes - 1)))
        syscall(SYS_mbind, data_, mapped_, interleave, &nodes, 65ul, 0u);  // a refusal costs speed alone
}

Memory::Memory(Memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
    if (this == &other) return *this;
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
    return *this;
}

void Memory::release() noexcept {
    if (data_) munmap(data_, mapped_);
    data_ = nullptr;
}

}  // namespace sluice
