#include "core/sizes.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "core/machine.h"
#include "core/memory.h"

namespace sluice {
namespace {

TEST(Sizes, OverflowIsNothingRatherThanASmallNumber) {
    EXPECT_EQ(checked_mul(6, 7), 42u);
    EXPECT_FALSE(checked_mul(1ull << 33, 1ull << 31));
    EXPECT_FALSE(checked_add(UINT64_MAX, 1));
    EXPECT_EQ(checked_align(33, 32), 64u);
    EXPECT_FALSE(checked_align(UINT64_MAX - 3, 32));
}

TEST(Sizes, HumanBytes) {
    EXPECT_EQ(human_bytes(0), "0 B");
    EXPECT_EQ(human_bytes(999), "999 B");
    EXPECT_EQ(human_bytes(26'054'304), "26.1 MB");
    EXPECT_EQ(human_bytes(212'000'000'000), "212 GB");
    EXPECT_EQ(human_bytes(999'999), "1.00 MB");
}

TEST(Sizes, ParseSize) {
    EXPECT_EQ(parse_size("4096"), 4096u);
    EXPECT_EQ(parse_size("24G"), 24ull << 30);
    EXPECT_EQ(parse_size("512 MiB"), 512ull << 20);
    EXPECT_EQ(parse_size("1.5gb"), 3ull << 29);
    for (const char* bad : {"", "G", "12X", "-1G", "1e40", "nan", "12GG", "0x"})
        EXPECT_THROW(parse_size(bad), Error) << bad;
}

TEST(Memory, IsZeroedMovableAndRefusesWhatCannotBe) {
    Memory m(3 << 20);
    EXPECT_EQ(m.size(), 3u << 20);
    EXPECT_EQ(m.bytes()[12345], std::byte{0});
    m.bytes()[7] = std::byte{9};
    Memory other = std::move(m);
    EXPECT_EQ(other.bytes()[7], std::byte{9});
    EXPECT_EQ(m.data(), nullptr);  // NOLINT: moved-from is empty by contract
    EXPECT_THROW(Memory(1ull << 62), Error);
    EXPECT_THROW(Memory(UINT64_MAX), Error);
    EXPECT_EQ(Memory(0).data(), nullptr);
}

TEST(Machine, SaysSomethingSensible) {
    EXPECT_GE(available_cores().size(), 1u);
    EXPECT_GT(available_memory(), 1u << 20);
    EXPECT_LT(available_memory(), 1ull << 50);
    EXPECT_GT(peak_rss(), 1u << 20);
}

}  // namespace
}  // namespace sluice
