// Encoded rows of weights to float32 and (for the types we write ourselves) back.
//
// decode() is the reference: every other way to use a block (kernels/) is tested against it. Each family's
// header (quant/floats.h, legacy.h, k_quants.h, iq_quants.h, mxfp4.h) holds `static inline` block decoders
// over raw pointers with no std:: calls, so that kernels/ can compile them again for each instruction set
// without sharing symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "format/tensor_type.h"

namespace sluice {

/// Decodes n weights (a multiple of the type's block_weights) from `src` to `dst`.
/// Bit-exact with the format's reference implementation.
void decode(TensorType type, const std::byte* src, float* dst, size_t n);

/// True for the types encode() can write.
bool can_encode(TensorType type) noexcept;
/// Encodes n weights (a multiple of block_weights): F32, F16, BF16 (to nearest even), Q8_0 (round half away
/// from zero, scale = max|x| / 127 kept as half). Throws unsupported for other types.
void encode(TensorType type, const float* src, std::byte* dst, size_t n);

float half_to_float(uint16_t h) noexcept;
uint16_t float_to_half(float f) noexcept;

}  // namespace sluice
