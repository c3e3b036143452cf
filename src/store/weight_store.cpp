#include "store/weight_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/fail.h"
#include "store/mirror.h"

namespace sluice {

/// All shards, mapped: for --io mmap.
class WeightStore::Mapping {
  public:
    explicit Mapping(const GgufFile& file) {
        for (const auto& shard : file.shards()) {
            const int fd = ::open(shard.path.c_str(), O_RDONLY | O_CLOEXEC);
            void* p = fd < 0 ? MAP_FAILED : ::mmap(nullptr, shard.file_bytes, PROT_READ, MAP_SHARED, fd, 0);
            const int error = errno;
            if (fd >= 0) ::close(fd);
            if (p == MAP_FAILED)
                fail(ErrorCode::io, "cannot map {}: {}", shard.path.string(), std::strerror(error));
            maps_.push_back({static_cast<std::byte*>(p), shard.file_bytes});
        }
    }
    ~Mapping() {
        for (const auto& m : maps_) ::munmap(m.data(), m.size());
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    const std::byte* data(const GgufTensor& t) const { return maps_[t.shard].data() + t.offset; }

  private:
    std::vector<std::span<std::byte>> maps_;
};

namespace {

/// Everything is at hand: what mmap says, until the page faults come.
class MappedLease : public Lease {
  public:
    explicit MappedLease(std::vector<ExpertView> views) : views_(std::move(views)) {}
    Ready take_ready() override {
        Ready ready;
        if (taken_) return ready;
        taken_ = true;
        ready.gate_up.resize(views_.size());
        std::iota(ready.gate_up.begin(), ready.gate_up.end(), 0u);
        ready.down = ready.gate_up;
        return ready;
    }
    ExpertView operator[](uint32_t index) const override { return views_[index]; }
    void release(uint32_t) override {}

  private:
    std::vector<ExpertView> views_;
    bool taken_ = false;
};

MatrixView expert_of(MatrixView all, uint64_t rows, uint32_t expert) {
    return all.slice_rows(uint32_t(expert * rows), uint32_t(rows));
}

}  // namespace

uint64_t LoadPlan::expert_bytes() const {
    uint64_t sum = 0;
    for (const auto& e : experts)
        if (e.gate) sum += e.gate->n_bytes + e.up->n_bytes + e.down->n_bytes;
    return sum;
}

WeightStore::WeightStore(const GgufFile& file, LoadPlan plan, uint32_t n_used, StoreOptions options)
    : file_(file), plan_(std::move(plan)), n_used_(n_used), options_(std::move(options)) {
    if (!options_.route_trace.empty()) {
        std::vector<TraceLayer> layers;
        for (const auto& l : layer_sources()) layers.push_back({l.n_experts, l.expert_bytes()});
        trace_ = std::make_unique<RouteTraceWriter>(options_.route_trace,
                                                    file_.metadata().get_string("general.name", ""), layers);
    }
    if (options_.io == IoMode::mmap && !options_.mirrors.empty())
        fail(ErrorCode::invalid_argument, "--mirror does not go with --io mmap; leave out one of them");
    drives_ = find_drives(file_, options_.mirrors);
    for (const auto& d : drives_) watched_.emplace_back(d.paths);
    if (options_.io == IoMode::mmap) {
        mapping_ = std::make_unique<Mapping>(file_);
        io_description_ = "mmap: the kernel's page cache";
        return;
    }
    reader_ = open_reader({}, [this](const ReadOutcome& o) { dense_->completed(o); });
    alignment_ = reader_->alignment();
    plan_bytes_.dense_bytes = DenseArena::planned_bytes(plan_.dense, alignment_);
    const auto need = ExpertCache::planned_bytes(layer_sources(), alignment_, n_used);
    plan_bytes_.all_expert_bytes = need.everything;
    plan_bytes_.least_expert_bytes = need.least;
    for (const auto& l : layer_sources())
        plan_bytes_.working_set_bytes += l.n_experts ? n_used * l.expert_bytes() : 0;
}

WeightStore::~WeightStore() {
    if (cache_) cache_->stop_warming();
}

std::unique_ptr<Reader> WeightStore::open_reader(std::span<std::byte> arena, ReadDone done) {
    ReaderOptions o;
    o.mode = options_.io;
    o.arena = arena;
    if (drives_.size() == 1) return make_reader(drives_[0].paths, o, std::move(done));
    std::vector<uint64_t> sizes;
    for (const auto& shard : file_.shards()) sizes.push_back(shard.file_bytes);
    const auto make = [&](const DriveFiles& d, ReadDone drive_done) {
        return make_reader(d.paths, o, std::move(drive_done));
    };
    auto set = std::make_unique<DriveSet>(drives_, std::move(sizes), make, std::move(done));
    drive_set_ = set.get();
    return set;
}

std::vector<std::string> WeightStore::take_notices() const {
    return reader_ ? reader_->take_notices() : std::vector<std::string>();
}

void WeightStore::check_unchanged() const {
    const bool read_later = mapping_ || (cache_ && !cache_->holds_everything());
    if (!read_later) return;
    for (uint32_t drive = 0; drive < watched_.size(); ++drive) {
        if (drive > 0 && drive_set_->given_up(drive)) continue;
        const auto [change, path] = watched_[drive].change();
        if (change == WatchedFiles::Change::none) continue;
        const bool cut = change == WatchedFiles::Change::cut;
        if (drive > 0 && cut)
            drive_set_->give_up(drive, "a file was cut while in use");
        else
            fail(ErrorCode::invalid_file,
                 "expected {} to stay as it is while in use, found it {}; restore it and start again",
                 path.string(), cut ? "cut short" : "written to");
    }
}

void WeightStore::load(uint64_t expert_budget, const std::function<void(uint64_t, uint64_t)>& on_progress) {
    if (mapping_) return;
    dense_ = std::make_unique<DenseArena>(file_, plan_.dense, alignment_);
    dense_->read(*reader_, [&](uint64_t done, uint64_t total) {
        const bool all = plan_bytes_.all_expert_bytes <= expert_budget;  // the bar counts the experts too
        if (on_progress) on_progress(done, all ? total + plan_.expert_bytes() : total);
    });
    drive_rate_ = reader_->stats().bytes_per_second();
    const auto sources = layer_sources();
    if (plan_bytes_.all_expert_bytes == 0) {
        io_description_ = reader_->description();
        return;
    }
    std::vector<std::string> files;
    for (const auto& shard : file_.shards()) files.push_back(shard.path.string());
    cache_ = std::make_unique<ExpertCache>(sources, files, expert_budget, alignment_, options_.policy, 1,
                                           options_.look_ahead ? 2 * n_used_ : 0);
    reader_ = open_reader(cache_->arena(), [this](const ReadOutcome& o) { cache_->completed(o); });
    cache_->use(*reader_);
    io_description_ = reader_->description();
    if (cache_->holds_everything()) fill_cache(on_progress);
}

/// A model that fits is read whole at start: later questions find it in memory.
void WeightStore::fill_cache(const std::function<void(uint64_t, uint64_t)>& on_progress) {
    const uint64_t dense = dense_->bytes(), total = dense + plan_.expert_bytes();
    uint64_t done = dense;
    for (uint32_t layer = 0; layer < plan_.experts.size(); ++layer) {
        const ExpertTensors& t = plan_.experts[layer];
        if (!t.gate) continue;
        std::vector<uint32_t> all(t.gate->shape[2]);
        std::iota(all.begin(), all.end(), 0u);
        ExpertLease lease(*cache_, layer, all);
        for (auto ready = lease.take_ready(); !ready.empty(); ready = lease.take_ready())
            for (const uint32_t i : ready.down) lease.release(i);
        done += t.gate->n_bytes + t.up->n_bytes + t.down->n_bytes;
        if (on_progress) on_progress(done, total);
    }
    cache_->forget_stats();
}

std::vector<LayerSource> WeightStore::layer_sources() const {
    std::vector<LayerSource> layers;
    for (const auto& e : plan_.experts) {
        LayerSource layer;
        if (e.gate) {
            layer.n_experts = uint32_t(e.gate->shape[2]);
            size_t i = 0;
            for (const GgufTensor* t : {e.gate, e.up, e.down}) {
                MatrixView one = shape_of(*t);
                one.rows = uint32_t(t->shape[1]);
                layer.slices[i++] = {t->shard, t->offset, t->n_bytes / t->shape[2], one};
            }
        }
        layers.push_back(layer);
    }
    return layers;
}

MatrixView WeightStore::shape_of(const GgufTensor& t) const {
    return {t.type, nullptr, uint32_t(t.shape[1] * t.shape[2]), uint32_t(t.shape[0]),
            *row_bytes(t.type, t.shape[0])};
}

MatrixView WeightStore::matrix(const GgufTensor& tensor) const {
    MatrixView m = shape_of(tensor);
    m.data = mapping_ ? mapping_->data(tensor) : dense_->find(tensor);
    if (!m.data) fail(ErrorCode::internal, "tensor {} was not in the load plan", tensor.name);
    return m;
}

const float* WeightStore::vector(const GgufTensor& tensor) const {
    return reinterpret_cast<const float*>(matrix(tensor).data);
}

std::unique_ptr<Lease> WeightStore::acquire(uint32_t layer, std::vector<uint32_t> experts) const {
    if (trace_) trace_->add(layer, experts);
    if (!mapping_) return std::make_unique<ExpertLease>(*cache_, layer, std::move(experts));
    const ExpertTensors& t = plan_.experts.at(layer);
    std::vector<ExpertView> views;
    for (const uint32_t e : experts)
        views.push_back({expert_of(matrix(*t.gate), t.gate->shape[1], e),
                         expert_of(matrix(*t.up), t.up->shape[1], e),
                         expert_of(matrix(*t.down), t.down->shape[1], e)});
    return std::make_unique<MappedLease>(std::move(views));
}

void WeightStore::guess(uint32_t layer, std::span<const uint32_t> experts) const {
    if (cache_) cache_->guess(layer, experts, true);
}

void WeightStore::warm(const UsageCounts& usage) const {
    if (!cache_) return;
    std::vector<uint32_t> demands(cache_->n_experts());
    for (uint32_t layer = 0; layer < plan_.experts.size(); ++layer)
        for (uint32_t e = 0; e < n_experts(layer); ++e)
            demands[cache_->first_key(layer) + e] = usage.at(layer, e);
    cache_->warm(demands);
}

void WeightStore::resume_warming() const {
    if (cache_) cache_->resume_warming();
}

void WeightStore::take_demands(UsageCounts& usage) const {
    if (!cache_) return;
    const auto demands = cache_->take_demands();
    for (uint32_t layer = 0; layer < plan_.experts.size(); ++layer)
        for (uint32_t e = 0; e < n_experts(layer); ++e)
            usage.at(layer, e) += demands[cache_->first_key(layer) + e];
}

ExpertHeat WeightStore::expert_heat() const {
    ExpertHeat heat;
    std::vector<uint32_t> demands;
    std::vector<uint8_t> in_memory;
    if (cache_) cache_->look(demands, in_memory);
    for (uint32_t layer = 0; layer < plan_.experts.size(); ++layer) {
        const uint32_t n = n_experts(layer);
        if (!n) continue;
        if (heat.layers++ == 0) heat.first_layer = layer, heat.experts = n;
        for (uint32_t e = 0; e < heat.experts; ++e) {
            const bool known = cache_ && e < n;
            heat.demands.push_back(known ? demands[cache_->first_key(layer) + e] : 0);
            heat.in_memory.push_back(known ? in_memory[cache_->first_key(layer) + e] : 0);
        }
    }
    return heat;
}

bool WeightStore::wants_guesses() const {
    return cache_ && options_.look_ahead && cache_->wants_guesses();
}

uint64_t WeightStore::bytes() const {
    return (dense_ ? dense_->bytes() : 0) + (cache_ ? cache_->bytes() : 0);
}
CacheStats WeightStore::cache_stats() const {
    return cache_ ? cache_->stats() : CacheStats();
}
ReaderStats WeightStore::reader_stats() const {
    return reader_ ? reader_->stats() : ReaderStats();
}
void WeightStore::saw_rate(uint64_t bytes, double seconds) const {
    constexpr uint64_t least = 64 << 20;  // a drive's own cache can outrun it for less
    if (bytes < least || seconds <= 0) return;
    const double rate = double(bytes) / seconds;
    double best = drive_rate_;
    while (rate > best && !drive_rate_.compare_exchange_weak(best, rate)) {
    }
}
std::string WeightStore::io_description() const {
    return io_description_;
}

uint32_t WeightStore::n_experts(uint32_t layer) const {
    const GgufTensor* gate = plan_.experts[layer].gate;
    return gate ? uint32_t(gate->shape[2]) : 0;
}

uint32_t WeightStore::total_experts() const {
    uint32_t sum = 0;
    for (const auto& e : plan_.experts) sum += e.gate ? uint32_t(e.gate->shape[2]) : 0;
    return sum;
}

}  // namespace sluice
