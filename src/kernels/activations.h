// Activations as the integer kernels take them: signed bytes with a scale for each 256 values (for the types
// whose blocks hold 256 weights) or for each 32 (for the others), 256 values to a block, the last one filled
// up with zeros.
#pragma once

#include <cstdint>

#include "format/tensor_type.h"

namespace sluice {

enum class ActivationKind : uint8_t {
    floats,  // the type is multiplied in floating point
    by_256,
    by_32
};

struct alignas(64) Activations256 {
    int8_t q[256];
    int16_t sums[16];  // of each 16 of q
    float scale;
    int16_t sums_of_32[8];
};

struct alignas(64) Activations32 {
    int8_t q[256];
    float scale[8];
    int32_t sums[8];  // of each 32 of q
};

static_assert(sizeof(Activations256) == 320 && sizeof(Activations32) == 320);
inline constexpr uint32_t activation_block = 256, activation_block_bytes = 320;

[[gnu::always_inline]] static inline ActivationKind activation_kind(TensorType type) {
    switch (type) {
        case TensorType::F32:
        case TensorType::F16:
        case TensorType::BF16:
            return ActivationKind::floats;
        case TensorType::Q4_0:
        case TensorType::Q4_1:
        case TensorType::Q5_0:
        case TensorType::Q5_1:
        case TensorType::Q8_0:
        case TensorType::IQ4_NL:
        case TensorType::MXFP4:
            return ActivationKind::by_32;
        case TensorType::Q2_K:
        case TensorType::Q3_K:
        case TensorType::Q4_K:
        case TensorType::Q5_K:
        case TensorType::Q6_K:
        case TensorType::IQ1_S:
        case TensorType::IQ1_M:
        case TensorType::IQ2_XXS:
        case TensorType::IQ2_XS:
        case TensorType::IQ2_S:
        case TensorType::IQ3_XXS:
        case TensorType::IQ3_S:
        case TensorType::IQ4_XS:
            break;
    }
    return ActivationKind::by_256;
}

[[gnu::always_inline]] static inline uint64_t activation_row_bytes(uint32_t n) {
    return uint64_t(n + activation_block - 1) / activation_block * activation_block_bytes;
}

}  // namespace sluice
