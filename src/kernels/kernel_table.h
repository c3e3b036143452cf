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
/// Queries that meet a tile in one call, at most.
inline constexpr uint32_t attention_queries = 64;

/// The rows of one KV head that attention reads. A key has one part, or two that are quantised apart because
/// their sizes differ by orders of magnitude: MLA's compressed content, then what was turned.
struct AttentionShape {
    KvFormat format = KvFormat::f16;
    uint32_t key_width = 0, value_width = 0;
    uint32_t first_part = 0;      // values of a key's first part; key_width if there is only one
    bool values_in_keys = false;  // the values are the keys' first part (MLA)
};

/// Rows of a cache, encoded: n positions from a multiple of attention_tile on.
struct KvRows {
    const std::byte *keys = nullptr, *values = nullptr;  // values: unused if they are in the keys
    uint64_t key_stride = 0, value_stride = 0;
    uint32_t n = 0;
    /// The rows that will probably be asked for next, a whole tile: they are fetched from memory meanwhile.
    const std::byte *next_keys = nullptr, *next_values = nullptr;
};

/// Running softmax of one query: the largest score, and the sum of weights relative to it. Begins {-inf, 0}.
struct AttentionState {
    float max, sum;
};

/// One query of a call.
struct AttentionQuery {
    const std::byte* query = nullptr;  // in the form attention_query gave it
    AttentionState* state = nullptr;
    float* out = nullptr;  // (attention_width(value_width)); weighted values, relative to state->max
    uint32_t seen = 0;     // positions of the tile that it may see, at least 1
};

/// Widths are filled up with zeros to whole vectors of 16-bit numbers.
[[gnu::always_inline]] constexpr uint32_t attention_width(uint32_t width) {
    return (width + 31) / 32 * 32;
}
[[gnu::always_inline]] constexpr uint32_t attention_key_width(const AttentionShape& s) {
    return attention_width(s.first_part) + attention_width(s.key_width - s.first_part);
}
/// Bytes of a query and of a tile as the kernels take them, work space included; multiples of 64.
[[gnu::always_inline]] constexpr uint64_t attention_query_bytes(const AttentionShape& s) {
    return 64 + uint64_t(attention_key_width(s)) * 4;
}
[[gnu::always_inline]] constexpr uint64_t attention_tile_bytes(const AttentionShape& s) {
    return 1024 + uint64_t(attention_key_width(s) + attention_width(s.value_width)) * attention_tile * 4;
}

struct KernelTable {
    /// One row of n floats in the form the integer kernels take (kind: by_256 or by_32), into
    /// activation_row_bytes(n) bytes, aligned to 64.
    void (*quantise)(ActivationKind kind, const float* x, uint32_t n, std::byte* out);
    /// y[t][r] = dot(w.row(r), activations[t]) for quantised weights (activation_kind() is not floats).
    /// activations: rows of activation_row_bytes(w.cols). The rows of w follow each other without a gap.
    /// scratch: the larger of 4 * w.cols and 8192 floats.
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

    /// Attention (portable/attention.h says how; its results have the same bits on every instruction set
    /// unless the cache is f32). A scaled query, (key_width), in the form that attend takes.
    void (*attention_query)(const AttentionShape& shape, const float* query, std::byte* out);
    /// A tile of the cache in the form that attend takes.
    void (*attention_tile)(const AttentionShape& shape, const KvRows& rows, std::byte* tile);
    /// Folds a tile into the states and outputs of n <= attention_queries queries. Online softmax (Milakov
    /// and Gimelshein 2018).
    void (*attend)(const AttentionShape& shape, const std::byte* tile, const AttentionQuery* queries,
                   uint32_t n);
    /// Folds what a query found in later positions, from and from_out, into what it found before; `to` may be
    /// {-inf, 0}, with anything in `out`.
    void (*attend_merge)(const AttentionState& from, const float* from_out, AttentionState& to, float* out,
                         uint32_t n);
    const char* name;
};

}  // namespace sluice
