#include "model/kv_cache.h"

#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "model/rope.h"

namespace sluice {
namespace {

HyperParams r1() {
    HyperParams p;
    p.attention = AttentionKind::mla;
    p.n_layers = 61;
    p.n_heads = 128;
    p.n_kv_heads = 1;
    p.key_width = 192;
    p.value_width = 128;
    p.kv_lora_rank = 512;
    p.rope.dims = 64;
    return p;
}

TEST(KvCache, MlaKeepsTheCompressedFormAndNothingElse) {
    // 576 values for each token and layer, whatever the number of heads.
    EXPECT_EQ(r1().kv_values(), 576u);
    EXPECT_EQ(KvLayout(r1(), KvFormat::f32).bytes_per_token(), 61u * 576 * 4);
    EXPECT_EQ(KvLayout(r1(), KvFormat::f16).bytes_per_token(), 61u * 576 * 2);
    EXPECT_EQ(KvLayout(r1(), KvFormat::q8_0).bytes_per_token(), 61u * 576 / 32 * 34);
}

TEST(KvCache, TakesPagesAsItGrowsAndGivesThemBack) {
    HyperParams p = r1();
    p.n_layers = 2;
    KvCache cache(KvLayout(p, KvFormat::f16), 1000);
    EXPECT_EQ(cache.allocated_bytes(), 0u);
    cache.reserve(1);
    const uint64_t page = cache.allocated_bytes();
    EXPECT_EQ(page, KvCache::page_tokens * cache.layout().bytes_per_token());
    cache.reserve(100);
    cache.grow(100);
    EXPECT_EQ(cache.allocated_bytes(), 2 * page);
    cache.truncate(10);
    EXPECT_EQ(cache.allocated_bytes(), page);
    EXPECT_THROW(cache.reserve(1001), Error);
}

TEST(KvCache, SharesFullPagesAndCopiesTheOneItWillWrite) {
    HyperParams p = r1();
    p.n_layers = 2;
    const KvLayout layout(p, KvFormat::f16);
    KvCache first(layout, 1000);
    first.reserve(150);
    first.grow(150);
    for (uint32_t i = 0; i < 150; ++i)
        for (uint32_t layer = 0; layer < 2; ++layer) *first.key(layer, i, 0) = std::byte(i + layer);
    KvCache second(layout, 1000);
    second.adopt(first.pages(), 140);
    EXPECT_EQ(second.size(), 140u);
    for (uint32_t i = 0; i < 140; ++i)
        for (uint32_t layer = 0; layer < 2; ++layer)
            EXPECT_EQ(*second.key(layer, i, 0), std::byte(i + layer));
    EXPECT_EQ(second.key(0, 127, 0), first.key(0, 127, 0));  // shared
    EXPECT_NE(second.key(0, 128, 0), first.key(0, 128, 0));  // its own
    EXPECT_THROW(second.adopt(first.pages(), 10), Error);    // not empty
    KvCache third(layout, 1000);
    EXPECT_THROW(third.adopt(first.pages(), 193), Error);  // more than the pages hold
}

TEST(KvCache, RowsDoNotOverlap) {
    HyperParams p;
    p.n_layers = 3;
    p.n_heads = 4;
    p.n_kv_heads = 2;
    p.key_width = 24;
    p.value_width = 16;
    KvCache cache(KvLayout(p, KvFormat::q8_0), 600);
    cache.reserve(600);
    std::set<std::byte*> seen;
    for (uint32_t layer = 0; layer < 3; ++layer)
        for (const uint32_t position : {0u, 1u, 255u, 256u, 599u})
            for (uint32_t head = 0; head < 2; ++head) {
                for (uint64_t i = 0; i < cache.layout().key_bytes(); ++i)
                    EXPECT_TRUE(seen.insert(cache.key(layer, position, head) + i).second);
                for (uint64_t i = 0; i < cache.layout().value_bytes(); ++i)
                    EXPECT_TRUE(seen.insert(cache.value(layer, position, head) + i).second);
            }
    for (std::byte* b : seen) *b = std::byte{1};  // all of it is ours (checked under the address sanitizer)
    // The rows of one head follow each other without a gap within a page, because attention reads them so.
    for (uint32_t position = 64; position < 127; ++position)
        for (uint32_t head = 0; head < 2; ++head) {
            EXPECT_EQ(cache.key(1, position + 1, head) - cache.key(1, position, head),
                      ptrdiff_t(cache.layout().key_bytes()));
            EXPECT_EQ(cache.value(1, position + 1, head) - cache.value(1, position, head),
                      ptrdiff_t(cache.layout().value_bytes()));
        }
    EXPECT_EQ(cache.key_stride(), cache.layout().key_bytes());
    EXPECT_EQ(cache.value_stride(), cache.layout().value_bytes());
}

TEST(Rope, YarnKeepsFastPairsAndInterpolatesSlowOnes) {
    RopeParams p;
    p.dims = 64;
    p.base = 10000;
    p.scaling = RopeScaling::yarn;
    p.factor = 40;
    p.original_context = 4096;
    RopeParams plain = p;
    plain.scaling = RopeScaling::none;
    const Rope yarn(p, {}), base(plain, {});
    std::vector<float> a(64), b(64);
    yarn.angles(1, a.data());
    base.angles(1, b.data());
    EXPECT_EQ(a[1], b[1]);                                       // the fastest pair
    EXPECT_NEAR(std::asin(a[63]) * 40, std::asin(b[63]), 1e-6);  // the slowest
}

TEST(Rope, PairsAreNeighboursOrHalves) {
    RopeParams p;
    p.dims = 4;
    const float quarter_turn[] = {0, 1, 1, 0};  // cos, sin of pair 0 (90 degrees) and pair 1 (none)
    float neighbours[] = {1, 2, 3, 4}, halves[] = {1, 2, 3, 4};
    Rope(p, {}).turn(quarter_turn, neighbours);
    p.pairs = RopePairs::halves;
    Rope(p, {}).turn(quarter_turn, halves);
    EXPECT_EQ(std::vector<float>(neighbours, neighbours + 4), (std::vector<float>{-2, 1, 3, 4}));
    EXPECT_EQ(std::vector<float>(halves, halves + 4), (std::vector<float>{-3, 2, 1, 4}));
}

}  // namespace
}  // namespace sluice
