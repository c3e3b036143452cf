// What this machine has: instruction sets, cores, memory. Read once, shown to the user, never guessed
// silently.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Instruction sets Sluice has kernels for.
enum class Isa {
    plain,    // C++ for any processor
    avx2,     // with FMA, F16C, BMI2: x86-64-v3
    avxvnni,  // AVX2 with products of bytes: processors of Intel without AVX-512 since 2021, AMD's since Zen
              // 5
    avx512,   // F, BW, DQ, VL, VNNI, VBMI, with GFNI: Intel's since Ice Lake, AMD's since Zen 4
    neon,     // 64-bit ARM with products of bytes (dotprod of Armv8.2)
};
const char* to_string(Isa isa) noexcept;
/// Those this CPU and operating system run, from the slowest to the fastest.
std::vector<Isa> available_isas();
/// The last of them.
Isa best_isa();
/// The one of that name, the best if it is empty. Throws invalid_argument naming those available.
Isa parse_isa(std::string_view name);

/// What the processor calls itself, or its architecture ("aarch64") if it does not say.
std::string processor_name();

/// A CPU of each physical core this process may use (its affinity mask and cgroup quota respected), the
/// fastest cores first; at least one.
std::vector<uint32_t> available_cores();

/// Bytes this process may still take without swapping: the kernel's MemAvailable or the room under the
/// tightest memory cgroup (v1 or v2), whichever is smaller.
uint64_t available_memory();

/// Peak resident set of this process in bytes.
uint64_t peak_rss();

}  // namespace sluice
