// The portable kernels for one instruction set (SLUICE_ISA): plain, well-laid loops that the compiler
// vectorises. No std:: calls and no inline functions with external linkage: see scripts/check-isa.
#include "kernels/portable/attention.h"
#include "kernels/portable/elementwise.h"
#include "kernels/portable/kv_rows.h"
#include "kernels/portable/matmul.h"
#include "kernels/portable/products.h"
#include "kernels/portable/quantise.h"

#define SLUICE_STRING_(x) #x
#define SLUICE_STRING(x) SLUICE_STRING_(x)

namespace sluice {

namespace portable {

static void matmul(const MatrixView& w, uint32_t row_begin, uint32_t row_end, ConstRows x, Rows y, uint32_t n,
                   float* scratch) {
    uint32_t r = row_begin;
    for (; r + 4 <= row_end; r += 4) rows_times_tokens<4>(w, r, x, y, n, scratch);
    for (; r < row_end; ++r) rows_times_tokens<1>(w, r, x, y, n, scratch);
}

static void matmul_transposed(const MatrixView& w, ConstRows x, Rows y, uint32_t n, float* scratch) {
    for (uint32_t t = 0; t < n; ++t) __builtin_memset(y.row(t), 0, w.cols * sizeof(float));
    for (uint32_t r = 0; r < w.rows; ++r) {
        decode_row(w.type, reinterpret_cast<const uint8_t*>(w.data) + r * w.row_bytes, scratch, w.cols);
        for (uint32_t t = 0; t < n; ++t) add_scaled(scratch, x.row(t)[r], y.row(t), w.cols);
    }
}

static void decode_weights(TensorType type, const std::byte* src, float* dst, uint32_t n) {
    decode_row(type, reinterpret_cast<const uint8_t*>(src), dst, n);
}

}  // namespace portable

namespace SLUICE_ISA {

extern const KernelTable table;
const KernelTable table = {
    .quantise = portable::quantise,
    .matmul_quantised = portable::matmul_quantised,
    .matmul = portable::matmul,
    .matmul_transposed = portable::matmul_transposed,
    .decode_row = portable::decode_weights,
    .rms_norm = portable::rms_norm,
    .add_scaled = portable::add_scaled,
    .swiglu = portable::swiglu,
    .kv_encode = portable::kv_encode,
    .kv_decode = portable::kv_decode,
    .attention_query = portable::attention_query,
    .attention_tile = portable::attention_tile_of,
    .attend = portable::attend,
    .attend_merge = portable::attend_merge,
    .name = SLUICE_STRING(SLUICE_ISA),
};

}  // namespace SLUICE_ISA

}  // namespace sluice
