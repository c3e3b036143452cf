// Kernels against float64, and promise 1: a result's bits depend on its row and token alone.
#include "kernels/kernels.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "quant/decode.h"

namespace sluice {
namespace {

std::vector<float> random_floats(size_t n, uint64_t seed, float deviation = 1.0f) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal(0.0f, deviation);
    std::vector<float> v(n);
    for (float& x : v) x = normal(random);
    return v;
}

/// Weights of a type: encoded where Sluice can, else random bytes (every byte pattern is a valid block) with
/// the half-precision scales made small numbers.
struct Weights {
    TensorType type;
    uint32_t rows, cols;
    std::vector<std::byte> bytes;
    std::vector<float> decoded;

    Weights(TensorType t, uint32_t r, uint32_t c, uint64_t seed) : type(t), rows(r), cols(c) {
        const uint64_t row = *row_bytes(t, c);
        bytes.resize(row * r);
        decoded.resize(size_t(r) * c);
        std::mt19937_64 random(seed);
        do {
            if (can_encode(t)) {
                encode(t, random_floats(size_t(r) * c, random()).data(), bytes.data(), size_t(r) * c);
            } else {
                for (auto& b : bytes) b = std::byte(random() & 0x3f);  // halves stay below 2
            }
            decode(t, bytes.data(), decoded.data(), decoded.size());
        } while (!finite());
    }
    bool finite() const {
        for (const float x : decoded)
            if (!std::isfinite(x)) return false;
        return true;
    }
    MatrixView view() const { return {type, bytes.data(), rows, cols, *row_bytes(type, cols)}; }
};

class EachIsa : public testing::TestWithParam<Isa> {
  protected:
    std::vector<float> multiply(const Weights& w, const std::vector<float>& x, uint32_t n, uint32_t threads,
                                bool transposed = false) {
        ThreadPool pool(threads);
        Kernels kernels(pool, GetParam());
        const uint32_t in = transposed ? w.rows : w.cols, out = transposed ? w.cols : w.rows;
        std::vector<float> y(size_t(n) * out, NAN);
        kernels.multiply({w.view(), {x.data(), in}, {y.data(), out}, n, transposed});
        return y;
    }
};

/// What the integer kernels make of activations, as floats again.
std::vector<float> quantised(const KernelTable& table, TensorType type, const std::vector<float>& x,
                             uint32_t cols) {
    const ActivationKind kind = activation_kind(type);
    if (kind == ActivationKind::floats) return x;
    std::vector<float> y;
    const uint64_t row_size = activation_row_bytes(cols);
    const Memory buffer(row_size);
    for (size_t at = 0; at < x.size(); at += cols) {
        table.quantise(kind, x.data() + at, cols, buffer.data());
        for (uint32_t c = 0; c < cols; ++c) {
            const std::byte* block = buffer.data() + c / 256 * activation_block_bytes;
            const uint32_t i = c % 256;
            if (kind == ActivationKind::by_256) {
                const auto& b = *reinterpret_cast<const Activations256*>(block);
                y.push_back(b.scale * float(b.q[i]));
            } else {
                const auto& b = *reinterpret_cast<const Activations32*>(block);
                y.push_back(b.scale[i / 32] * float(b.q[i]));
            }
        }
    }
    return y;
}

uint32_t some_cols(const TensorTypeInfo& t) {
    return t.block_weights == 1 ? 300 : t.block_weights == 32 ? 352 : 512;
}

TEST_P(EachIsa, MatmulIsCloseToFloat64ForEveryType) {
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        const uint32_t cols = some_cols(*t), rows = 21, n = 5;
        const Weights w(t->type, rows, cols, 7);
        const auto x = random_floats(size_t(n) * cols, 3);
        const auto y = multiply(w, x, n, 2), taken = quantised(kernel_table(GetParam()), t->type, x, cols);
        double error = 0, sizes = 0;
        for (uint32_t token = 0; token < n; ++token)
            for (uint32_t r = 0; r < rows; ++r) {
                double exact = 0, of_taken = 0, size = 0;
                for (uint32_t c = 0; c < cols; ++c) {
                    const double weight = w.decoded[r * cols + c];
                    exact += weight * x[token * cols + c];
                    of_taken += weight * taken[token * cols + c];
                    size += std::abs(weight * x[token * cols + c]);
                }
                EXPECT_NEAR(y[token * rows + r], of_taken, 2e-6 * size)
                    << t->name << " row " << r << " token " << token;
                error += (y[token * rows + r] - exact) * (y[token * rows + r] - exact);
                sizes += size * size;
            }
        EXPECT_LT(std::sqrt(error / sizes),
                  activation_kind(t->type) == ActivationKind::floats ? 1e-6 : 1.5e-3)
            << t->name;
    }
}

TEST_P(EachIsa, IsTheOneItsTableNames) {
    EXPECT_STREQ(kernel_table(GetParam()).name, to_string(GetParam()));
}

TEST_P(EachIsa, HardActivationsStayWithinTheirScale) {
    for (const TensorType type : {TensorType::Q4_K, TensorType::Q8_0, TensorType::IQ2_XS}) {
        const uint32_t cols = 512, rows = 17;
        const Weights w(type, rows, cols, 9);
        std::vector<std::vector<float>> cases(5, std::vector<float>(cols, 0.0f));  // zeros
        cases[1][300] = 1e30f;                                                     // one outlier
        for (auto& v : cases[2]) v = 1e-42f;                                       // denormals
        cases[3] = random_floats(cols, 1);
        cases[3][7] = 5000;  // an outlier among ordinary values
        for (size_t i = 0; i < cols; ++i) cases[4][i] = i % 2 ? 127.0f : -127.0f;
        for (const auto& x : cases) {
            const auto y = multiply(w, x, 1, 1);
            for (uint32_t r = 0; r < rows; ++r) {
                double exact = 0, bound = 0;
                for (uint32_t c = 0; c < cols; ++c) {
                    const uint32_t block = activation_kind(type) == ActivationKind::by_256 ? 256 : 32;
                    float largest = 0;
                    for (uint32_t i = c / block * block; i < (c / block + 1) * block; ++i)
                        largest = std::max(largest, std::abs(x[i]));
                    const double weight = w.decoded[r * cols + c];
                    exact += weight * x[c];
                    bound += std::abs(weight) * (largest / 253 + 1e-30) + 1e-6 * std::abs(weight * x[c]);
                }
                EXPECT_LE(std::abs(y[r] - exact), bound) << info(type).name << " row " << r;
            }
        }
    }
}

TEST(Kernels, ActivationsHalfwayBetweenIntegersAreTheSameOnEveryInstructionSet) {
    // Times the inverse of their scale these lie within a rounding of k + 0.5: a product fused with the sum
    // that rounds it would go the other way.
    const uint32_t cols = 1000;
    std::vector<float> x(cols);
    for (int trial = 0; trial < 50; ++trial) {
        const float scale = std::abs(random_floats(1, uint64_t(trial))[0]) + 0.1f;
        for (uint32_t i = 0; i < cols; ++i)
            x[i] = i % 32 == 0 ? 127 * scale : (float(i % 127) + 0.5f) * scale;
        x[cols - 1] = trial % 2 ? NAN : INFINITY;
        for (const TensorType type : {TensorType::Q4_K, TensorType::Q8_0}) {
            const auto expected = quantised(kernel_table(Isa::plain), type, x, cols);
            for (const Isa isa : available_isas()) {
                const auto found = quantised(kernel_table(isa), type, x, cols);
                ASSERT_EQ(std::memcmp(found.data(), expected.data(), cols * sizeof(float)), 0)
                    << to_string(isa) << " " << int(type) << " " << trial;
            }
        }
    }
}

TEST(Kernels, QuantisedProductsHaveTheSameBitsOnEveryInstructionSet) {
    ThreadPool pool(2);
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        if (activation_kind(t->type) == ActivationKind::floats) continue;
        const uint32_t cols = some_cols(*t), rows = 37;
        const Weights w(t->type, rows, cols, 3);
        const auto x = random_floats(size_t(270) * cols, 5);
        std::vector<float> reference;
        for (const Isa isa : available_isas())
            for (const uint32_t n : {1u, 2u, 3u, 4u, 5u, 8u, 12u, 13u, 16u, 17u, 33u, 270u}) {
                Kernels kernels(pool, isa);
                std::vector<float> y(size_t(n) * rows, NAN);
                kernels.multiply({w.view(), {x.data(), cols}, {y.data(), rows}, n});
                if (reference.empty()) {
                    reference.resize(size_t(270) * rows);
                    kernels.multiply({w.view(), {x.data(), cols}, {reference.data(), rows}, 270});
                }
                ASSERT_EQ(0, std::memcmp(y.data(), reference.data(), y.size() * 4))
                    << t->name << " " << to_string(isa) << " " << n << " tokens";
            }
    }
}

TEST_P(EachIsa, ATokensBitsDependOnNothingButItself) {
    for (const TensorType type :
         {TensorType::F32, TensorType::Q8_0, TensorType::Q4_K, TensorType::F16, TensorType::Q6_K}) {
        const uint32_t rows = 37, cols = 768, n = 9;
        const Weights w(type, rows, cols, 1);
        const auto x = random_floats(size_t(n) * cols, 2);
        const auto together = multiply(w, x, n, 1);
        for (const uint32_t threads : {2u, 3u})
            EXPECT_EQ(0,
                      std::memcmp(multiply(w, x, n, threads).data(), together.data(), together.size() * 4));
        for (uint32_t t = 0; t < n; ++t) {
            const auto alone = multiply(w, {x.begin() + t * cols, x.begin() + (t + 1) * cols}, 1, 2);
            EXPECT_EQ(0, std::memcmp(alone.data(), together.data() + t * rows, rows * 4))
                << info(type).name << " token " << t;
        }
        // One row alone: its neighbours in a tile do not matter either.
        ThreadPool pool(1);
        Kernels kernels(pool, GetParam());
        for (const uint32_t r : {0u, 5u, 36u}) {
            float y = 0;
            kernels.multiply({w.view().slice_rows(r, 1), {x.data(), cols}, {&y, 1}, 1});
            EXPECT_EQ(y, together[r]) << info(type).name << " row " << r;
        }
    }
}

TEST_P(EachIsa, TransposedProduct) {
    const Weights w(TensorType::Q8_0, 48, 96, 5);
    const uint32_t n = 3;
    const auto x = random_floats(size_t(n) * w.rows, 6);
    const auto y = multiply(w, x, n, 2, true);
    for (uint32_t t = 0; t < n; ++t)
        for (uint32_t c = 0; c < w.cols; ++c) {
            double exact = 0;
            for (uint32_t r = 0; r < w.rows; ++r)
                exact += double(x[t * w.rows + r]) * w.decoded[r * w.cols + c];
            EXPECT_NEAR(y[t * w.cols + c], exact, 2e-5);
        }
    const auto alone = multiply(w, {x.begin() + w.rows, x.begin() + 2 * w.rows}, 1, 1, true);
    EXPECT_EQ(0, std::memcmp(alone.data(), y.data() + w.cols, w.cols * 4));
}

TEST_P(EachIsa, DecodedRowsEqualTheReferenceToTheBit) {
    const KernelTable& table = kernel_table(GetParam());
    for (auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        const Weights w(t->type, 1, 1024, 11);
        std::vector<float> y(1024);
        table.decode_row(t->type, w.bytes.data(), y.data(), 1024);
        for (int i = 0; i < 1024; ++i)  // a fused multiply-add may round the last place differently
            ASSERT_NEAR(y[i], w.decoded[i], std::abs(w.decoded[i]) * 2.4e-7) << t->name << " weight " << i;
    }
}

TEST_P(EachIsa, RmsNorm) {
    const KernelTable& table = kernel_table(GetParam());
    for (const uint32_t n : {1u, 15u, 16u, 64u, 7168u}) {
        const auto x = random_floats(n, n), weight = random_floats(n, n + 1);
        std::vector<float> y(n);
        table.rms_norm(x.data(), weight.data(), 1e-6f, y.data(), n);
        double squares = 0;
        for (const float v : x) squares += double(v) * v;
        const double scale = 1 / std::sqrt(squares / n + 1e-6);
        for (uint32_t i = 0; i < n; ++i)
            EXPECT_NEAR(y[i], x[i] * scale * weight[i], 2e-6 * std::abs(weight[i]) + 1e-7);
    }
}

TEST_P(EachIsa, SwigluOverTheWholeRange) {
    const KernelTable& table = kernel_table(GetParam());
    std::vector<float> gate, up;
    for (float x = -120; x <= 120; x += 0.37f) gate.push_back(x), up.push_back(1.5f);
    gate.insert(gate.end(), {0.0f, -0.0f, 1e-30f, -1e30f, 1e30f});
    up.resize(gate.size(), 1.5f);
    auto y = gate;
    table.swiglu(y.data(), up.data(), uint32_t(y.size()));
    for (size_t i = 0; i < y.size(); ++i) {
        const double exact = gate[i] / (1 + std::exp(-double(gate[i]))) * 1.5;
        EXPECT_NEAR(y[i], exact, std::abs(exact) * 1e-6 + 1e-7) << gate[i];
    }
}

TEST_P(EachIsa, KvRowsKeepTheirPrecisionAndSize) {
    const KernelTable& table = kernel_table(GetParam());
    for (const uint32_t width : {16u, 24u, 80u, 576u}) {
        const auto x = random_floats(width, width);
        for (const auto& [format, relative] :
             {std::pair{KvFormat::f32, 0.0}, {KvFormat::f16, 5e-4}, {KvFormat::q8_0, 0.03}}) {
            std::vector<std::byte> row(kv_row_bytes(format, width) + 1, std::byte{0xAB});
            std::vector<float> y(width);
            table.kv_encode(format, x.data(), row.data(), width);
            EXPECT_EQ(row.back(), std::byte{0xAB}) << "wrote past the row";
            table.kv_decode(format, row.data(), y.data(), width);
            for (uint32_t i = 0; i < width; ++i)
                EXPECT_NEAR(y[i], x[i], relative * std::max(1.0f, std::abs(x[i])));
        }
    }
    EXPECT_EQ(kv_row_bytes(KvFormat::q8_0, 576), 612u);
    EXPECT_EQ(kv_row_bytes(KvFormat::q8_0, 80), 86u);
}

INSTANTIATE_TEST_SUITE_P(All, EachIsa, testing::ValuesIn(available_isas()),
                         [](const auto& p) { return std::string(to_string(p.param)); });

}  // namespace
}  // namespace sluice
