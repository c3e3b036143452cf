#include "store/dense_arena.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

namespace {

constexpr uint64_t largest_gap = 64 << 10;  // a hole in a run that is cheaper to read than to seek over
constexpr uint64_t request_bytes = 8 << 20;

}  // namespace

std::vector<DenseArena::Run> DenseArena::plan_runs(std::vector<const GgufTensor*>& tensors,
                                                   uint64_t alignment) {
    std::sort(tensors.begin(), tensors.end(), [](const GgufTensor* a, const GgufTensor* b) {
        return std::pair(a->shard, a->offset) < std::pair(b->shard, b->offset);
    });
    tensors.erase(std::unique(tensors.begin(), tensors.end()), tensors.end());
    std::vector<Run> runs;
    for (const GgufTensor* t : tensors) {
        const uint64_t begin = align_down(t->offset, alignment),
                       end = align_up(t->offset + t->n_bytes, alignment);
        if (!runs.empty() && runs.back().shard == t->shard && begin <= runs.back().end + largest_gap) {
            runs.back().end = std::max(runs.back().end, end);
        } else {
            const uint64_t place = runs.empty() ? 0 : runs.back().place + runs.back().end - runs.back().begin;
            runs.push_back({t->shard, begin, end, align_up(place, 4096)});
        }
    }
    return runs;
}

uint64_t DenseArena::planned_bytes(std::vector<const GgufTensor*> tensors, uint64_t alignment) {
    const auto runs = plan_runs(tensors, alignment);
    return runs.empty() ? 0 : runs.back().place + runs.back().end - runs.back().begin;
}

DenseArena::DenseArena(const GgufFile& file, std::vector<const GgufTensor*> tensors, uint64_t alignment)
    : file_(file), alignment_(alignment), runs_(plan_runs(tensors, alignment)) {
    memory_ = Memory(runs_.empty() ? 0 : runs_.back().place + runs_.back().end - runs_.back().begin);
    memory_.spread_over_sockets();
    size_t r = 0;
    for (const GgufTensor* t : tensors) {
        while (runs_[r].shard != t->shard || t->offset >= runs_[r].end) ++r;
        places_[t] = runs_[r].place + t->offset - runs_[r].begin;
    }
}

void DenseArena::read(Reader& reader, const std::function<void(uint64_t, uint64_t)>& on_progress) {
    uint64_t total = 0;
    for (const Run& run : runs_)
        for (uint64_t at = run.begin; at < run.end; at += request_bytes) {
            const uint64_t n = std::min(request_bytes, run.end - at);
            requests_.push_back({run.shard, ReadClass::demanded, at,
                                 memory_.bytes().subspan(run.place + at - run.begin, n), requests_.size()});
            total += n;
        }
    reader.submit(requests_);
    std::unique_lock lock(mutex_);
    while (done_requests_ < requests_.size()) {
        landed_.wait_for(lock, std::chrono::milliseconds(100));
        const uint64_t done = done_bytes_;
        lock.unlock();
        if (on_progress) on_progress(done, total);
        lock.lock();
    }
    if (error_) {
        const ReadRequest& r = requests_[failed_tag_];
        fail(ErrorCode::io, "reading {} bytes of {} at offset {} failed: {}; check the drive", r.dst.size(),
             file_.shards()[r.file].path.string(), r.offset,
             error_ == ENODATA ? "the file ended, it was cut while in use" : std::strerror(error_));
    }
    requests_.clear();
}

void DenseArena::completed(const ReadOutcome& outcome) {
    std::lock_guard lock(mutex_);
    const ReadRequest& r = requests_[outcome.tag];
    int error = outcome.error;
    // Only the padding of the last block may lie beyond the end of the file.
    if (!error && outcome.bytes < r.dst.size() &&
        r.offset + outcome.bytes < file_.shards()[r.file].file_bytes)
        error = ENODATA;
    if (error && !error_) error_ = error, failed_tag_ = outcome.tag;
    ++done_requests_;
    done_bytes_ += r.dst.size();
    landed_.notify_one();
}

const std::byte* DenseArena::find(const GgufTensor& tensor) const {
    const auto it = places_.find(&tensor);
    return it == places_.end() ? nullptr : memory_.data() + it->second;
}

}  // namespace sluice
