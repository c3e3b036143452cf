// How exact a product of each type is: against float64, on ordinary and on hostile inputs, one table. What is
// lost is lost in rounding activations to bytes; a kernel that sums carelessly shows up as more.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/machine.h"
#include "kernels/kernels.h"
#include "quant/decode.h"
#include "quant/random_blocks.h"

namespace sluice {
namespace {

constexpr uint32_t n_rows = 96, n_cols = 1024;

/// Root mean square over tokens and rows of |y - exact| / (|x| |w|), Euclidean norms, 1024 columns. ordinary:
/// x is normal. outliers: beside that, one value in 256 is a hundred times larger, as in the residual streams
/// of language models. The largest single error may be five times that.
struct Accuracy {
    TensorType type;
    double ordinary, outliers;
};

// Activations of types with blocks of 256 weights share a scale over 256 values, of those with 32 over 32.
constexpr Accuracy accuracies[] = {
    {TensorType::F32, 1e-8, 1e-8},         {TensorType::F16, 1e-8, 1e-8},
    {TensorType::BF16, 1e-8, 1e-8},        {TensorType::Q4_0, 2.2e-4, 4.8e-4},
    {TensorType::Q4_1, 2.2e-4, 4.8e-4},    {TensorType::Q5_0, 2.2e-4, 4.8e-4},
    {TensorType::Q5_1, 2.2e-4, 4.8e-4},    {TensorType::Q8_0, 2.2e-4, 4.8e-4},
    {TensorType::IQ4_NL, 2.2e-4, 4.8e-4},  {TensorType::MXFP4, 2.2e-4, 4.8e-4},
    {TensorType::Q2_K, 2.8e-4, 1.5e-3},    {TensorType::Q3_K, 2.8e-4, 1.5e-3},
    {TensorType::Q4_K, 2.8e-4, 1.5e-3},    {TensorType::Q5_K, 2.8e-4, 1.5e-3},
    {TensorType::Q6_K, 2.8e-4, 1.5e-3},    {TensorType::IQ1_S, 2.8e-4, 1.5e-3},
    {TensorType::IQ1_M, 2.8e-4, 1.5e-3},   {TensorType::IQ2_XXS, 2.8e-4, 1.5e-3},
    {TensorType::IQ2_XS, 2.8e-4, 1.5e-3},  {TensorType::IQ2_S, 2.8e-4, 1.5e-3},
    {TensorType::IQ3_XXS, 2.8e-4, 1.5e-3}, {TensorType::IQ3_S, 2.8e-4, 1.5e-3},
    {TensorType::IQ4_XS, 2.8e-4, 1.5e-3},
};

using Floats = std::vector<float>;

double norm(const float* v) {
    double squares = 0;
    for (uint32_t i = 0; i < n_cols; ++i) squares += double(v[i]) * v[i];
    return std::sqrt(squares);
}

/// Tokens (n, columns), one after the other.
Floats ordinary(uint32_t n) {
    std::mt19937_64 random(n);
    std::normal_distribution<float> normal;
    Floats x(size_t(n) * n_cols);
    for (float& v : x) v = normal(random);
    return x;
}

Floats with_outliers(uint32_t n) {
    Floats x = ordinary(n);
    for (size_t i = 0; i < x.size(); i += 256) x[i + i / 256 * 37 % 256] *= 100;
    return x;
}

class Matrix {
  public:
    Matrix(TensorType type, double deviation) : type_(type), bytes_(n_rows * *row_bytes(type, n_cols)) {
        RandomBlocks(type, deviation).fill(bytes_, 5);
        decode_all();
    }
    void clear_row(uint32_t r) {
        const size_t size = bytes_.size() / n_rows;
        std::memset(bytes_.data() + r * size, 0, size);
        decode_all();
    }
    MatrixView view() const { return {type_, bytes_.data(), n_rows, n_cols, bytes_.size() / n_rows}; }
    const float* row(uint32_t r) const { return decoded_.data() + size_t(r) * n_cols; }

  private:
    void decode_all() {
        decoded_.resize(size_t(n_rows) * n_cols);
        decode(type_, bytes_.data(), decoded_.data(), decoded_.size());
    }
    TensorType type_;
    std::vector<std::byte> bytes_;
    Floats decoded_;
};

Floats multiply(Isa isa, const Matrix& w, const Floats& x) {
    ThreadPool pool(1);
    Kernels kernels(pool, isa);
    const auto n = uint32_t(x.size() / n_cols);
    Floats y(size_t(n) * n_rows, NAN);
    kernels.multiply({w.view(), {x.data(), n_cols}, {y.data(), n_rows}, n});
    return y;
}

struct Errors {
    double rms = 0, largest = 0;
};

/// Relative to the norms. Where a norm is 0 or close to it the error is absolute in float's smallest numbers.
Errors errors_of(const Floats& y, const Matrix& w, const Floats& x) {
    Errors e;
    const size_t n = x.size() / n_cols;
    std::vector<double> row_norms;
    for (uint32_t r = 0; r < n_rows; ++r) row_norms.push_back(norm(w.row(r)));
    for (size_t t = 0; t < n; ++t) {
        const float* token = &x[t * n_cols];
        const double token_norm = norm(token);
        for (uint32_t r = 0; r < n_rows; ++r) {
            const float* row = w.row(r);
            double exact = 0;
            for (uint32_t c = 0; c < n_cols; ++c) exact += double(token[c]) * row[c];
            const double norms = token_norm * row_norms[r];
            const double error = std::abs(y[t * n_rows + r] - exact) /
                                 std::max(norms, double(std::numeric_limits<float>::min()));
            e.rms += error * error;
            e.largest = std::isfinite(error) ? std::max(e.largest, error) : INFINITY;
        }
    }
    e.rms = std::sqrt(e.rms / double(n * n_rows));
    return e;
}

void expect_within(const Errors& e, double bound, const char* type, Isa isa, const char* what) {
    EXPECT_LE(e.rms, bound) << type << " " << to_string(isa) << " " << what;
    EXPECT_LE(e.largest, 5 * bound) << type << " " << to_string(isa) << " " << what;
}

TEST(Accuracy, TheTableNamesEveryType) {
    for (const auto* t = tensor_types_begin(); t != tensor_types_end(); ++t)
        EXPECT_TRUE(std::any_of(std::begin(accuracies), std::end(accuracies), [&](const Accuracy& a) {
            return a.type == t->type;
        })) << t->name;
}

TEST(Accuracy, ProductsStayWithinTheTable) {
    for (const Accuracy& a : accuracies) {
        const char* type = info(a.type).name.data();
        const Matrix w(a.type, 0.02);
        for (const Isa isa : available_isas())
            for (const uint32_t n : {1u, 13u}) {  // the vector path and the matrix path
                const Floats x = ordinary(n), spiky = with_outliers(n);
                expect_within(errors_of(multiply(isa, w, x), w, x), a.ordinary, type, isa, "ordinary");
                expect_within(errors_of(multiply(isa, w, spiky), w, spiky), a.outliers, type, isa,
                              "outliers");
            }
    }
}

TEST(Accuracy, TheScaleOfWeightsDoesNotMatter) {
    for (const Accuracy& a : accuracies)
        for (const double deviation : {2e-4, 50.0}) {  // scales that are denormal halves, and large ones
            const Matrix w(a.type, deviation);
            const Floats x = ordinary(4);
            for (const Isa isa : available_isas())
                expect_within(errors_of(multiply(isa, w, x), w, x), a.ordinary, info(a.type).name.data(), isa,
                              deviation < 1 ? "small weights" : "large weights");
        }
}

TEST(Accuracy, TheScaleOfActivationsDoesNotChangeABit) {
    const Floats x = ordinary(5);
    for (const Accuracy& a : accuracies) {
        const Matrix w(a.type, 0.02);
        for (const Isa isa : available_isas()) {
            const Floats y = multiply(isa, w, x);
            for (const float scale : {0x1p-60f, 0x1p-20f, 0x1p40f, 0x1p80f}) {
                Floats scaled = x, expected = y;
                for (float& v : scaled) v *= scale;
                for (float& v : expected) v *= scale;
                EXPECT_EQ(multiply(isa, w, scaled), expected)
                    << info(a.type).name << " " << to_string(isa) << " times " << scale;
            }
        }
    }
}

TEST(Accuracy, ZerosStayZerosAndDenormalsDoNoHarm) {
    Floats zeros(3 * n_cols, 0.0f), denormals = ordinary(3), half = ordinary(3);
    for (float& v : denormals) v *= 1e-41f;
    for (size_t t = 0; t < 3; ++t)  // blocks of zeros among others
        for (uint32_t c = 256; c < 512; ++c) half[t * n_cols + c] = 0;
    for (const Accuracy& a : accuracies) {
        const char* type = info(a.type).name.data();
        Matrix w(a.type, 0.02);
        w.clear_row(7);
        w.clear_row(n_rows - 1);
        for (const Isa isa : available_isas()) {
            for (const float y : multiply(isa, w, zeros)) EXPECT_EQ(y, 0.0f) << type;
            for (const float y : multiply(isa, w, denormals)) EXPECT_LT(std::abs(y), 1e-38f) << type;
            const Floats y = multiply(isa, w, half);
            expect_within(errors_of(y, w, half), a.ordinary, type, isa, "blocks of zeros");
            if (norm(w.row(7)) == 0) {
                EXPECT_EQ(y[7], 0.0f) << type;
                EXPECT_EQ(y[n_rows - 1], 0.0f) << type;
            }
        }
    }
}

}  // namespace
}  // namespace sluice
