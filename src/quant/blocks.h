// A run of weights of any type, decoded: one switch, then a loop over blocks.
#pragma once

#include "format/tensor_type.h"
#include "quant/iq_quants.h"
#include "quant/k_quants.h"
#include "quant/legacy.h"

namespace sluice {

/// Bytes of 256 weights, which are whole blocks of every type.
[[gnu::always_inline]] static inline uint64_t row_bytes_of_piece(TensorType type) {
    switch (type) {
        case TensorType::F32:
            return 1024;
        case TensorType::F16:
        case TensorType::BF16:
            return 512;
        case TensorType::Q4_0:
        case TensorType::IQ4_NL:
            return 8 * 18;
        case TensorType::Q4_1:
            return 8 * 20;
        case TensorType::Q5_0:
            return 8 * 22;
        case TensorType::Q5_1:
            return 8 * 24;
        case TensorType::Q8_0:
            return 8 * 34;
        case TensorType::MXFP4:
            return 8 * 17;
        case TensorType::Q2_K:
            return 84;
        case TensorType::Q3_K:
            return 110;
        case TensorType::Q4_K:
            return 144;
        case TensorType::Q5_K:
            return 176;
        case TensorType::Q6_K:
            return 210;
        case TensorType::IQ1_S:
            return 50;
        case TensorType::IQ1_M:
            return 56;
        case TensorType::IQ2_XXS:
            return 66;
        case TensorType::IQ2_XS:
            return 74;
        case TensorType::IQ2_S:
            return 82;
        case TensorType::IQ3_XXS:
            return 98;
        case TensorType::IQ3_S:
            return 110;
        case TensorType::IQ4_XS:
            return 136;
    }
    return 0;
}

template <uint32_t Weights, uint32_t Bytes, typename Decode>
[[gnu::always_inline]] static inline void decode_blocks(const uint8_t* src, float* dst, uint64_t n,
                                                        const Decode& decode_block) {
    for (uint64_t i = 0; i < n; i += Weights, src += Bytes) decode_block(src, dst + i);
}

/// n: a multiple of the type's block.
static inline void decode_row(TensorType type, const uint8_t* src, float* dst, uint64_t n) {
    switch (type) {
        case TensorType::F32:
            return decode_f32(src, dst, n);
        case TensorType::F16:
            return decode_f16(src, dst, n);
        case TensorType::BF16:
            return decode_bf16(src, dst, n);
        case TensorType::Q4_0:
            return decode_blocks<32, 18>(src, dst, n, decode_block_q4_0);
        case TensorType::Q4_1:
            return decode_blocks<32, 20>(src, dst, n, decode_block_q4_1);
        case TensorType::Q5_0:
            return decode_blocks<32, 22>(src, dst, n, decode_block_q5_0);
        case TensorType::Q5_1:
            return decode_blocks<32, 24>(src, dst, n, decode_block_q5_1);
        case TensorType::Q8_0:
            return decode_blocks<32, 34>(src, dst, n, decode_block_q8_0);
        case TensorType::MXFP4:
            return decode_blocks<32, 17>(src, dst, n, decode_block_mxfp4);
        case TensorType::IQ4_NL:
            return decode_blocks<32, 18>(src, dst, n, decode_block_iq4_nl);
        case TensorType::Q2_K:
            return decode_blocks<256, 84>(src, dst, n, decode_block_q2_k);
        case TensorType::Q3_K:
            return decode_blocks<256, 110>(src, dst, n, decode_block_q3_k);
        case TensorType::Q4_K:
            return decode_blocks<256, 144>(src, dst, n, decode_block_q4_k);
        case TensorType::Q5_K:
            return decode_blocks<256, 176>(src, dst, n, decode_block_q5_k);
        case TensorType::Q6_K:
            return decode_blocks<256, 210>(src, dst, n, decode_block_q6_k);
        case TensorType::IQ1_S:
            return decode_blocks<256, 50>(src, dst, n, decode_block_iq1_s);
        case TensorType::IQ1_M:
            return decode_blocks<256, 56>(src, dst, n, decode_block_iq1_m);
        case TensorType::IQ2_XXS:
            return decode_blocks<256, 66>(src, dst, n, decode_block_iq2_xxs);
        case TensorType::IQ2_XS:
            return decode_blocks<256, 74>(src, dst, n, decode_block_iq2_xs);
        case TensorType::IQ2_S:
            return decode_blocks<256, 82>(src, dst, n, decode_block_iq2_s);
        case TensorType::IQ3_XXS:
            return decode_blocks<256, 98>(src, dst, n, decode_block_iq3_xxs);
        case TensorType::IQ3_S:
            return decode_blocks<256, 110>(src, dst, n, decode_block_iq3_s);
        case TensorType::IQ4_XS:
            return decode_blocks<256, 136>(src, dst, n, decode_block_iq4_xs);
    }
}

}  // namespace sluice
