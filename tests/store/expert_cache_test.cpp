// The cache under a hostile reader: completions in any order and on another thread, errors, short reads,
// dropped guesses, leases that go before their bytes come. What is handed out is always the file's bytes.
#include "store/expert_cache.h"

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/error.h"

namespace sluice {
namespace {

/// The byte that every test file has at an offset.
std::byte content(uint32_t file, uint64_t offset) {
    uint64_t x = (offset + 1) * 0x9e3779b97f4a7c15 + file * 0xd1b54a32d192ed03;
    return std::byte((x ^ x >> 29) >> 17);
}

/// Completes what is queued in random order on its own thread. Some reads fail; idle ones that wait can be
/// dropped.
class ChaosReader : public Reader {
  public:
    ChaosReader(uint32_t seed, uint64_t alignment, ReadDone done)
        : alignment_(alignment), done_(std::move(done)), random_(seed), thread_([this] { run(); }) {}
    ~ChaosReader() override {
        {
            std::lock_guard lock(mutex_);
            stop_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    void submit(std::span<const ReadRequest> requests) override {
        {
            std::lock_guard lock(mutex_);
            waiting_.insert(waiting_.end(), requests.begin(), requests.end());
        }
        changed_.notify_all();
    }
    void drop_idle() override {
        std::vector<ReadRequest> dropped;
        {
            std::lock_guard lock(mutex_);
            for (size_t i = 0; i < waiting_.size();)
                if (waiting_[i].kind == ReadClass::idle && random_() % 4) {  // the others have "started"
                    dropped.push_back(waiting_[i]);
                    waiting_.erase(waiting_.begin() + ptrdiff_t(i));
                } else {
                    ++i;
                }
        }
        for (const auto& r : dropped) done_({r.tag, 0, 0, true, r.kind});
    }
    uint64_t alignment() const override { return alignment_; }
    ReaderStats stats() const override { return {}; }
    std::string description() const override { return "chaos"; }

    /// One read in `one_in` fails from now on; 0: none.
    void fail_one_in(uint32_t one_in) {
        std::lock_guard lock(mutex_);
        fail_one_in_ = one_in;
    }
    /// Holds reads back until they are let go.
    void hold(bool held) {
        {
            std::lock_guard lock(mutex_);
            held_ = held;
        }
        changed_.notify_all();
    }
    uint64_t n_failed() const {
        std::lock_guard lock(mutex_);
        return failed_;
    }

  private:
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return stop_ || (!waiting_.empty() && !held_); });
            if (waiting_.empty() && stop_) return;
            const size_t i = random_() % waiting_.size();
            const ReadRequest r = waiting_[i];
            waiting_.erase(waiting_.begin() + ptrdiff_t(i));
            const bool fails = fail_one_in_ && random_() % fail_one_in_ == 0;
            const bool cut = fails && random_() % 2;  // the file ended early
            failed_ += fails;
            lock.unlock();
            EXPECT_EQ(r.offset % alignment_, 0u);
            EXPECT_EQ(r.dst.size() % alignment_, 0u);
            if (!fails)
                for (size_t k = 0; k < r.dst.size(); ++k) r.dst[k] = content(r.file, r.offset + k);
            else
                std::fill(r.dst.begin(), r.dst.end(), std::byte{0xdd});
            done_({r.tag, fails && !cut ? EIO : 0, fails ? 0 : r.dst.size(), false, r.kind});
            lock.lock();
        }
    }

    const uint64_t alignment_;
    const ReadDone done_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::mt19937 random_;
    std::deque<ReadRequest> waiting_;
    uint64_t failed_ = 0;
    uint32_t fail_one_in_ = 0;
    bool held_ = false, stop_ = false;
    std::thread thread_;
};

/// Layers 1 to 5 of two sizes, so that there are two classes of slots; layer 0 is dense.
std::vector<LayerSource> sources() {
    std::vector<LayerSource> layers(6);
    uint64_t at = 777;  // aligned to nothing
    for (uint32_t l = 1; l < layers.size(); ++l) {
        layers[l].n_experts = 12;
        for (uint32_t s = 0; s < 3; ++s) {
            SliceSource& slice = layers[l].slices[s];
            slice.file = l % 2;
            slice.bytes = (l < 4 ? 300 : 900) + 50 * s;
            slice.offset = at;
            slice.shape = {TensorType::F32, nullptr, 1, uint32_t(slice.bytes / 4), slice.bytes};
            at += slice.bytes * layers[l].n_experts + 13;
        }
    }
    return layers;
}

constexpr uint64_t alignment = 64;

class ExpertCacheFaults : public testing::TestWithParam<CachePolicy> {
  protected:
    /// Room for `share` of everything.
    void open(double share, uint32_t guess_room = 4, uint32_t seed = 1) {
        const auto need = ExpertCache::planned_bytes(layers, alignment, 1);
        cache = std::make_unique<ExpertCache>(layers, std::vector<std::string>{"a.gguf", "b.gguf"},
                                              uint64_t(share * double(need.everything)), alignment,
                                              GetParam(), 1, guess_room);
        reader = std::make_unique<ChaosReader>(seed, alignment,
                                               [this](const ReadOutcome& o) { cache->completed(o); });
        cache->use(*reader);
    }
    void TearDown() override {
        if (cache) cache->stop_warming();
        reader.reset();
        cache.reset();
    }

    void expect_bytes(uint32_t layer, uint32_t expert, uint32_t slice, const MatrixView& m) {
        const SliceSource& s = layers[layer].slices[slice];
        for (uint64_t i = 0; i < s.bytes; ++i)
            if (m.data[i] != content(s.file, s.offset + expert * s.bytes + i)) {
                ADD_FAILURE() << "layer " << layer << " expert " << expert << " slice " << slice << " byte "
                              << i;
                return;
            }
    }

    /// Takes everything a lease gives, at most `most` times, and checks it.
    void use(uint32_t layer, const std::vector<uint32_t>& experts, int most = 1 << 30) {
        ExpertLease lease(*cache, layer, experts);
        std::vector<int> seen(experts.size(), 0);
        for (; most > 0; --most) {
            const auto ready = lease.take_ready();
            if (ready.empty()) break;
            for (const uint32_t i : ready.gate_up) {
                EXPECT_EQ(seen[i]++, 0);
                expect_bytes(layer, experts[i], 0, lease[i].gate);
                expect_bytes(layer, experts[i], 1, lease[i].up);
            }
            for (const uint32_t i : ready.down) {
                EXPECT_EQ(seen[i]++, 1);
                expect_bytes(layer, experts[i], 0, lease[i].gate);  // still there
                expect_bytes(layer, experts[i], 2, lease[i].down);
                lease.release(i);
            }
        }
        if (most > 0) {
            for (const int s : seen) EXPECT_EQ(s, 2);
        }
    }

    std::vector<uint32_t> some_experts(std::mt19937& random, uint32_t most) {
        std::vector<uint32_t> all(12);
        std::iota(all.begin(), all.end(), 0u);
        std::shuffle(all.begin(), all.end(), random);
        all.resize(1 + random() % most);
        std::sort(all.begin(), all.end());
        return all;
    }

    const std::vector<LayerSource> layers = sources();
    std::unique_ptr<ExpertCache> cache;
    std::unique_ptr<ChaosReader> reader;
};

TEST_P(ExpertCacheFaults, AFailedReadIsAnErrorWithFileAndOffsetAndTheNextLeaseWorks) {
    open(0.4);
    reader->fail_one_in(1);
    try {
        use(3, {2, 5});
        FAIL() << "nothing was thrown";
    } catch (const Error& e) {
        const std::string what = e.what();
        EXPECT_EQ(e.code(), ErrorCode::io);
        EXPECT_NE(what.find("b.gguf"), std::string::npos) << what;
        EXPECT_NE(what.find("layer 3"), std::string::npos) << what;
        bool named = false;  // the offset of a slice that was asked for
        for (const auto& s : layers[3].slices)
            for (const uint32_t e_ : {2u, 5u})
                named |= what.find("offset " + std::to_string(s.offset + e_ * s.bytes)) != std::string::npos;
        EXPECT_TRUE(named) << what;
    }
    reader->fail_one_in(0);
    use(3, {2, 5});
    use(3, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

TEST_P(ExpertCacheFaults, ALeaseThatGoesBeforeItsBytesComeLeavesThemToTheNext) {
    open(0.4);
    for (int i = 0; i < 20; ++i) {
        reader->hold(true);
        { ExpertLease gone(*cache, 1 + uint32_t(i) % 5, {1, 4, 7}); }
        if (i % 2) reader->hold(false);
        std::thread later([&] { reader->hold(false); });
        use(1 + uint32_t(i) % 5, {1, 4, 8});
        later.join();
    }
}

TEST_P(ExpertCacheFaults, AGuessThatWasDroppedIsReadWhenItIsDemanded) {
    open(0.5, 6);
    for (uint32_t i = 0; i < 50; ++i) {
        const std::vector<uint32_t> guessed = {i % 12, (i + 5) % 12};
        reader->hold(true);
        cache->guess(1 + i % 5, guessed, true);
        std::thread later([&] { reader->hold(false); });
        std::vector<uint32_t> experts = guessed;
        std::sort(experts.begin(), experts.end());
        use(1 + i % 5, experts);
        later.join();
    }
    const CacheStats s = cache->stats();
    EXPECT_EQ(s.hits + s.misses, 100u);
    EXPECT_LE(s.useful_guesses, s.guesses);
}

TEST_P(ExpertCacheFaults, EverythingAtOnceNeverGivesAWrongByte) {
    for (uint32_t seed = 0; seed < 12; ++seed) {
        std::mt19937 random(seed);
        open(seed % 3 == 0 ? 0.15 : 0.5, seed % 5, seed);
        uint64_t demanded = 0;
        int thrown = 0;
        if (seed % 2) cache->warm(std::vector<uint32_t>(cache->n_experts(), 3));
        for (int step = 0; step < 250; ++step) {
            if (random() % 20 == 0) reader->fail_one_in(random() % 3 ? 0 : 8 + random() % 40);
            const uint32_t layer = 1 + random() % 5;
            if (random() % 2) cache->guess(layer, some_experts(random, 3), random() % 2);
            const auto experts = some_experts(random, random() % 10 ? 4 : 12);
            demanded += experts.size();
            try {
                use(layer, experts, random() % 8 ? 1 << 30 : int(random() % 3));
            } catch (const Error& e) {
                EXPECT_EQ(e.code(), ErrorCode::io);
                ++thrown;
            }
            if (random() % 10 == 0) cache->resume_warming();
        }
        reader->fail_one_in(0);
        for (uint32_t layer = 1; layer < 6; ++layer) use(layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
        const CacheStats s = cache->stats();
        EXPECT_EQ(s.hits + s.misses, demanded + 60);
        EXPECT_LE(s.useful_guesses, s.guesses);
        EXPECT_LE(s.warmed_useful, s.warmed);
        EXPECT_TRUE(thrown == 0 || reader->n_failed() > 0);
        TearDown();
    }
}

INSTANTIATE_TEST_SUITE_P(Policies, ExpertCacheFaults,
                         testing::Values(CachePolicy::lru, CachePolicy::slru, CachePolicy::lfru),
                         [](const auto& p) { return std::string(to_string(p.param)); });

}  // namespace
}  // namespace sluice
