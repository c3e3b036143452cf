#include "kernels/kernels.h"

#include <algorithm>

#include "core/fail.h"

namespace sluice {

namespace plain {
extern const KernelTable table;
}
#if defined(SLUICE_X86)
namespace avx2 {
extern const KernelTable table;
}
namespace avxvnni {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
#elif defined(SLUICE_ARM)
namespace neon {
extern const KernelTable table;
}
#endif

const KernelTable& kernel_table(Isa isa) {
    switch (isa) {
        case Isa::plain:
            return plain::table;
#if defined(SLUICE_X86)
        case Isa::avx2:
            return avx2::table;
        case Isa::avxvnni:
            return avxvnni::table;
        case Isa::avx512:
            return avx512::table;
#elif defined(SLUICE_ARM)
        case Isa::neon:
            return neon::table;
#endif
        default:
            fail(ErrorCode::unsupported, "this build of Sluice has no {} kernels", to_string(isa));
    }
}

float* Kernels::scratch(uint32_t worker, uint64_t n) {
    Memory& m = scratch_[worker];
    if (m.size() < n * sizeof(float)) m = Memory(n * sizeof(float));
    return m.floats();
}

float* Kernels::shared_scratch(uint64_t n) {
    if (shared_scratch_.size() < n * sizeof(float)) {
        shared_scratch_ = Memory();  // not both at once
        shared_scratch_ = Memory(n * sizeof(float));
    }
    return shared_scratch_.floats();
}

uint64_t Kernels::scratch_bytes() const {
    uint64_t sum = activations_.size() + shared_scratch_.size();
    for (const auto& m : scratch_) sum += m.size();
    return sum;
}

namespace {

constexpr uint32_t not_quantised = UINT32_MAX;

bool takes_floats(const Product& p) {
    return p.transposed || activation_kind(p.w.type) == ActivationKind::floats;
}

/// Rows a worker takes at once: enough work to pay for the hand-out (some microseconds), few enough that the
/// last to finish is not waited for long, whole panels.
uint32_t rows_at_once(const Product& p, uint32_t workers) {
    constexpr uint64_t least_work = 64 * 1024, enough_work = 4 * least_work;  // multiply-adds
    const uint32_t panel = takes_floats(p) ? 4 : 32;
    const uint64_t per_row = std::max<uint64_t>(uint64_t(p.w.cols) * p.n, 1);
    // A sixteenth of a worker's part, or more of it if that is too little work, but no more than a quarter.
    const auto share = [&](uint64_t parts) { return (p.w.rows + workers * parts - 1) / (workers * parts); };
    const uint64_t rows = std::max<uint64_t>(
        {std::min(share(4), std::max(share(16), enough_work / per_row)), least_work / per_row, panel});
    return uint32_t(std::min<uint64_t>((rows + panel - 1) / panel * panel, p.w.rows));
}

}  // namespace

/// The entry of quantised_ that holds a product's activations: one made for a product shortly before, or a
/// new one.
uint32_t Kernels::place_quantised(const Product& p, uint64_t& bytes, uint32_t& rows) {
    if (takes_floats(p) || p.n == 0) return not_quantised;
    const ActivationKind kind = activation_kind(p.w.type);
    for (size_t i = quantised_.size(); i > 0 && i + 4 > quantised_.size(); --i) {
        const Quantised& q = quantised_[i - 1];
        if (q.kind == kind && q.x.data == p.x.data && q.x.stride == p.x.stride && q.n == p.n &&
            q.cols == p.w.cols)
            return uint32_t(i - 1);
    }
    quantised_.push_back({kind, p.x, p.n, p.w.cols, bytes, rows});
    bytes += p.n * activation_row_bytes(p.w.cols);
    rows += p.n;
    return uint32_t(quantised_.size() - 1);
}

void Kernels::quantise(std::span<const Product> products) {
    quantised_.clear();
    quantised_of_.clear();
    uint64_t bytes = 0, values = 0;
    uint32_t rows = 0;
    for (const Product& p : products) quantised_of_.push_back(place_quantised(p, bytes, rows));
    if (bytes > activations_.size()) {
        activations_ = Memory();  // not both at once
        activations_ = Memory(bytes);
    }
    const auto quantise_row = [&](const Quantised& q, uint32_t row) {
        table_.quantise(q.kind, q.x.row(row), q.cols,
                        activations_.data() + q.place + row * activation_row_bytes(q.cols));
    };
    for (const Quantised& q : quantised_) values += uint64_t(q.n) * q.cols;
    constexpr uint64_t worth_sharing = 32 * 1024;
    if (values < worth_sharing) {
        for (const Quantised& q : quantised_)
            for (uint32_t row = 0; row < q.n; ++row) quantise_row(q, row);
        return;
    }
    pool_.run(rows, [&](uint32_t task, uint32_t) {
        const auto after =
            std::upper_bound(quantised_.begin(), quantised_.end(), task,
                             [](uint32_t row, const Quantised& q) { return row < q.first_row; });
        const Quantised& q = *(after - 1);
        quantise_row(q, task - q.first_row);
    });
}

void Kernels::multiply(std::span<const Product> products) {
    quantise(products);
    pieces_.clear();
    uint64_t widest = 0;
    for (uint32_t i = 0; i < products.size(); ++i) {
        const Product& p = products[i];
        if (p.n == 0 || p.w.rows == 0) continue;
        widest = std::max<uint64_t>(widest, p.w.cols);
        const uint32_t step = p.transposed ? p.w.rows : rows_at_once(p, pool_.size());
        for (uint32_t r = 0; r < p.w.rows; r += step) pieces_.push_back({i, r, std::min(p.w.rows, r + step)});
    }
    const uint64_t floats = std::max<uint64_t>(4 * widest, 8192);
    pool_.run(uint32_t(pieces_.size()), [&](uint32_t task, uint32_t worker) {
        const Piece& piece = pieces_[task];
        const Product& p = products[piece.product];
        float* buffer = scratch(worker, floats);
        if (p.transposed)
            table_.matmul_transposed(p.w, p.x, p.y, p.n, buffer);
        else if (quantised_of_[piece.product] == not_quantised)
            table_.matmul(p.w, piece.begin, piece.end, p.x, p.y, p.n, buffer);
        else
            table_.matmul_quantised(p.w, piece.begin, piece.end,
                                    activations_.data() + quantised_[quantised_of_[piece.product]].place, p.y,
                                    p.n, buffer);
    });
}

}  // namespace sluice
