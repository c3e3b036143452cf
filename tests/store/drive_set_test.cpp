// Several drives as one: who reads what, and what happens when one fails.
#include "store/drive_set.h"

#include <cerrno>
#include <deque>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace sluice {
namespace {

/// A drive that reads one request after the other at its rate, by a clock of the test's.
class SimulatedDrive : public Reader {
  public:
    SimulatedDrive(double rate, uint64_t alignment, ReadDone done)
        : rate_(rate), alignment_(alignment), done_(std::move(done)) {}
    ~SimulatedDrive() override {
        for (const auto& r : std::exchange(queue_, {})) done_({r.tag, 0, 0, true, r.kind});
    }
    void submit(std::span<const ReadRequest> requests) override {
        queue_.insert(queue_.end(), requests.begin(), requests.end());
    }
    void drop_idle() override {
        std::deque<ReadRequest> kept;
        for (const auto& r : std::exchange(queue_, {}))
            if (r.kind == ReadClass::idle)
                done_({r.tag, 0, 0, true, r.kind});
            else
                kept.push_back(r);
        queue_ = kept;
    }
    uint64_t alignment() const override { return alignment_; }
    ReaderStats stats() const override { return {bytes_, reads_, double(bytes_) / rate_}; }
    std::string description() const override { return "simulated"; }

    bool idle() const { return queue_.empty(); }
    double seconds_for_next() const { return double(queue_.front().dst.size()) / rate_; }
    void finish_one() {
        const ReadRequest r = queue_.front();
        queue_.pop_front();
        files.push_back(r.file);
        const uint64_t n = error ? 0 : r.dst.size() - std::min<uint64_t>(r.dst.size(), short_by);
        bytes_ += n, ++reads_;
        done_({r.tag, error, n, false, r.kind});
    }
    int error = 0;
    uint64_t short_by = 0;
    std::vector<uint32_t> files;  // as they were read

  private:
    const double rate_;
    const uint64_t alignment_;
    const ReadDone done_;
    std::deque<ReadRequest> queue_;
    uint64_t bytes_ = 0, reads_ = 0;
};

constexpr uint64_t file_bytes = 1 << 30, piece = 1 << 20;

struct Fixture {
    std::vector<SimulatedDrive*> drives;
    std::vector<ReadOutcome> done;
    std::unique_ptr<DriveSet> set;
    std::vector<std::byte> memory = std::vector<std::byte>(piece);

    explicit Fixture(std::vector<double> rates, std::vector<std::vector<uint32_t>> files = {}) {
        std::vector<DriveFiles> given;
        for (size_t i = 0; i < rates.size(); ++i) {
            DriveFiles d{"drive" + std::to_string(i), {0, 1}, {"x", "y"}};
            if (!files.empty()) d.files = files[i], d.paths.resize(d.files.size());
            given.push_back(d);
        }
        const auto make = [&](const DriveFiles&, ReadDone drive_done) {
            auto d = std::make_unique<SimulatedDrive>(rates[drives.size()], drives.empty() ? 512 : 4096,
                                                      std::move(drive_done));
            drives.push_back(d.get());
            return d;
        };
        set = std::make_unique<DriveSet>(given, std::vector<uint64_t>{file_bytes, file_bytes}, make,
                                         [this](const ReadOutcome& o) { done.push_back(o); });
    }
    ReadRequest request(uint64_t tag, uint32_t file = 0, ReadClass kind = ReadClass::demanded) {
        return {file, kind, tag % 1000 * piece, memory, tag};
    }
    void submit(const ReadRequest& r) { set->submit({&r, 1}); }
    void finish_all() {
        for (bool any = true; any;) {
            any = false;
            for (auto* d : drives)
                while (!d->idle()) d->finish_one(), any = true;
        }
    }
    /// Reads n pieces with `depth` of them asked for at any time; the seconds it took by the drives' clock.
    double run(uint64_t n, uint64_t depth) {
        double clock = 0;
        std::vector<double> end(drives.size(), 0);  // of what each drive is reading
        std::vector<bool> reading(drives.size(), false);
        uint64_t asked = 0;
        while (done.size() < n) {
            while (asked < n && asked - done.size() < depth) submit(request(asked++));
            size_t next = drives.size();
            for (size_t i = 0; i < drives.size(); ++i) {
                if (!reading[i] && !drives[i]->idle())
                    reading[i] = true, end[i] = clock + drives[i]->seconds_for_next();
                if (reading[i] && (next == drives.size() || end[i] < end[next])) next = i;
            }
            clock = end[next];
            reading[next] = false;
            drives[next]->finish_one();
        }
        return clock;
    }
};

TEST(DriveSet, ReadsAreSpreadInProportionToTheDrivesRates) {
    Fixture f({7e9, 2e9, 1e9});
    f.run(5000, 64);
    const auto bytes = f.set->bytes_by_drive();
    EXPECT_NEAR(double(bytes[0]) / double(bytes[1]), 3.5, 0.5);
    EXPECT_NEAR(double(bytes[1]) / double(bytes[2]), 2.0, 0.4);
    EXPECT_EQ(f.set->stats().bytes, 5000 * piece);
    EXPECT_TRUE(f.set->take_notices().empty());
}

TEST(DriveSet, ADriveTenTimesSlowerDoesNotSlowTheOther) {
    Fixture one({2e9}), two({2e9, 0.2e9});
    const double alone = one.run(4000, 48), together = two.run(4000, 48);
    EXPECT_LT(together, alone);  // it helps, a tenth
    EXPECT_GT(together, alone * 0.85);
}

TEST(DriveSet, ADriveIsAskedOnlyForFilesItHas) {
    Fixture f({1e9, 8e9}, {{0, 1}, {1}});
    for (uint64_t i = 0; i < 100; ++i) f.submit(f.request(i, i % 2));
    f.finish_all();
    ASSERT_EQ(f.done.size(), 100u);
    for (const auto& o : f.done) EXPECT_EQ(o.error, 0);
    ASSERT_FALSE(f.drives[1]->files.empty());
    for (const uint32_t file : f.drives[1]->files) EXPECT_EQ(file, 0u);  // its own number for file 1
    EXPECT_GE(f.drives[0]->files.size(), 50u);
}

TEST(DriveSet, AFailedReadIsRepeatedElsewhereAndTheDriveIsDroppedWithANotice) {
    for (const bool cut : {false, true}) {
        Fixture f({1e9, 1e9});
        if (cut)
            f.drives[1]->short_by = 10;
        else
            f.drives[1]->error = EIO;
        for (uint64_t i = 0; i < 40; ++i) f.submit(f.request(i));
        f.finish_all();
        ASSERT_EQ(f.done.size(), 40u);
        std::map<uint64_t, int> tags;
        for (const auto& o : f.done) {
            EXPECT_EQ(o.error, 0);
            EXPECT_EQ(o.bytes, piece);
            ++tags[o.tag];
        }
        EXPECT_EQ(tags.size(), 40u);
        const auto notices = f.set->take_notices();
        ASSERT_EQ(notices.size(), 1u);
        EXPECT_NE(notices[0].find("drive1"), std::string::npos) << notices[0];
        EXPECT_TRUE(f.set->take_notices().empty());
        const size_t before = f.drives[1]->files.size();
        for (uint64_t i = 0; i < 40; ++i) f.submit(f.request(100 + i));
        f.finish_all();
        EXPECT_EQ(f.drives[1]->files.size(), before);  // not asked any more
        EXPECT_EQ(f.done.size(), 80u);
    }
}

TEST(DriveSet, IfEveryDriveFailsTheRequestFailsAndALaterOneIsTriedAgain) {
    Fixture f({1e9, 1e9});
    f.drives[0]->error = f.drives[1]->error = EIO;
    for (uint64_t i = 0; i < 10; ++i) f.submit(f.request(i));
    f.finish_all();
    ASSERT_EQ(f.done.size(), 10u);
    for (const auto& o : f.done) EXPECT_EQ(o.error, EIO);
    f.drives[0]->error = 0;  // the cable is back
    f.submit(f.request(50));
    f.finish_all();
    EXPECT_EQ(f.done.back().error, 0);
    EXPECT_EQ(f.done.back().tag, 50u);
}

TEST(DriveSet, ThePaddingBehindTheEndOfAFileIsNoFault) {
    Fixture f({1e9, 1e9});
    f.drives[0]->short_by = f.drives[1]->short_by = 100;
    ReadRequest last{0, ReadClass::demanded, file_bytes - piece + 100, f.memory, 7};
    f.submit(last);
    f.finish_all();
    ASSERT_EQ(f.done.size(), 1u);
    EXPECT_EQ(f.done[0].error, 0);
    EXPECT_TRUE(f.set->take_notices().empty());
}

TEST(DriveSet, IdleReadsAreDroppedOnEveryDriveAndTheEndDropsTheRest) {
    Fixture f({1e9, 1e9});
    for (uint64_t i = 0; i < 20; ++i)
        f.submit(f.request(i, 0, i % 2 ? ReadClass::idle : ReadClass::demanded));
    f.set->drop_idle();
    ASSERT_EQ(f.done.size(), 10u);
    for (const auto& o : f.done) {
        EXPECT_TRUE(o.dropped);
        EXPECT_EQ(o.kind, ReadClass::idle);
        EXPECT_EQ(o.tag % 2, 1u);
    }
    f.set.reset();
    EXPECT_EQ(f.done.size(), 20u);
}

TEST(DriveSet, RequestsMustSuitTheDriveThatAsksMost) {
    Fixture f({1e9, 1e9});
    EXPECT_EQ(f.set->alignment(), 4096u);
}

}  // namespace
}  // namespace sluice
