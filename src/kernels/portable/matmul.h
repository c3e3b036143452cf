// Matrix products on decoded rows. One accumulator of 16 lanes for each (row, token) pair, filled in order of
// the columns, so that a token's result has the same bits alone or in a batch.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/portable/lanes.h"
#include "quant/blocks.h"

namespace sluice::portable {

using lanes::Floats;

// Accumulators that fit the registers: rows x tokens of a tile.
#if defined(__AVX512F__)
inline constexpr int tile_rows = 4, tile_tokens = 4;
#else
inline constexpr int tile_rows = 2, tile_tokens = 3;
#endif

/// acc[r][t] += w[r] * x[t] over n columns; the rest beyond a multiple of 16 fills the first lanes.
template <int R, int T>
[[gnu::always_inline]] static inline void accumulate(const float* w, uint64_t w_stride, const float* x,
                                                     uint64_t x_stride, uint32_t n, Floats (&acc)[R][T]) {
    const auto step = [&](const auto& load, uint32_t c) __attribute__((always_inline)) {
        Floats xv[T];
        lanes::unrolled<T>([&](auto t)
                               __attribute__((always_inline)) { xv[t] = load(x + t * x_stride + c); });
        lanes::unrolled<R>([&](auto r) __attribute__((always_inline)) {
            const Floats wv = load(w + r * w_stride + c);
            lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
                acc[r][t] = lanes::multiply_add(acc[r][t], wv, xv[t]);
            });
        });
    };
    uint32_t c = 0;
    for (; c + lanes::width <= n; c += lanes::width)
        step(
            [](const float* p) __attribute__((always_inline)) { return lanes::load(p); }, c);
    if (c < n)
        step(
            [rest = n - c](const float* p)
                __attribute__((always_inline)) { return lanes::load_part(p, rest); },
            c);
}

template <int R, int T>
[[gnu::always_inline]] static inline void dot_tile(const float* w, uint64_t w_stride, ConstRows x,
                                                   uint32_t t0, uint32_t n, Rows y, uint32_t r0) {
    Floats acc[R][T];
    lanes::unrolled<R>([&](auto r) __attribute__((always_inline)) {
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) { acc[r][t] = lanes::all(0.0f); });
    });
    accumulate<R, T>(w, w_stride, x.row(t0), x.stride, n, acc);
    lanes::unrolled<R>([&](auto r) __attribute__((always_inline)) {
        lanes::unrolled<T>([&](auto t) __attribute__((always_inline)) {
            y.row(t0 + uint32_t(t))[r0 + uint32_t(r)] = lanes::sum(acc[r][t]);
        });
    });
}

/// R decoded rows against all tokens.
template <int R>
[[gnu::always_inline]] static inline void dot_rows(const float* w, uint64_t w_stride, ConstRows x,
                                                   uint32_t tokens, uint32_t n, Rows y, uint32_t r0) {
    constexpr int step = R < tile_rows ? R : tile_rows;
    uint32_t t = 0;
    for (; t + tile_tokens <= tokens; t += tile_tokens)
        for (int r = 0; r < R; r += step)
            dot_tile<step, tile_tokens>(w + r * w_stride, w_stride, x, t, n, y, r0 + uint32_t(r));
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
    Floats acc[R][1];
    lanes::unrolled<R>([&](auto r) __attribute__((always_inline)) { acc[r][0] = lanes::all(0.0f); });
    for (uint32_t c = 0; c < w.cols; c += piece) {
        const uint32_t n = w.cols - c < piece ? w.cols - c : piece;
        for (int r = 0; r < R; ++r)
            decode_row(w.type, row + r * w.row_bytes + c / piece * piece_bytes, scratch + r * piece, n);
        accumulate<R, 1>(scratch, piece, x + c, 0, n, acc);
    }
    lanes::unrolled<R>([&](auto r) __attribute__((always_inline)) {
        y.row(0)[r0 + uint32_t(r)] = lanes::sum(acc[r][0]);
    });
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
