// Rows of a KV cache as vectors of floats, read as they lie: what integer attention makes its numbers of.
// Each kind of row has
//
//   native(d)   the dims from d on, as many as a vector has lanes
//   sixteen(d)  sixteen of them
//
// for d a multiple of what is asked for.
#pragma once

#include "kernels/portable/kv_rows.h"
#include "kernels/portable/words.h"

namespace sluice::portable::integers {

using words::NativeFloats;
using words::Words;

/// Sixteen floats of a row, a vector after the other.
template <typename Row>
[[gnu::always_inline]] static inline void sixteen_to(NativeFloats& v, const Row& row, uint32_t d) {
    v = row.native(d);
}
template <typename Row, typename H>
[[gnu::always_inline]] static inline void sixteen_to(lanes::Pair<H>& v, const Row& row, uint32_t d) {
    sixteen_to(v.low, row, d);
    sixteen_to(v.high, row, d + sizeof(H) / sizeof(float));
}
template <typename Row>
[[gnu::always_inline]] static inline lanes::Floats sixteen(const Row& row, uint32_t d) {
    lanes::Floats v;
    sixteen_to(v, row, d);
    return v;
}

/// f16
struct HalfRow {
    const std::byte* at;
    [[gnu::always_inline]] NativeFloats native(uint32_t d) const { return words::from_halves(at + 2 * d); }
};

/// Decoded.
struct FloatRow {
    const std::byte* at;
    [[gnu::always_inline]] NativeFloats native(uint32_t d) const {
        NativeFloats v;
        lanes::load_to(v, reinterpret_cast<const float*>(at) + d);
        return v;
    }
};

/// The lines of the rows that will be read next, asked for one at a time wherever there is time for it: many
/// at once would fill the queues of the caches, and products would wait behind them. Into the second-level
/// cache, for the first is smaller than a tile.
class LinesAhead {
  public:
    LinesAhead() = default;
    [[gnu::always_inline]] LinesAhead(const AttentionShape& s, const KvRows& rows) {
        if (!rows.next_keys) return;
        set(rows.next_keys, rows.key_stride, kv_row_bytes(s.format, s.key_width));
        if (s.values_in_keys) return;
        values_ = rows.next_values;
        value_stride_ = rows.value_stride;
        value_bytes_ = kv_row_bytes(s.format, s.value_width);
    }
    [[gnu::always_inline]] void ask(int lines = 1) {
        for (int i = 0; i < lines && rows_; ++i) {
            __builtin_prefetch(row_ + offset_, 0, 2);
            if ((offset_ += 64) >= bytes_) next_row();
        }
    }

  private:
    [[gnu::always_inline]] void set(const std::byte* first, uint64_t stride, uint64_t bytes) {
        row_ = first, stride_ = stride, bytes_ = bytes, offset_ = 0, rows_ = attention_tile;
    }
    [[gnu::always_inline]] void next_row() {
        offset_ = 0;
        row_ += stride_;
        if (--rows_ == 0 && values_) {
            set(values_, value_stride_, value_bytes_);
            values_ = nullptr;
        }
    }

    const std::byte *row_ = nullptr, *values_ = nullptr;
    uint64_t stride_ = 0, bytes_ = 0, offset_ = 0, value_stride_ = 0, value_bytes_ = 0;
    uint32_t rows_ = 0;  // that are left
};

/// Decodes one row of keys and fills its parts up with zeros.
static inline void decode_key(const AttentionShape& s, const std::byte* src, float* row) {
    kv_decode(s.format, src, row, s.key_width);
    const uint32_t first = attention_width(s.first_part), second = s.key_width - s.first_part,
                   end = attention_key_width(s);
    if (first != s.first_part) {
        __builtin_memmove(row + first, row + s.first_part, second * sizeof(float));
        __builtin_memset(row + s.first_part, 0, (first - s.first_part) * sizeof(float));
    }
    __builtin_memset(row + first + second, 0, (end - first - second) * sizeof(float));
}
static inline void decode_value(const AttentionShape& s, const std::byte* src, float* row) {
    kv_decode(s.format, src, row, s.value_width);
    __builtin_memset(row + s.value_width, 0,
                     (attention_width(s.value_width) - s.value_width) * sizeof(float));
}

}  // namespace sluice::portable::integers
