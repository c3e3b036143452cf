// Matrix products on decoded rows. One accumulator of 16 lanes for each (row, token) pair, filled in order of
// the columns, so that a token's result has the same bits alone or in a batch.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/portable/lanes.h"
#include "quant/blocks.h"

namespace sluice::portable {

using lanes::Floats;

/// acc[r][t] += w[r] * x[t] over n columns; the rest beyond a multiple of 16 fills the first lanes.
template <int R, int T>
[[gnu::always_inline]] static inline void accumulate(const float* w, uint64_t w_stride, const float* x,
                                                     uint64_t x_stride, uint32_t n, Floats (&acc)[R][T]) {
    uint32_t c = 0;
    for (; c + lanes::width <= n; c += lanes::width) {
        Floats xv[T];
        for (int t = 0; t < T; ++t) xv[t] = lanes::load(x + t * x_stride + c);
        for (int r = 0; r < R; ++r) {
            const Floats wv = lanes::load(w + r * w_stride + c);
            for (int t = 0; t < T; ++t) acc[r][t] += wv * xv[t];
        }
    }
    if (c == n) return;
    for (int r = 0; r < R; ++r) {
        const Floats wv = lanes::load_part(w + r * w_stride + c, n - c);
        for (int t = 0; t < T; ++t) acc[r][t] += wv * lanes::load_part(x + t * x_stride + c, n - c);
    }
}

template <int R, int T>
[[gnu::always_inline]] static inline void dot_tile(const float* w, uint64_t w_stride, ConstRows x,
                                                   uint32_t t0, uint32_t n, Rows y, uint32_t r0) {
    Floats acc[R][T] = {};
    accumulate<R, T>(w, w_stride, x.row(t0), x.stride, n, acc);
    for (int r = 0; r < R; ++r)
        for (int t = 0; t < T; ++t) y.row(t0 + t)[r0 + r] = lanes::sum(acc[r][t]);
}

/// R decoded rows against all tokens, four tokens at a time.
template <int R>
[[gnu::always_inline]] static inline void dot_rows(const float* w, uint64_t w_stride, ConstRows x,
                                                   uint32_t tokens, uint32_t n, Rows y, uint32_t r0) {
    uint32_t t = 0;
    for (; t + 4 <= tokens; t += 4) dot_tile<R, 4>(w, w_stride, x, t, n, y, r0);
    for (; t < tokens; ++t) dot_tile<R, 1>(w, w_stride, x, t, n, y, r0);
}

/// R encoded rows against one token: decoded a piece at a time, so that it never leaves the first-level
/// cache.
template <int R>
[[gnu::always_inline]] static inline void dot_encoded(const MatrixView& w, uint32_t r0, const float* x,
                                                      Rows y, float* scratch) {
    constexpr uint32_t piece = 256;  // a multiple of every block size
    const uint8_t* row = reinterpret_cast<const uint8_t*>(w.data) + r0 * w.row_bytes;
    const uint64_t piece_bytes = row_bytes_of_piece(w.type);
    Floats acc[R][1] = {};
    for (uint32_t c = 0; c < w.cols; c += piece) {
        const uint32_t n = w.cols - c < piece ? w.cols - c : piece;
        for (int r = 0; r < R; ++r)
            decode_row(w.type, row + r * w.row_bytes + c / piece * piece_bytes, scratch + r * piece, n);
        accumulate<R, 1>(scratch, piece, x + c, 0, n, acc);
    }
    for (int r = 0; r < R; ++r) y.row(0)[r0 + r] = lanes::sum(acc[r][0]);
}

template <int R>
[[gnu::always_inline]] static inline void rows_times_tokens(const MatrixView& w, uint32_t r0, ConstRows x,
                                                            Rows y, uint32_t n, float* scratch) {
    const uint8_t* row = reinterpret_cast<const uint8_t*>(w.data) + r0 * w.row_bytes;
    if (w.type == TensorType::F32) {  // as it lies in the file, whose alignment suits float
        dot_rows<R>(reinterpret_cast<const float*>(row), w.row_bytes / sizeof(float), x, n, w.cols, y, r0);
    } else if (n == 1) {
        dot_encoded<R>(w, r0, x.row(0), y, scratch);
    } else {
        for (int r = 0; r < R; ++r)
            decode_row(w.type, row + r * w.row_bytes, scratch + uint64_t(r) * w.cols, w.cols);
        dot_rows<R>(scratch, w.cols, x, n, w.cols, y, r0);
    }
}

}  // namespace sluice::portable
