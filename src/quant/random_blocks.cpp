#include "quant/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/fail.h"
#include "quant/decode.h"

namespace sluice {

namespace {

/// Where a block keeps its half-precision scale, and its minimum if it has one.
struct ScaleFields {
    TensorType type;
    int scale, minimum;   // byte offsets; -1: none
    float minimum_ratio;  // minimum / scale that centres the weights: the mean of the (unsigned) quants
};

constexpr ScaleFields fields[] = {
    {TensorType::Q4_0, 0, -1, 0},     {TensorType::Q4_1, 0, 2, -7.5f}, {TensorType::Q5_0, 0, -1, 0},
    {TensorType::Q5_1, 0, 2, -15.5f}, {TensorType::Q8_0, 0, -1, 0},    {TensorType::Q2_K, 80, 82, 1.5f},
    {TensorType::Q3_K, 108, -1, 0},   {TensorType::Q4_K, 0, 2, 7.5f},  {TensorType::Q5_K, 0, 2, 15.5f},
    {TensorType::Q6_K, 208, -1, 0},   {TensorType::IQ2_XXS, 0, -1, 0}, {TensorType::IQ2_XS, 0, -1, 0},
    {TensorType::IQ2_S, 0, -1, 0},    {TensorType::IQ3_XXS, 0, -1, 0}, {TensorType::IQ3_S, 0, -1, 0},
    {TensorType::IQ1_S, 0, -1, 0},    {TensorType::IQ4_NL, 0, -1, 0},  {TensorType::IQ4_XS, 0, -1, 0},
};

void put_half(uint8_t* at, float value) {
    const uint16_t half = float_to_half(value);
    std::memcpy(at, &half, sizeof half);
}

/// IQ1_M spreads its scale over the top nibbles of four 16-bit words.
void put_iq1_m_scale(uint8_t* block, float value) {
    const uint16_t half = float_to_half(value);
    for (int i = 0; i < 4; ++i) {
        uint8_t& high = block[48 + 2 * i + 1];
        high = uint8_t((high & 0x0f) | (half >> (4 * i) & 0xf) << 4);
    }
}

bool is_float(TensorType type) {
    return type == TensorType::F32 || type == TensorType::F16 || type == TensorType::BF16;
}

/// Nearly normal, from one random word: the sum of four uniform numbers (deviation of one: 65536/sqrt(12)).
float nearly_normal(uint64_t random) {
    const uint64_t sum =
        (random & 0xffff) + (random >> 16 & 0xffff) + (random >> 32 & 0xffff) + (random >> 48);
    return (float(sum) - 131070.0f) / 37837.2f;
}

}  // namespace

RandomBlocks::RandomBlocks(TensorType type, double deviation)
    : type_(type), block_bytes_(info(type).block_bytes) {
    if (is_float(type)) {
        scale_ = float(deviation);
        return;
    }
    // Measured with scale 1: what the format's code book and inner scales make of random bits.
    constexpr size_t n_blocks = 512;
    std::vector<std::byte> sample(n_blocks * block_bytes_);
    std::vector<float> weights(n_blocks * info(type).block_weights);
    fill(sample, 1);
    decode(type, sample.data(), weights.data(), weights.size());
    double squares = 0;
    for (const float w : weights) squares += double(w) * w;
    scale_ = float(deviation / std::sqrt(squares / double(weights.size())));
}

void RandomBlocks::set_scales(uint8_t* block, uint64_t random) const {
    const float scale = random & 1 ? scale_ : -scale_;  // either sign: the mean over blocks is 0
    if (type_ == TensorType::MXFP4) {                   // 2^(e - 128), E8M0
        block[0] = uint8_t(std::clamp(int(std::lround(std::log2(scale_))) + 128, 1, 254));
        return;
    }
    if (type_ == TensorType::IQ1_M) return put_iq1_m_scale(block, scale);
    for (const ScaleFields& f : fields) {
        if (f.type != type_) continue;
        put_half(block + f.scale, scale);
        if (f.minimum >= 0) put_half(block + f.minimum, scale * f.minimum_ratio);
        return;
    }
    fail(ErrorCode::unsupported, "random blocks of {} cannot be made", info(type_).name);
}

void RandomBlocks::fill(std::span<std::byte> out, uint64_t seed) const {
    std::mt19937_64 random(seed);
    if (is_float(type_)) {
        for (size_t at = 0; at < out.size(); at += block_bytes_) {
            const float weight = scale_ * nearly_normal(random());
            encode(type_, &weight, out.data() + at, 1);
        }
        return;
    }
    for (size_t at = 0; at < out.size(); at += sizeof(uint64_t)) {
        const uint64_t word = random();
        std::memcpy(out.data() + at, &word, std::min(sizeof word, out.size() - at));
    }
    for (size_t at = 0; at < out.size(); at += block_bytes_)
        set_scales(reinterpret_cast<uint8_t*>(out.data() + at), random());
}

}  // namespace sluice
