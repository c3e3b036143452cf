#include "core/memory.h"

#include <algorithm>
#include <cstdint>

#include <gtest/gtest.h>

#include "sluice/error.h"

namespace sluice {
namespace {

TEST(Memory, IsZeroedAlignedAndMovable) {
    Memory a(5000);
    EXPECT_EQ(a.size(), 5000u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 4096, 0u);
    EXPECT_TRUE(std::all_of(a.data(), a.data() + 5000, [](std::byte b) { return b == std::byte(0); }));
    a.data()[7] = std::byte(9);
    Memory b = std::move(a);
    EXPECT_EQ(a.data(), nullptr);
    EXPECT_EQ(b.data()[7], std::byte(9));
    EXPECT_EQ(Memory().data(), nullptr);
    EXPECT_EQ(Memory(0).size(), 0u);
}

TEST(Memory, SpreadOverSocketsIsMemoryAllTheSame) {
    Memory a(uint64_t(8) << 20);
    a.spread_over_sockets();
    for (uint64_t i = 0; i < a.size(); i += 4096) a.data()[i] = std::byte(i >> 12);
    for (uint64_t i = 0; i < a.size(); i += 4096) ASSERT_EQ(a.data()[i], std::byte(i >> 12));
    Memory().spread_over_sockets();
}

TEST(Memory, AskingForTooMuchIsAnErrorWithTheSize) {
    for (const uint64_t bytes : {~uint64_t(0), uint64_t(1) << 60}) try {
            Memory a(bytes);
            FAIL();
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), ErrorCode::out_of_budget);
            EXPECT_NE(std::string(e.what()).find("refused"), std::string::npos) << e.what();
        }
}

}  // namespace
}  // namespace sluice
