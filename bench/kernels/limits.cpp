#include "limits.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <vector>

#include "core/memory.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sluice::bench {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
}

constexpr uint64_t line = 64;

/// Reads lines [0, n) and returns something that depends on all of them. Asks for lines `Ahead`, into the
/// second-level cache or (Level 3) the first, where fewer requests can be on their way.
template <uint64_t Ahead, int Level>
uint64_t read_lines(const std::byte* p, uint64_t n) {
    typedef uint64_t Words __attribute__((vector_size(32)));
    Words sums[4] = {};
    const auto* w = reinterpret_cast<const Words*>(p);
    for (uint64_t i = 0; i + 2 <= n; i += 2) {
        if constexpr (Ahead > 0) __builtin_prefetch(p + (i + Ahead) * line, 0, Level);
        if constexpr (Ahead > 0) __builtin_prefetch(p + (i + Ahead + 1) * line, 0, Level);
        for (int j = 0; j < 4; ++j) sums[j] ^= w[2 * i + uint64_t(j)];
    }
    const Words all = sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
    return all[0] ^ all[1] ^ all[2] ^ all[3];
}

constexpr uint64_t rounds = 1 << 22;

#if defined(__x86_64__)
constexpr int chains = 12;  // more than the latency of one times the ports

#define SLUICE_BYTES_LOOP(Vector, Zero, Instruction)                              \
    Vector acc[chains];                                                           \
    for (auto& a : acc) a = Zero();                                               \
    Vector x = Zero(), y = Zero();                                                \
    asm volatile("" : "+v"(x), "+v"(y));                                          \
    for (uint64_t i = 0; i < rounds / chains; ++i)                                \
        for (auto& a : acc) asm volatile(Instruction : "+v"(a) : "v"(x), "v"(y)); \
    for (auto& a : acc) asm volatile("" ::"v"(a));

__attribute__((target("avx512f,avx512bw,avx512vnni"))) void multiply_avx512() {
    SLUICE_BYTES_LOOP(__m512i, _mm512_setzero_si512, "vpdpbusd %2, %1, %0")
}
__attribute__((target("avx2,avxvnni"))) void multiply_avxvnni() {
    SLUICE_BYTES_LOOP(__m256i, _mm256_setzero_si256, "%{vex%} vpdpbusd %2, %1, %0")
}
__attribute__((target("avx2"))) void multiply_avx2() {
    // Products of bytes come in pairs of 16 bits, which are then scaled and added.
    __m256i acc[chains / 2];
    for (auto& a : acc) a = _mm256_setzero_si256();
    __m256i x = acc[0], y = x;
    asm volatile("" : "+x"(x), "+x"(y));
    for (uint64_t i = 0; i < rounds / (chains / 2); ++i)
        for (auto& a : acc) {
            __m256i pairs = x;
            asm volatile("vpmaddubsw %1, %0, %0\n\tvpmaddwd %1, %0, %0" : "+x"(pairs) : "x"(y));
            a = _mm256_add_epi32(a, pairs);
        }
    for (auto& a : acc) asm volatile("" ::"x"(a));
}
#undef SLUICE_BYTES_LOOP
#elif defined(__aarch64__)
__attribute__((target("arch=armv8.2-a+dotprod"))) void multiply_neon() {
    int32x4_t acc[12];
    for (auto& a : acc) a = vdupq_n_s32(0);
    int8x16_t x = vdupq_n_s8(0), y = x;
    asm volatile("" : "+w"(x), "+w"(y));
    for (uint64_t i = 0; i < rounds / 12; ++i)
        for (auto& a : acc) asm volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(a) : "w"(x), "w"(y));
    for (auto& a : acc) asm volatile("" ::"w"(a));
}
#endif

/// A loop of `rounds` instructions, and the multiply-adds of each.
struct Multiplier {
    void (*loop)() = nullptr;
    int at_once = 0;
};
Multiplier multiplier(Isa isa) {
    switch (isa) {
#if defined(__x86_64__)
        case Isa::avx512:
            return {multiply_avx512, 64};
        case Isa::avxvnni:
            return {multiply_avxvnni, 32};
        case Isa::avx2:
            return {multiply_avx2, 32};
#elif defined(__aarch64__)
        case Isa::neon:
            return {multiply_neon, 16};
#endif
        default:
            return {};
    }
}

}  // namespace

double read_bandwidth(ThreadPool& pool) {
    constexpr uint64_t bytes = uint64_t(1) << 30, piece = uint64_t(1) << 20;
    Memory block(bytes);
    pool.run(uint32_t(bytes / piece), [&](uint32_t task, uint32_t) {
        std::fill_n(block.data() + task * piece, piece, std::byte(task));
    });
    std::vector<uint64_t> seen(bytes / piece);
    double best = 0;
    constexpr uint64_t (*ways[])(const std::byte*, uint64_t) = {read_lines<0, 3>, read_lines<64, 3>,
                                                                read_lines<128, 2>, read_lines<256, 2>};
    for (int pass = 0; pass < 12; ++pass) {  // which way is fastest differs from one machine to the next
        const auto read = ways[pass % std::size(ways)];
        const auto start = Clock::now();
        pool.run(uint32_t(bytes / piece), [&](uint32_t task, uint32_t) {
            seen[task] += read(block.data() + task * piece, piece / line);
        });
        best = std::max(best, double(bytes) / seconds_since(start));
    }
    return best;
}

double peak_multiply_adds(ThreadPool& pool, Isa isa) {
    const Multiplier m = multiplier(isa);
    if (!m.loop) return 0;
    double best = 0;
    for (int pass = 0; pass < 7; ++pass) {
        const auto start = Clock::now();
        pool.run(pool.size() * 4, [&](uint32_t, uint32_t) { m.loop(); });
        best = std::max(best, double(rounds) * m.at_once * pool.size() * 4 / seconds_since(start));
    }
    return best;
}

}  // namespace sluice::bench
