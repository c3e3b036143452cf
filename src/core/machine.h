// What this machine has: instruction sets, cores, memory. Read once, shown to the user, never guessed
// silently.
#pragma once

#include <cstdint>
#include <string>

namespace sluice {

/// Instruction sets Sluice has kernels for, from the slowest to the fastest.
enum class Isa { plain, avx2, avx512 };
const char* to_string(Isa isa) noexcept;
/// The best one this CPU and operating system run.
Isa best_isa() noexcept;

/// Physical cores this process may use (its affinity mask and cgroup quota respected), at least 1.
uint32_t available_cores();

/// Bytes this process may still take without swapping: the kernel's MemAvailable or the room under the
/// tightest memory cgroup (v1 or v2), whichever is smaller.
uint64_t available_memory();

/// Peak resident set of this process in bytes.
uint64_t peak_rss();

}  // namespace sluice
