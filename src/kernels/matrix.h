// Views: what kernels compute on. A view owns nothing and knows nothing of files or models. Members are
// always_inline: these headers are compiled for several instruction sets, whose copies must not meet at link
// time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/tensor_type.h"

namespace sluice {

/// Weights W (rows, cols), row-major, each row a run of encoded blocks.
struct MatrixView {
    TensorType type = TensorType::F32;
    const std::byte* data = nullptr;
    uint32_t rows = 0, cols = 0;
    uint64_t row_bytes = 0;

    [[gnu::always_inline]] inline MatrixView slice_rows(uint32_t begin, uint32_t count) const {
        return {type, data + begin * row_bytes, count, cols, row_bytes};
    }
};

/// Activations x (n, width) in float32; row i begins at data + i * stride.
struct ConstRows {
    const float* data = nullptr;
    uint64_t stride = 0;
    [[gnu::always_inline]] inline const float* row(uint64_t i) const { return data + i * stride; }
};

struct Rows {
    float* data = nullptr;
    uint64_t stride = 0;
    [[gnu::always_inline]] inline float* row(uint64_t i) const { return data + i * stride; }
    [[gnu::always_inline]] inline operator ConstRows() const { return {data, stride}; }
};

}  // namespace sluice
