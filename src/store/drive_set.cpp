#include "store/drive_set.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace sluice {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
}

}  // namespace

DriveSet::DriveSet(std::vector<DriveFiles> drives, std::vector<uint64_t> file_sizes, const MakeReader& make,
                   ReadDone done)
    : file_sizes_(std::move(file_sizes)), done_(std::move(done)) {
    for (auto& files : drives) {
        Drive d;
        d.local.assign(file_sizes_.size(), none);
        for (uint32_t i = 0; i < files.files.size(); ++i) d.local[files.files[i]] = i;
        d.files = std::move(files);
        drives_.push_back(std::move(d));
    }
    for (uint32_t i = 0; i < drives_.size(); ++i) {
        drives_[i].reader = make(drives_[i].files, [this, i](const ReadOutcome& o) { completed(i, o); });
        alignment_ = std::max(alignment_, drives_[i].reader->alignment());
    }
}

DriveSet::~DriveSet() {
    {
        std::unique_lock lock(mutex_);
        ending_ = true;  // what fails from now on is not repeated
        repeated_.wait(lock, [this] { return repeating_ == 0; });
    }
    for (Drive& d : drives_) d.reader.reset();
}

/// The drive that will have read the request first; none if no drive that has the file is left. One that
/// failed is asked only if there is no other. Called with the mutex held.
uint32_t DriveSet::choose(const ReadRequest& request, uint64_t tried) const {
    constexpr double usual_rate = 1e9;  // until a drive has shown what it can do
    constexpr uint64_t enough = 8 << 20;
    uint32_t best = none;
    double least = 0;
    const auto may_ask = [&](uint32_t i) {
        return drives_[i].local[request.file] != none && !drives_[i].given_up && !(tried >> i & 1);
    };
    bool sound = false;  // there is one that has not failed
    for (uint32_t i = 0; i < drives_.size(); ++i) sound |= may_ask(i) && !drives_[i].dropped;
    for (uint32_t i = 0; i < drives_.size(); ++i) {
        const Drive& d = drives_[i];
        if (!may_ask(i) || (d.dropped && sound)) continue;
        const ReaderStats s = d.reader->stats();
        const double rate = s.bytes < enough ? usual_rate : std::max(s.bytes_per_second(), 1e6);
        const double seconds = double(d.queued + request.dst.size()) / rate;
        if (best == none || seconds < least) best = i, least = seconds;
    }
    return best;
}

/// Called with the mutex held. The request's drive is chosen and has the file.
void DriveSet::send(uint64_t id, Pending& p, std::vector<std::vector<ReadRequest>>& by_drive) {
    Drive& d = drives_[p.drive];
    d.queued += p.asked.dst.size();
    ReadRequest r = p.asked;
    r.file = d.local[r.file];
    r.tag = id;
    by_drive[p.drive].push_back(r);
}

void DriveSet::submit(std::span<const ReadRequest> requests) {
    std::vector<std::vector<ReadRequest>> by_drive(drives_.size());
    {
        std::lock_guard lock(mutex_);
        if (pending_.empty() && !requests.empty()) busy_since_ = Clock::now();
        for (const ReadRequest& r : requests) {
            Pending p{r, choose(r, 0), 0};
            const uint64_t id = next_id_++;
            send(id, p, by_drive);
            pending_.emplace(id, p);
        }
    }
    for (size_t i = 0; i < drives_.size(); ++i)
        if (!by_drive[i].empty()) drives_[i].reader->submit(by_drive[i]);
}

void DriveSet::drop_idle() {
    for (Drive& d : drives_) d.reader->drop_idle();
}

/// An error, or less than the file had when it was opened.
bool DriveSet::failed(const Pending& p, const ReadOutcome& o) const {
    const uint64_t size = file_sizes_[p.asked.file];
    const uint64_t expected =
        p.asked.offset < size ? std::min<uint64_t>(p.asked.dst.size(), size - p.asked.offset) : 0;
    return !o.dropped && (o.error != 0 || o.bytes < expected);
}

void DriveSet::completed(uint32_t drive, const ReadOutcome& outcome) {
    std::vector<std::vector<ReadRequest>> again(drives_.size());
    ReadOutcome result = outcome;
    bool over = true;
    {
        std::lock_guard lock(mutex_);
        const auto it = pending_.find(outcome.tag);
        Pending& p = it->second;
        Drive& d = drives_[drive];
        d.queued -= p.asked.dst.size();
        d.read += outcome.bytes;
        stats_.bytes += outcome.bytes;
        ++stats_.reads;
        if (failed(p, outcome) && !ending_) {
            p.tried |= 1ull << drive;
            if (const uint32_t other = choose(p.asked, p.tried); other != none) {
                drop(d, outcome.error ? std::strerror(outcome.error) : "a file was cut while in use");
                p.drive = other;
                send(outcome.tag, p, again);
                over = false;
                ++repeating_;
            }
        }
        if (over) {
            result.tag = p.asked.tag;
            result.kind = p.asked.kind;
            pending_.erase(it);
            if (pending_.empty()) stats_.busy_seconds += seconds_since(busy_since_);
        }
    }
    if (over) {
        done_(result);
        return;
    }
    for (size_t i = 0; i < drives_.size(); ++i)
        if (!again[i].empty()) drives_[i].reader->submit(again[i]);
    std::lock_guard lock(mutex_);
    --repeating_;
    repeated_.notify_all();
}

/// Called with the mutex held.
void DriveSet::drop(Drive& d, const std::string& why) {
    if (!d.dropped)
        notices_.push_back(fmt::format("{} is not read any more ({}); the other copy is", d.files.name, why));
    d.dropped = true;
}

void DriveSet::give_up(uint32_t drive, const std::string& why) {
    std::lock_guard lock(mutex_);
    drop(drives_[drive], why);
    drives_[drive].given_up = true;
}

bool DriveSet::given_up(uint32_t drive) const {
    std::lock_guard lock(mutex_);
    return drives_[drive].given_up;
}

ReaderStats DriveSet::stats() const {
    std::lock_guard lock(mutex_);
    ReaderStats s = stats_;
    if (!pending_.empty()) s.busy_seconds += seconds_since(busy_since_);
    return s;
}

std::string DriveSet::description() const {
    std::string text = fmt::format("{} drives: ", drives_.size());
    for (const Drive& d : drives_)
        text += fmt::format("{}{} ({})", &d == &drives_.front() ? "" : "; ", d.files.name,
                            d.reader->description());
    return text;
}

std::vector<std::string> DriveSet::take_notices() {
    std::lock_guard lock(mutex_);
    return std::exchange(notices_, {});
}

std::vector<uint64_t> DriveSet::bytes_by_drive() const {
    std::lock_guard lock(mutex_);
    std::vector<uint64_t> bytes;
    for (const Drive& d : drives_) bytes.push_back(d.read);
    return bytes;
}

}  // namespace sluice
