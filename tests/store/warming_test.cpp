// Warming, read by read: what it takes, what pauses it, where it ends.
#include <cerrno>
#include <map>

#include <gtest/gtest.h>

#include "store/expert_cache.h"

namespace sluice {
namespace {

/// A reader whose idle reads land when the test says so, and demanded ones at once.
class StagedReader : public Reader {
  public:
    explicit StagedReader(ReadDone done) : done_(std::move(done)) {}
    void submit(std::span<const ReadRequest> requests) override {
        for (const ReadRequest& r : requests)
            if (r.kind == ReadClass::idle)
                waiting_.push_back(r);
            else
                land(r, 0);
    }
    void drop_idle() override {
        std::vector<ReadRequest> dropped;
        dropped.swap(waiting_);
        for (const auto& r : dropped) done_({r.tag, 0, 0, true, r.kind});
    }
    uint64_t alignment() const override { return 1; }
    ReaderStats stats() const override { return {}; }
    std::string description() const override { return "staged"; }

    size_t waiting() const { return waiting_.size(); }
    /// Lands the oldest n reads, or fails them.
    void land(size_t n, int error = 0) {
        for (; n > 0 && !waiting_.empty(); --n) {
            const ReadRequest r = waiting_.front();
            waiting_.erase(waiting_.begin());
            land(r, error);
        }
    }
    void land_all() {
        while (waiting() > 0) land(1);
    }
    std::vector<uint64_t> order;  // file offsets, as they landed

  private:
    void land(const ReadRequest& r, int error) {
        order.push_back(r.offset);
        done_({r.tag, error, error ? 0 : r.dst.size(), false, r.kind});
    }
    ReadDone done_;
    std::vector<ReadRequest> waiting_;
};

constexpr uint64_t slice = 64;
constexpr uint32_t warmed_layers = 2, experts_each = 8;

std::vector<LayerSource> two_layers() {
    std::vector<LayerSource> layers(warmed_layers);
    uint64_t at = 0;
    for (auto& l : layers) {
        l.n_experts = experts_each;
        for (auto& s : l.slices) s = {0, at, slice, {}}, at += slice * experts_each;
    }
    return layers;
}

class Warming : public testing::TestWithParam<CachePolicy> {
  protected:
    static constexpr uint64_t slot_bytes = 3 * (slice + 1);
    void make(uint32_t n_slots, uint32_t guess_room = 0) {
        cache = std::make_unique<ExpertCache>(two_layers(), std::vector<std::string>{"file"},
                                              n_slots * slot_bytes, 1, GetParam(), 1, guess_room);
        ASSERT_EQ(cache->n_slots(), n_slots);
        reader = std::make_unique<StagedReader>([this](const ReadOutcome& o) { cache->completed(o); });
        cache->use(*reader);
    }
    /// Computes with experts of a layer as a forward pass does.
    void demand(uint32_t layer, std::vector<uint32_t> experts) {
        ExpertLease lease(*cache, layer, std::move(experts));
        for (auto ready = lease.take_ready(); !ready.empty(); ready = lease.take_ready())
            for (const uint32_t i : ready.down) lease.release(i);
    }
    bool is_hit(uint32_t layer, uint32_t expert) {
        const uint64_t before = cache->stats().hits;
        demand(layer, {expert});
        return cache->stats().hits > before;
    }
    static std::vector<uint32_t> demands(const std::map<std::pair<uint32_t, uint32_t>, uint32_t>& of) {
        std::vector<uint32_t> all(warmed_layers * experts_each);
        for (const auto& [key, n] : of) all[key.first * experts_each + key.second] = n;
        return all;
    }
    std::unique_ptr<ExpertCache> cache;
    std::unique_ptr<StagedReader> reader;
};

TEST_P(Warming, ReadsTheMostUsedFirstUntilTheSlotsAreFull) {
    make(6);
    std::vector<uint32_t> used(warmed_layers * experts_each);
    for (uint32_t key = 0; key < used.size(); ++key) used[key] = 100 - key;
    cache->warm(used);
    EXPECT_LE(reader->waiting(), 12u) << "a few experts at a time";
    reader->land_all();
    EXPECT_EQ(reader->order.size(), 6u * 3);
    EXPECT_EQ(cache->stats().warmed, 6u);
    EXPECT_EQ(cache->stats().warmed_bytes, 6 * 3 * slice);
    EXPECT_EQ(cache->stats().guesses, 0u);
    EXPECT_EQ(cache->stats().guessed_bytes, 0u);
    cache->resume_warming();
    EXPECT_EQ(reader->waiting(), 0u);
    for (uint32_t e = 0; e < 6; ++e) EXPECT_TRUE(is_hit(0, e)) << e;
    EXPECT_EQ(cache->stats().warmed_useful, 6u);
}

TEST_P(Warming, UnusedExpertsAreNotRead) {
    make(8);
    cache->warm(demands({{{0, 3}, 5}, {{1, 2}, 5}}));
    reader->land_all();
    EXPECT_EQ(cache->stats().warmed, 2u);
    EXPECT_TRUE(is_hit(0, 3));
    EXPECT_TRUE(is_hit(1, 2));
}

TEST_P(Warming, LayersTakeTurnsAmongEquals) {
    make(4);
    cache->warm(std::vector<uint32_t>(warmed_layers * experts_each, 7));
    reader->land_all();
    for (uint32_t layer = 0; layer < warmed_layers; ++layer)
        for (uint32_t e = 0; e < 2; ++e) EXPECT_TRUE(is_hit(layer, e)) << layer << " " << e;
}

TEST_P(Warming, ADemandPausesItAndARestLetsItGoOn) {
    make(10);
    std::vector<uint32_t> used(warmed_layers * experts_each);
    for (uint32_t e = 0; e < experts_each; ++e) used[e] = 50 - e;
    cache->warm(used);
    reader->land(4);  // one expert, and a slice of the next
    demand(1, {0, 1});
    EXPECT_EQ(reader->waiting(), 0u) << "no warm read begins during a forward pass";
    EXPECT_EQ(cache->stats().warmed, 1u);
    demand(1, {2});
    EXPECT_EQ(reader->waiting(), 0u);
    cache->resume_warming();
    reader->land_all();
    // Three slots were taken by demands: seven are left for the eight of layer 0.
    EXPECT_EQ(cache->stats().warmed, 7u);
    for (uint32_t e = 0; e < 3; ++e) EXPECT_TRUE(is_hit(1, e)) << "warming evicted a demanded expert";
    for (uint32_t e = 0; e < 7; ++e) EXPECT_TRUE(is_hit(0, e)) << e;
}

TEST_P(Warming, WhatIsAskedForWhileItIsReadIsReadOnce) {
    make(10);
    cache->warm(demands({{{0, 3}, 5}, {{0, 4}, 4}}));
    reader->land(1);  // gate of expert 3
    demand(0, {3});   // up and down were dropped, and are asked for properly
    EXPECT_EQ(reader->order.size(), 3u);
    EXPECT_EQ(cache->stats().misses, 1u);
    cache->resume_warming();
    reader->land_all();
    EXPECT_EQ(reader->order.size(), 6u);
    EXPECT_EQ(cache->stats().warmed, 1u);
    EXPECT_TRUE(is_hit(0, 3));
    EXPECT_TRUE(is_hit(0, 4));
}

TEST_P(Warming, TheMostUsedStaysLongest) {
    make(6);
    std::vector<uint32_t> used(warmed_layers * experts_each);
    for (uint32_t e = 0; e < 6; ++e) used[e] = 60 - e;
    cache->warm(used);
    reader->land_all();
    for (uint32_t e = 0; e < 5; ++e) demand(1, {e});  // each takes the place of a warmed one, or of the last
    EXPECT_TRUE(is_hit(0, 0));
}

TEST_P(Warming, LeavesRoomForGuesses) {
    make(16 - 1, 1);
    cache->warm(std::vector<uint32_t>(warmed_layers * experts_each, 7));
    reader->land_all();
    EXPECT_EQ(cache->stats().warmed, 14u);
    const std::vector<uint32_t> guess = {7};
    cache->guess(1, guess, true);
    reader->land_all();
    EXPECT_EQ(cache->stats().guesses, 1u);
    EXPECT_EQ(cache->stats().warmed, 14u);
}

TEST_P(Warming, AFailedReadIsNotTriedAgain) {
    make(10);
    cache->warm(demands({{{0, 3}, 5}}));
    reader->land(3, EIO);
    EXPECT_EQ(reader->waiting(), 0u);
    EXPECT_EQ(cache->stats().warmed, 0u);
    EXPECT_FALSE(is_hit(0, 3)) << "a demand reads it anew";
    EXPECT_TRUE(is_hit(0, 3));
}

TEST_P(Warming, StoppedForGoodItStaysStopped) {
    make(10);
    cache->warm(std::vector<uint32_t>(warmed_layers * experts_each, 7));
    cache->stop_warming();
    reader->land_all();
    EXPECT_LE(cache->stats().warmed, 4u);
    cache->resume_warming();
    EXPECT_EQ(reader->waiting(), 0u);
}

TEST_P(Warming, DemandsAreCountedOnce) {
    make(10);
    demand(0, {1, 2});
    demand(0, {2});
    demand(1, {7});
    auto counted = cache->take_demands();
    EXPECT_EQ(counted, demands({{{0, 1}, 1}, {{0, 2}, 2}, {{1, 7}, 1}}));
    counted = cache->take_demands();
    EXPECT_EQ(counted, demands({}));
}

INSTANTIATE_TEST_SUITE_P(Policies, Warming,
                         testing::Values(CachePolicy::lru, CachePolicy::slru, CachePolicy::lfru),
                         [](const auto& p) { return std::string(to_string(p.param)); });

}  // namespace
}  // namespace sluice
