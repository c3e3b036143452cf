// Every block format against rows that the format's reference implementation encoded and decoded
// (tests/data/quants).
#include "quant/decode.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "sluice/error.h"

#include "quant/grids.h"

namespace sluice {
namespace {

struct Golden {
    TensorType type;
    uint32_t rows, cols;
    std::vector<std::byte> encoded;
    std::vector<float> decoded;
};

/// u32 {type, rows, columns, n bytes}, the encoded rows, the decoded float32 values.
Golden read_golden(const std::string& name) {
    std::ifstream in(std::filesystem::path(SLUICE_TEST_DATA) / "quants" / (name + ".bin"), std::ios::binary);
    uint32_t head[4] = {};
    in.read(reinterpret_cast<char*>(head), sizeof head);
    Golden g{TensorType(head[0]), head[1], head[2], {}, {}};
    g.encoded.resize(head[3]);
    g.decoded.resize(size_t(g.rows) * g.cols);
    in.read(reinterpret_cast<char*>(g.encoded.data()), std::streamsize(g.encoded.size()));
    in.read(reinterpret_cast<char*>(g.decoded.data()), std::streamsize(g.decoded.size() * sizeof(float)));
    EXPECT_TRUE(in.good()) << name;
    return g;
}

/// Distance in units in the last place.
int64_t ulps(float a, float b) {
    int32_t x, y;
    std::memcpy(&x, &a, 4);
    std::memcpy(&y, &b, 4);
    const auto ordered = [](int32_t i) { return i < 0 ? int64_t(INT32_MIN) - i : int64_t(i); };
    return std::abs(ordered(x) - ordered(y));
}

class EachType : public testing::TestWithParam<const char*> {};

TEST_P(EachType, DecodesToTheReferencesBits) {
    const Golden g = read_golden(GetParam());
    EXPECT_EQ(info(g.type).name, GetParam());
    ASSERT_EQ(row_bytes(g.type, g.cols).value() * g.rows, g.encoded.size());
    std::vector<float> y(g.decoded.size());
    decode(g.type, g.encoded.data(), y.data(), y.size());
    for (size_t i = 0; i < y.size(); ++i) ASSERT_LE(ulps(y[i], g.decoded[i]), 1) << "weight " << i;
}

INSTANTIATE_TEST_SUITE_P(Types, EachType,
                         testing::Values("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K",
                                         "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ1_S", "IQ1_M", "IQ2_XXS",
                                         "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "MXFP4"));

TEST(Decode, EveryTypeOfTheTableIsTested) {
    int n = 0;
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) ++n;
    EXPECT_EQ(n, 23);  // the 22 above and F32
}

TEST(Decode, AnyBytesDecodeWithoutReadingBeyondTheBlock) {
    std::mt19937 random(3);
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        std::vector<std::byte> bytes(
            t->block_bytes);  // exactly one block: the address sanitizer watches its end
        std::vector<float> y(t->block_weights);
        for (int i = 0; i < 200; ++i) {
            for (auto& b : bytes) b = std::byte(random());
            decode(t->type, bytes.data(), y.data(), y.size());
        }
    }
}

TEST(Half, AgreesWithTheDefinitionForAllBitPatterns) {
    for (uint32_t h = 0; h < 65536; ++h) {
        const int exponent = int(h >> 10 & 31), mantissa = int(h & 1023);
        double x = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
        if (h & 0x8000) x = -x;
        const float f = half_to_float(uint16_t(h));
        if (exponent == 31 && mantissa) {
            EXPECT_TRUE(std::isnan(f));
            continue;
        }
        if (exponent == 31)
            EXPECT_TRUE(std::isinf(f));
        else
            EXPECT_EQ(f, x);
        EXPECT_EQ(float_to_half(f), h);
    }
    EXPECT_EQ(float_to_half(65519.996f), 0x7bff);
    EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
    EXPECT_EQ(float_to_half(std::ldexp(1.0f, -25)), 0);  // a tie goes to even
    EXPECT_EQ(float_to_half(std::nextafter(std::ldexp(1.0f, -25), 1.0f)), 1);
    EXPECT_EQ(float_to_half(1.00048828125f), 0x3c00);  // half way between 1 and the next: even
}

double relative_rmse(TensorType type) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal(0, 0.05f);
    std::vector<float> x(8192), y(x.size());
    for (float& v : x) v = normal(random);
    std::vector<std::byte> bytes(*row_bytes(type, x.size()));
    encode(type, x.data(), bytes.data(), x.size());
    decode(type, bytes.data(), y.data(), y.size());
    double error = 0, size = 0;
    for (size_t i = 0; i < x.size(); ++i)
        error += std::pow(double(x[i]) - y[i], 2), size += std::pow(double(x[i]), 2);
    return std::sqrt(error / size);
}

TEST(Encode, ReachesTheReferencesError) {
    EXPECT_EQ(relative_rmse(TensorType::F32), 0);
    EXPECT_LT(relative_rmse(TensorType::F16), 0.0003);
    EXPECT_LT(relative_rmse(TensorType::BF16), 0.0018);
    EXPECT_LT(relative_rmse(TensorType::Q8_0), 0.0054);
}

TEST(Encode, OddValuesStayWhatTheyAre) {
    std::vector<float> x(32, 0.0f), y(32);
    std::vector<std::byte> bytes(*row_bytes(TensorType::Q8_0, 32));
    encode(TensorType::Q8_0, x.data(), bytes.data(), 32);
    decode(TensorType::Q8_0, bytes.data(), y.data(), 32);
    for (const float v : y) EXPECT_EQ(v, 0);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::byte two[2];
    float back;
    for (const TensorType t : {TensorType::F16, TensorType::BF16}) {
        encode(t, &nan, two, 1);
        decode(t, two, &back, 1);
        EXPECT_TRUE(std::isnan(back));
    }
    EXPECT_THROW(encode(TensorType::Q4_K, x.data(), bytes.data(), 256), Error);
}

}  // namespace
/// That the levels in `code`, every Stride bits, are those of the grid's values.
template <int Values, int Stride>
void expect_values(const uint8_t* grid, uint8_t code, std::initializer_list<int> of_level) {
    for (int i = 0; i < Values; ++i) {
        const int level = code >> Stride * i & (Stride == 2 ? 3 : 7);
        EXPECT_EQ(int8_t(grid[i]), *(of_level.begin() + level));
    }
}
TEST(CodeBooks, PackedCodesAreTheBooksEntries) {
    const auto of_8 = [](const uint64_t* grid, const auto& codes, int n, std::initializer_list<int> values) {
        for (int e = 0; e < n; ++e) {
            const auto* entry = reinterpret_cast<const uint8_t*>(grid + e);
            expect_values<4, 2>(entry, codes.first[e], values);
            expect_values<4, 2>(entry + 4, codes.second[e], values);
        }
    };
    const auto of_4 = [](const uint32_t* grid, const auto& codes, int n, std::initializer_list<int> values) {
        for (int e = 0; e < n; ++e) {
            const auto* entry = reinterpret_cast<const uint8_t*>(grid + e);
            expect_values<2, 4>(entry, codes.first[e], values);
            expect_values<2, 4>(entry + 2, codes.second[e], values);
        }
    };
    of_8(quant::iq2xxs_grid, quant::iq2xxs_codes, 256, {8, 25, 43, -1});
    of_8(quant::iq2xs_grid, quant::iq2xs_codes, 512, {8, 25, 43, -1});
    of_8(quant::iq2s_grid, quant::iq2s_codes, 1024, {8, 25, 43, -1});
    of_4(quant::iq3xxs_grid, quant::iq3xxs_codes, 256, {4, 12, 20, 28, 36, 44, 52, 62});
    of_4(quant::iq3s_grid, quant::iq3s_codes, 512, {1, 3, 5, 7, 9, 11, 13, 15});
    for (int e = 0; e < 2048; ++e) {
        const auto* entry = reinterpret_cast<const uint8_t*>(quant::iq1s_grid + e);
        const auto& c = quant::iq1_codes;
        expect_values<4, 2>(entry, c.first[e], {-1, 0, 1, 2});
        expect_values<4, 2>(entry + 4, e % 16 < c.changes_at[e / 16] ? c.before[e / 16] : c.after[e / 16],
                            {-1, 0, 1, 2});
    }
}

}  // namespace sluice
