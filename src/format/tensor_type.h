// The element types a GGUF tensor can have: their ids in the file, block sizes, names. Facts of the file
// format; how a block's bytes become numbers is quant/'s business. Source: the GGUF specification and ggml's
// block structs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

/// Values are the ids in the file.
enum class TensorType : uint32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    IQ1_M = 29,
    BF16 = 30,
    MXFP4 = 39,
};

struct TensorTypeInfo {
    TensorType type;
    std::string_view name;   // "Q4_K"
    uint32_t block_weights;  // weights in a block; a row's length is a multiple of it
    uint32_t block_bytes;    // bytes of a block
    double bits_per_weight() const { return 8.0 * block_bytes / block_weights; }
};

/// The entry for an id read from a file, or nullptr if Sluice does not know it.
const TensorTypeInfo* find_tensor_type(uint32_t ggml_id) noexcept;
/// The entry of a known type.
const TensorTypeInfo& info(TensorType type);
/// All known types, for tables and tests: [begin, end).
const TensorTypeInfo* tensor_types_begin() noexcept;
const TensorTypeInfo* tensor_types_end() noexcept;
/// Bytes of `n` weights in a row (n a multiple of block_weights), or nothing if n is not, or it overflows.
std::optional<uint64_t> row_bytes(TensorType type, uint64_t n) noexcept;

}  // namespace sluice
