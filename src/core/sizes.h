// Arithmetic on sizes that come from files: every product and sum is checked, so that a hostile count
// becomes an error and never a small number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice {

/// a * b, or nothing if it does not fit in 64 bits.
inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
    uint64_t r;
    if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
    return r;
}

/// a + b, or nothing if it does not fit in 64 bits.
inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
    uint64_t r;
    if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
    return r;
}

/// x rounded up to a multiple of `to` (a power of two), or nothing if it does not fit.
inline std::optional<uint64_t> checked_align(uint64_t x, uint64_t to) {
    const auto sum = checked_add(x, to - 1);
    if (!sum) return std::nullopt;
    return *sum & ~(to - 1);
}

/// x rounded down, or up where that fits, to a multiple of `to`.
inline uint64_t align_down(uint64_t x, uint64_t to) {
    return x / to * to;
}
inline uint64_t align_up(uint64_t x, uint64_t to) {
    return (x + to - 1) / to * to;
}

/// Bytes for people: "26.1 MB", "212 GB" (powers of 1000, three digits).
std::string human_bytes(uint64_t bytes);

/// Reads "24G", "512M", "1.5GiB", "4096" (binary multiples, as memory is sold). Throws invalid_argument.
uint64_t parse_size(const std::string& text);

}  // namespace sluice
