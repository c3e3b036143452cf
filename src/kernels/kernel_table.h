// The functions an instruction set provides. kernels/portable/ is compiled once for each set; an entry does
// the work of one thread, kernels/*.h divide it.
//
// Promise 1 rests on this: each output element is computed by a fixed sequence of operations that depends on
// the row and the token alone, never on how many tokens or rows the call has, nor on who computes the
// neighbours.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/activations.h"
#include "kernels/matrix.h"

namespace sluice {

/// How a row of the KV cache is encoded. q8_0: blocks of 32 values, the last one shorter if the width asks
/// for it, each a half-precision scale followed by signed bytes.
enum class KvFormat : uint8_t { f32, f16, q8_0 };

/// Bytes of `width` cached values.
[[gnu::always_inline]] constexpr uint64_t kv_row_bytes(KvFormat format, uint32_t width) {
    switch (format) {
        case KvFormat::f32:
            return uint64_t(width) * 4;
        case KvFormat::f16:
            return uint64_t(width) * 2;
        case KvFormat::q8_0:
            break;
    }
    return uint64_t(width) + 2ull * ((width + 31) / 32);
}

/// Positions attended over at once; tiles begin at multiples of it, so that the order of sums is fixed.
inline constexpr uint32_t attention_tile = 64;

/// One run of attention: queries of one token over positions [0, n_positions) of one cache.
struct AttentionTile {
    const float* keys = nullptr;    // (n, key_stride), decoded
    const float* values = nullptr;  // (n, value_stride), decoded; may lie inside the keys (MLA)
    uint32_t key_width = 0, value_width = 0, key_stride = 0, value_stride = 0;
    uint32_t n = 0;  // positions of this tile that the query may see
};

/// Running softmax of one query: sum of weights relative to `max`, and the weighted values.
struct AttentionState {
    float max, sum;
};

struct KernelTable {
    /// One row of n floats in the form the integer kernels take (kind: by_256 or by_32), into
    /// activation_row_bytes(n) bytes, aligned to 64.
    void (*quantise)(ActivationKind kind, const float* x, uint32_t n, std::byte* out);
    /// y[t][r] = dot(w.row(r), activations[t]) for quantised weights (activation_kind() is not floats).
    /// activations: rows of activation_row_bytes(w.cols). scratch: 8192 floats.
    void (*matmul_quantised)(const MatrixView& w, uint32_t row_begin, uint32_t row_end,
                             const std::byte* activations, Rows y, uint32_t n, float* scratch);
    /// As matmul_quantised for floats, of weights and activations. scratch: the larger of 4 * w.cols and 1024
    /// floats.
    void (*matmul)(const MatrixView& w, uint32_t row_begin, uint32_t row_end, ConstRows x, Rows y, uint32_t n,
                   float* scratch);
    /// y[t][c] = sum over rows r of x[t][r] * w[r][c]: the transposed product, for weights stored the other
    /// way round. scratch: w.cols floats.
    void (*matmul_transposed)(const MatrixView& w, ConstRows x, Rows y, uint32_t n, float* scratch);
    /// One row of weights as float32.
    void (*decode_row)(TensorType type, const std::byte* src, float* dst, uint32_t n);

    /// y = x / sqrt(mean(x^2) + eps) * weight
    void (*rms_norm)(const float* x, const float* weight, float eps, float* y, uint32_t n);
    /// y[i] += x[i] * scale
    void (*add_scaled)(const float* x, float scale, float* y, uint32_t n);
    /// gate[i] = silu(gate[i]) * up[i]
    void (*swiglu)(float* gate, const float* up, uint32_t n);

    void (*kv_encode)(KvFormat format, const float* src, std::byte* dst, uint32_t width);
    void (*kv_decode)(KvFormat format, const std::byte* src, float* dst, uint32_t width);
    /// Folds one tile into a query's state: out (value_width) and state are updated. Online softmax (Milakov
    /// and Gimelshein 2018). query is scaled already. The first tile finds state {-inf, 0}.
    void (*attend)(const AttentionTile& tile, const float* query, AttentionState& state, float* out);
    const char* name;
};

}  // namespace sluice
