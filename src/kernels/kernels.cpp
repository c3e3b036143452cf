#include "kernels/kernels.h"

#include <algorithm>

#include "core/fail.h"

namespace sluice {

namespace plain {
extern const KernelTable table;
}
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}

const KernelTable& kernel_table(Isa isa) {
    switch (isa) {
#if defined(SLUICE_X86)
        case Isa::avx512:
            return avx512::table;
        case Isa::avx2:
            return avx2::table;
#else
        case Isa::avx512:
        case Isa::avx2:
            fail(ErrorCode::unsupported, "this build of Sluice has no {} kernels", to_string(isa));
#endif
        case Isa::plain:
            break;
    }
    return plain::table;
}

float* Kernels::scratch(uint32_t worker, uint64_t n) {
    Memory& m = scratch_[worker];
    if (m.size() < n * sizeof(float)) m = Memory(n * sizeof(float));
    return m.floats();
}

uint64_t Kernels::scratch_bytes() const {
    uint64_t sum = 0;
    for (const auto& m : scratch_) sum += m.size();
    return sum;
}

namespace {

/// Rows a worker takes at once: enough work to pay for the hand-out (some microseconds), few enough to share
/// evenly.
uint32_t rows_at_once(const Product& p, uint32_t workers) {
    constexpr uint64_t least_work = 64 * 1024;  // multiply-adds
    const uint64_t per_row = uint64_t(p.w.cols) * p.n;
    const uint64_t even = (p.w.rows + workers * 4 - 1) / (workers * 4);
    const uint64_t rows = std::max<uint64_t>({even, least_work / std::max<uint64_t>(per_row, 1), 4});
    return uint32_t(std::min<uint64_t>((rows + 3) / 4 * 4, p.w.rows));
}

}  // namespace

void Kernels::multiply(std::span<const Product> products) {
    pieces_.clear();
    uint64_t widest = 0;
    for (uint32_t i = 0; i < products.size(); ++i) {
        const Product& p = products[i];
        if (p.n == 0 || p.w.rows == 0) continue;
        widest = std::max<uint64_t>(widest, p.w.cols);
        const uint32_t step = p.transposed ? p.w.rows : rows_at_once(p, pool_.size());
        for (uint32_t r = 0; r < p.w.rows; r += step) pieces_.push_back({i, r, std::min(p.w.rows, r + step)});
    }
    const uint64_t floats = std::max<uint64_t>(4 * widest, 4 * 256);
    pool_.run(uint32_t(pieces_.size()), [&](uint32_t task, uint32_t worker) {
        const Piece& piece = pieces_[task];
        const Product& p = products[piece.product];
        float* buffer = scratch(worker, floats);
        if (p.transposed)
            table_.matmul_transposed(p.w, p.x, p.y, p.n, buffer);
        else
            table_.matmul(p.w, piece.begin, piece.end, p.x, p.y, p.n, buffer);
    });
}

}  // namespace sluice
