#include "store/weight_store.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "core/fail.h"
#include "store/file.h"

namespace sluice {

namespace {

constexpr uint64_t read_bytes = 4 << 20;   // one read: large enough for any drive's full rate
constexpr uint64_t tensor_alignment = 64;  // a cache line, and whatever a vector load may want

struct Read {
    const GgufTensor* tensor;
    uint64_t begin, n, arena_offset;
};

/// A plan's tensors in file order, so that the drive reads forward.
std::vector<const GgufTensor*> in_file_order(const LoadPlan& plan) {
    std::vector<const GgufTensor*> all = plan.dense;
    for (const auto& e : plan.experts)
        if (e.gate) all.insert(all.end(), {e.gate, e.up, e.down});
    std::sort(all.begin(), all.end(), [](const GgufTensor* a, const GgufTensor* b) {
        return std::pair(a->shard, a->offset) < std::pair(b->shard, b->offset);
    });
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

uint64_t padded(uint64_t bytes) {
    return (bytes + tensor_alignment - 1) / tensor_alignment * tensor_alignment;
}

}  // namespace

uint64_t LoadPlan::bytes() const {
    uint64_t sum = 0;
    for (const auto* t : in_file_order(*this)) sum += padded(t->n_bytes);
    return sum;
}

std::vector<uint32_t> Lease::take_ready() {
    if (taken_) return {};
    taken_ = true;
    std::vector<uint32_t> all(views_.size());
    std::iota(all.begin(), all.end(), 0u);
    return all;
}

WeightStore::WeightStore(const GgufFile& file, LoadPlan plan, ThreadPool& pool,
                         const std::function<void(uint64_t, uint64_t)>& on_progress)
    : plan_(std::move(plan)), arena_(plan_.bytes()) {
    std::vector<ReadFile> shards;
    for (const auto& shard : file.shards()) shards.emplace_back(shard.path);
    std::vector<Read> reads;
    uint64_t at = 0;
    for (const auto* t : in_file_order(plan_)) {
        offsets_[t] = at;
        for (uint64_t b = 0; b < t->n_bytes; b += read_bytes)
            reads.push_back({t, b, std::min(read_bytes, t->n_bytes - b), at + b});
        at += padded(t->n_bytes);
    }
    std::atomic<uint64_t> done{0};
    pool.run(uint32_t(reads.size()), [&](uint32_t task, uint32_t worker) {
        const Read& r = reads[task];
        shards[r.tensor->shard].read(r.tensor->offset + r.begin, arena_.bytes().subspan(r.arena_offset, r.n));
        const uint64_t now = done.fetch_add(r.n) + r.n;
        if (worker == 0 && on_progress) on_progress(now, arena_.size());
    });
    if (on_progress) on_progress(arena_.size(), arena_.size());
}

const std::byte* WeightStore::data(const GgufTensor& tensor) const {
    const auto it = offsets_.find(&tensor);
    if (it == offsets_.end()) fail(ErrorCode::internal, "tensor {} was not in the load plan", tensor.name);
    return arena_.data() + it->second;
}

MatrixView WeightStore::matrix(const GgufTensor& tensor) const {
    return {tensor.type, data(tensor), uint32_t(tensor.shape[1] * tensor.shape[2]), uint32_t(tensor.shape[0]),
            *row_bytes(tensor.type, tensor.shape[0])};
}

const float* WeightStore::vector(const GgufTensor& tensor) const {
    return reinterpret_cast<const float*>(data(tensor));
}

MatrixView WeightStore::expert(const GgufTensor& tensor, uint64_t index) const {
    return matrix(tensor).slice_rows(uint32_t(index * tensor.shape[1]), uint32_t(tensor.shape[1]));
}

Lease WeightStore::acquire(uint32_t layer, std::span<const uint32_t> experts) const {
    const ExpertTensors& t = plan_.experts.at(layer);
    Lease lease;
    lease.views_.reserve(experts.size());
    for (const uint32_t e : experts)
        lease.views_.push_back({expert(*t.gate, e), expert(*t.up, e), expert(*t.down, e)});
    return lease;
}

}  // namespace sluice
