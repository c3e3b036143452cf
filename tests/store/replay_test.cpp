// The replay simulator: Belady against all possibilities, policies against the engine's own cache, hostile
// traces.
#include "store/replay.h"

#include <functional>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/fail.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

RouteTrace trace_of(uint32_t n_layers, uint32_t n_experts,
                    const std::vector<std::vector<uint32_t>>& accesses) {
    RouteTrace t;
    t.layers.assign(n_layers, {n_experts, 100});
    for (size_t i = 0; i < accesses.size(); ++i) {
        t.accesses.push_back({uint32_t(i % n_layers), t.experts.size()});
        t.experts.insert(t.experts.end(), accesses[i].begin(), accesses[i].end());
    }
    return t;
}

RouteTrace random_trace(uint32_t n_layers, uint32_t n_experts, uint32_t n_used, size_t n, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::vector<uint32_t>> accesses;
    for (size_t i = 0; i < n; ++i) {
        std::set<uint32_t> chosen;
        while (chosen.size() < n_used)
            chosen.insert(uint32_t(random() % n_experts) * uint32_t(random() % n_experts) / n_experts);
        accesses.emplace_back(chosen.begin(), chosen.end());
    }
    return trace_of(n_layers, n_experts, accesses);
}

/// The most hits of any choice of victims, one expert for an access.
uint64_t most_hits(const RouteTrace& t, uint32_t slots, size_t access, std::set<uint32_t> here) {
    if (access == t.accesses.size()) return 0;
    const uint32_t key = t.accesses[access].layer * t.layers[0].experts + t.experts_of(access)[0];
    if (here.contains(key)) return 1 + most_hits(t, slots, access + 1, here);
    if (here.size() < slots) {
        here.insert(key);
        return most_hits(t, slots, access + 1, here);
    }
    uint64_t best = 0;
    for (const uint32_t victim : here) {
        std::set<uint32_t> after = here;
        after.erase(victim);
        after.insert(key);
        best = std::max(best, most_hits(t, slots, access + 1, after));
    }
    return best;
}

TEST(Replay, TheOptimumIsTheBestOfAllChoices) {
    for (uint64_t seed = 0; seed < 30; ++seed) {
        const RouteTrace t = random_trace(2, 4, 1, 11, seed);
        for (const uint32_t slots : {1u, 2u, 3u})
            EXPECT_EQ(replay_optimum(t, slots, 0).hits, most_hits(t, slots, 0, {})) << seed << " " << slots;
    }
}

TEST(Replay, NoPolicyBeatsTheOptimumAndMoreMemoryHelpsIt) {
    const RouteTrace t = random_trace(5, 32, 4, 2000, 7);
    uint64_t before = 0;
    for (uint32_t slots = 4; slots <= 160; slots += 12) {
        const ReplayResult best = replay_optimum(t, slots, 0);
        EXPECT_GE(best.hits, before);
        EXPECT_EQ(best.hits + best.misses, t.experts.size());
        before = best.hits;
        for (const CachePolicy p : {CachePolicy::lru, CachePolicy::slru, CachePolicy::lfru}) {
            const ReplayResult r = replay(t, p, slots, 0);
            EXPECT_LE(r.hits, best.hits) << to_string(p) << " " << slots;
            EXPECT_EQ(r.bytes_read, r.misses * 100);
        }
    }
}

TEST(Replay, EverythingFitsAfterTheFirstUse) {
    const RouteTrace t = random_trace(3, 8, 2, 600, 1);
    const uint64_t distinct = [&] {
        std::set<std::pair<uint32_t, uint32_t>> seen;
        for (size_t a = 0; a < t.accesses.size(); ++a)
            for (const uint32_t e : t.experts_of(a)) seen.insert({t.accesses[a].layer, e});
        return seen.size();
    }();
    for (const CachePolicy p : {CachePolicy::lru, CachePolicy::slru, CachePolicy::lfru})
        EXPECT_EQ(replay(t, p, slots_of(t, t.all_bytes()), 0).misses, distinct);
}

/// Scans (long prompts) must not empty the cache of what is used again and again.
TEST(Replay, FrequencyAndSegmentsWithstandScans) {
    std::mt19937_64 random(3);
    std::vector<std::vector<uint32_t>> accesses;
    for (int round = 0; round < 200; ++round) {
        for (int i = 0; i < 20; ++i) accesses.push_back({uint32_t(random() % 10)});
        for (uint32_t e = 10; e < 60; ++e) accesses.push_back({e});
    }
    const RouteTrace t = trace_of(1, 64, accesses);
    const uint64_t lru = replay(t, CachePolicy::lru, 20, 0).hits;
    EXPECT_GT(replay(t, CachePolicy::slru, 20, 0).hits, lru + 500);
    EXPECT_GT(replay(t, CachePolicy::lfru, 20, 0).hits, lru + 500);
}

TEST(Replay, AnAccessLargerThanTheCacheFlowsThrough) {
    const RouteTrace t = trace_of(1, 16, {{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7}});
    for (const CachePolicy p : {CachePolicy::lru, CachePolicy::slru, CachePolicy::lfru})
        EXPECT_EQ(replay(t, p, 3, 0).hits + replay(t, p, 3, 0).misses, 16u);
    EXPECT_GE(replay_optimum(t, 3, 0).hits, 3u);
}

class TraceFile : public testing::Test {
  protected:
    fs::path path = fs::path(SLUICE_TEST_TMP) / ("trace-" + std::to_string(getpid()));
    ~TraceFile() override {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    std::string error_of(const std::string& bytes) {
        std::ofstream(path, std::ios::binary) << bytes;
        try {
            RouteTrace::read(path);
            return "";
        } catch (const Error& e) {
            return e.what();
        }
    }
    const std::string header =
        R"({"format":"sluice-route-trace","version":1,"model":"m","layers":[{"experts":0,"bytes":0},{"experts":8,"bytes":100}]})"
        "\n";
};

TEST_F(TraceFile, RoundTrip) {
    {
        RouteTraceWriter writer(path, "a \"model\"\n", std::vector<TraceLayer>{{0, 0}, {8, 100}});
        writer.add(1, std::vector<uint32_t>{0, 3, 7});
        writer.add(1, std::vector<uint32_t>{2});
    }
    const RouteTrace t = RouteTrace::read(path);
    EXPECT_EQ(t.model, "a \"model\"\n");
    ASSERT_EQ(t.accesses.size(), 2u);
    EXPECT_EQ(std::vector(t.experts_of(0).begin(), t.experts_of(0).end()), (std::vector<uint32_t>{0, 3, 7}));
    EXPECT_EQ(t.passes(), 2u);
    EXPECT_EQ(t.all_bytes(), 800u);
    EXPECT_THROW(RouteTraceWriter("/dev/full", "m", t.layers), Error);
}

TEST_F(TraceFile, HostileOnesGetASentence) {
    const std::pair<std::string, std::string> cases[] = {
        {"", "expected a header"},
        {"hello\n", "expected a JSON object"},
        {"{\"format\":\"sluice-route-trace\",\"version\":2,\"layers\":[]}\n1 2\n", "expected version 1"},
        {"{\"format\":\"sluice-route-trace\",\"version\":1,\"layers\":[]}\n1 2\n",
         "list of 1 to 4096 layers"},
        {"{\"format\":\"sluice-route-trace\",\"version\":1,\"layers\":[7]}\n", "each layer to be an object"},
        {"{\"format\":\"sluice-route-trace\",\"version\":1,\"layers\":[{\"experts\":99999999,\"bytes\":1}]}"
         "\n",
         "\"experts\""},
        {"{\"format\":\"sluice-route-trace\",\"version\":1,\"layers\":[{\"experts\":-1,\"bytes\":1}]}\n",
         "\"experts\""},
        {"{\"format\":\"sluice-route-trace\",\"version\":1,\"layers\":[{\"experts\":4,\"bytes\":0}]}\n",
         "found 0"},
        {std::string(2 << 20, '['), "header of at most"},
        {header, "at least one access"},
        {header + "0 1\n", "layer that has experts, found 0"},
        {header + "9 1\n", "layer that has experts, found 9"},
        {header + "1 8\n", "experts below 8, found 8"},
        {header + "1 3 2\n", "ascending"},
        {header + "1 3 3\n", "ascending"},
        {header + "1\n", "a layer and its experts"},
        {header + "\n", "a layer and its experts"},
        {header + "1 -2\n", "numbers"},
        {header + "1 2x\n", "numbers"},
        {header + "1 99999999999999\n", "numbers"},
    };
    for (const auto& [bytes, sentence] : cases)
        EXPECT_NE(error_of(bytes).find(sentence), std::string::npos) << sentence << ": " << error_of(bytes);
    EXPECT_EQ(error_of(header + "1 2 3\n1 2 7"), "") << "a last line that was cut off is left out";
}

}  // namespace
}  // namespace sluice
