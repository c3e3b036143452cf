#include "core/memory.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/mman.h>

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
