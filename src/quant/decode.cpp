#include "quant/decode.h"

#include <cmath>

#include "core/fail.h"
#include "quant/blocks.h"

namespace sluice {

void decode(TensorType type, const std::byte* src, float* dst, size_t n) {
    decode_row(type, reinterpret_cast<const uint8_t*>(src), dst, n);
}

bool can_encode(TensorType type) noexcept {
    return type == TensorType::F32 || type == TensorType::F16 || type == TensorType::BF16 ||
           type == TensorType::Q8_0;
}

namespace {

void encode_q8_0(const float* src, uint8_t* dst, size_t n) {
    for (size_t b = 0; b < n; b += 32, src += 32, dst += 34) {
        float largest = 0;
        for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(src[i]));
        const float d = largest / 127.0f, inverse = d > 0 ? 1.0f / d : 0.0f;
        const uint16_t half = half_from_float(d);
        __builtin_memcpy(dst, &half, 2);
        for (int i = 0; i < 32; ++i) dst[2 + i] = uint8_t(int8_t(std::round(src[i] * inverse)));
    }
}

template <typename Convert>
void encode_u16(const float* src, std::byte* dst, size_t n, const Convert& convert) {
    for (size_t i = 0; i < n; ++i) {
        const uint16_t x = convert(src[i]);
        __builtin_memcpy(dst + 2 * i, &x, 2);
    }
}

}  // namespace

void encode(TensorType type, const float* src, std::byte* dst, size_t n) {
    switch (type) {
        case TensorType::F32:
            __builtin_memcpy(dst, src, n * 4);
            return;
        case TensorType::F16:
            return encode_u16(src, dst, n, half_from_float);
        case TensorType::BF16:
            return encode_u16(src, dst, n, bf16_from_float);
        case TensorType::Q8_0:
            return encode_q8_0(src, reinterpret_cast<uint8_t*>(dst), n);
        default:
            fail(ErrorCode::unsupported, "expected a type Sluice can write (F32, F16, BF16, Q8_0), found {}",
                 info(type).name);
    }
}

float half_to_float(uint16_t h) noexcept {
    return float_from_half(h);
}
uint16_t float_to_half(float f) noexcept {
    return half_from_float(f);
}

}  // namespace sluice
