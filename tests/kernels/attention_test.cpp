// Attention over tiles: against softmax in float64, and the same bits on every instruction set.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/machine.h"
#include "core/memory.h"
#include "kernels/kernel_table.h"
#include "kernels/kernels.h"

namespace sluice {
namespace {

using Floats = std::vector<float>;

Floats normal_floats(size_t n, uint64_t seed, float deviation = 1) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal(0, deviation);
    Floats x(n);
    for (float& v : x) v = normal(random);
    return x;
}

/// Rows of one KV head, and queries that see all of them.
struct Case {
    AttentionShape shape;
    uint32_t positions, n_queries;
    Floats keys, values, queries;  // (positions, key_width), (positions, value_width), (n_queries, key_width)

    Case(const AttentionShape& s, uint32_t n_positions, uint32_t queries_, uint64_t seed = 1)
        : shape(s),
          positions(n_positions),
          n_queries(queries_),
          keys(normal_floats(size_t(n_positions) * s.key_width, seed)),
          values(normal_floats(s.values_in_keys ? 0 : size_t(n_positions) * s.value_width, seed + 1)),
          queries(
              normal_floats(size_t(queries_) * s.key_width, seed + 2, 2 / std::sqrt(float(s.key_width)))) {}

    const float* value(uint32_t p) const {
        return shape.values_in_keys ? &keys[size_t(p) * shape.key_width]
                                    : &values[size_t(p) * shape.value_width];
    }
};

/// What a cache keeps of the rows: encoded by the plain kernels, so that all read the same.
struct Encoded {
    std::vector<std::byte> keys, values;
    uint64_t key_stride, value_stride;

    explicit Encoded(Case& c) {
        const KernelTable& table = kernel_table(Isa::plain);
        const auto encode = [&](Floats& rows, uint32_t width, std::vector<std::byte>& to, uint64_t& stride) {
            stride = kv_row_bytes(c.shape.format, width) + 6;  // not a multiple of anything
            to.resize(stride * c.positions);
            for (uint32_t p = 0; p < c.positions; ++p) {
                float* row = &rows[size_t(p) * width];
                table.kv_encode(c.shape.format, row, to.data() + p * stride, width);
                table.kv_decode(c.shape.format, to.data() + p * stride, row, width);
            }
        };
        encode(c.keys, c.shape.key_width, keys, key_stride);
        if (!c.shape.values_in_keys) encode(c.values, c.shape.value_width, values, value_stride);
    }
};

/// (n_queries, value_width). Chunks of `chunk` positions, merged.
Floats attend(Isa isa, const Case& c, const Encoded& e, uint32_t chunk, bool ask_ahead = false) {
    const KernelTable& table = kernel_table(isa);
    const uint64_t query_bytes = attention_query_bytes(c.shape);
    Memory tile(attention_tile_bytes(c.shape)), queries(query_bytes * c.n_queries);
    for (uint32_t q = 0; q < c.n_queries; ++q)
        table.attention_query(c.shape, &c.queries[size_t(q) * c.shape.key_width],
                              queries.data() + q * query_bytes);
    const uint32_t width = attention_width(c.shape.value_width);
    std::vector<AttentionState> totals(c.n_queries, {-INFINITY, 0});
    Floats result(size_t(c.n_queries) * c.shape.value_width, NAN);
    for (uint32_t begin = 0; begin < c.positions; begin += chunk) {
        const uint32_t end = std::min(begin + chunk, c.positions);
        std::vector<AttentionState> states(c.n_queries, {-INFINITY, 0});
        Floats outs(size_t(c.n_queries) * width, 0.0f);
        for (uint32_t p = begin; p < end; p += attention_tile) {
            const uint32_t n = std::min(attention_tile, end - p);
            const auto key = [&](uint32_t i) { return e.keys.data() + i * e.key_stride; };
            const auto value = [&](uint32_t i) {
                return c.shape.values_in_keys ? nullptr : e.values.data() + i * e.value_stride;
            };
            KvRows rows{key(p), value(p), e.key_stride, e.value_stride, n};
            if (ask_ahead && p + 2 * attention_tile <= c.positions)
                rows.next_keys = key(p + attention_tile), rows.next_values = value(p + attention_tile);
            table.attention_tile(c.shape, rows, tile.data());
            std::vector<AttentionQuery> seeing;
            for (uint32_t q = 0; q < c.n_queries; ++q)
                seeing.push_back({queries.data() + q * query_bytes, &states[q], &outs[size_t(q) * width], n});
            table.attend(c.shape, tile.data(), seeing.data(), c.n_queries);
        }
        for (uint32_t q = 0; q < c.n_queries; ++q)
            table.attend_merge(states[q], &outs[size_t(q) * width], totals[q],
                               &result[size_t(q) * c.shape.value_width], c.shape.value_width);
    }
    for (uint32_t q = 0; q < c.n_queries; ++q)
        for (uint32_t j = 0; j < c.shape.value_width; ++j)
            result[size_t(q) * c.shape.value_width + j] /= totals[q].sum;
    return result;
}

Floats exact(const Case& c) {
    Floats result;
    for (uint32_t q = 0; q < c.n_queries; ++q) {
        std::vector<double> weight(c.positions, 0.0), out(c.shape.value_width, 0.0);
        for (uint32_t p = 0; p < c.positions; ++p)
            for (uint32_t j = 0; j < c.shape.key_width; ++j)
                weight[p] += double(c.keys[size_t(p) * c.shape.key_width + j]) *
                             c.queries[size_t(q) * c.shape.key_width + j];
        const double largest = *std::max_element(weight.begin(), weight.end());
        double sum = 0;
        for (double& w : weight) sum += w = std::exp(w - largest);
        for (uint32_t p = 0; p < c.positions; ++p)
            for (uint32_t j = 0; j < c.shape.value_width; ++j) out[j] += weight[p] / sum * c.value(p)[j];
        result.insert(result.end(), out.begin(), out.end());
    }
    return result;
}

double largest_difference(const Floats& a, const Floats& b) {
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::isfinite(a[i]) ? std::abs(double(a[i]) - b[i]) : INFINITY);
    return largest;
}

constexpr AttentionShape heads_of(KvFormat format, uint32_t key, uint32_t value) {
    return {format, key, value, key, false};
}
constexpr AttentionShape latent(KvFormat format, uint32_t content, uint32_t turned) {
    return {format, content + turned, content, content, true};
}

std::vector<AttentionShape> shapes(KvFormat f) {
    return {heads_of(f, 64, 64), heads_of(f, 128, 128), heads_of(f, 80, 72), heads_of(f, 192, 128),
            heads_of(f, 24, 16), latent(f, 512, 64),    latent(f, 48, 16)};
}

TEST(Attention, EqualsSoftmax) {
    // q8_0's rows are decoded first: what is measured is the attention, not the cache's format.
    for (const auto& [format, bound] :
         {std::pair{KvFormat::f32, 3e-6}, {KvFormat::f16, 1e-3}, {KvFormat::q8_0, 1e-3}})
        for (const AttentionShape& shape : shapes(format))
            for (const uint32_t positions : {1u, 63u, 200u, 700u}) {
                Case c(shape, positions, 3);
                const Encoded e(c);
                const Floats reference = exact(c);
                for (const Isa isa : available_isas())
                    EXPECT_LT(largest_difference(attend(isa, c, e, 256), reference), bound)
                        << to_string(isa) << ", format " << int(format) << ", keys of " << shape.key_width
                        << ", " << positions << " positions";
            }
}

TEST(Attention, HasTheSameBitsOnEveryInstructionSetAndInAnyCompany) {
    for (const KvFormat format : {KvFormat::f16, KvFormat::q8_0})
        for (const AttentionShape& shape : shapes(format)) {
            Case c(shape, 300, 14);
            const Encoded e(c);
            const Floats reference = attend(Isa::plain, c, e, 256);
            for (const Isa isa : available_isas()) EXPECT_EQ(attend(isa, c, e, 256), reference);
            Case one = c;  // the fourth query alone
            one.n_queries = 1;
            one.queries.assign(c.queries.begin() + 3 * shape.key_width,
                               c.queries.begin() + 4 * shape.key_width);
            const Floats alone = attend(best_isa(), one, e, 256);
            EXPECT_TRUE(std::equal(alone.begin(), alone.end(), reference.begin() + 3 * shape.value_width));
        }
}

TEST(Attention, AskingForTheNextRowsChangesNothing) {
    for (const KvFormat format : {KvFormat::f16, KvFormat::q8_0})
        for (const AttentionShape& shape : shapes(format)) {
            Case c(shape, 300, 7);
            const Encoded e(c);
            for (const Isa isa : available_isas())
                EXPECT_EQ(attend(isa, c, e, 256, true), attend(isa, c, e, 256)) << to_string(isa);
        }
}

TEST(Attention, RowsOfATileThatDifferInSizeHaveScalesOfTheirOwn) {
    // Scales are computed for many rows at once: neighbours must not see each other's.
    for (const KvFormat format : {KvFormat::f16, KvFormat::q8_0})
        for (const AttentionShape& shape : shapes(format)) {
            Case c(shape, 64, 5);
            const auto resize = [](Floats& rows, uint32_t width) {
                for (size_t p = 0; p < rows.size() / width; ++p) {
                    float* row = &rows[p * width];
                    for (uint32_t j = 0; j < width; ++j) {
                        if (p % 5 == 0) row[j] = 0;
                        if (p % 5 == 1) row[j] *= 3e-7f;                   // subnormal halves
                        if (p % 5 == 2) row[j] *= j % width == 3 ? 8 : 1;  // one dim is most of the norm
                        if (p % 5 == 3) row[j] *= p % 2 ? 0.01f : 1.0f;
                    }
                }
            };
            resize(c.keys, shape.key_width);
            if (!shape.values_in_keys) resize(c.values, shape.value_width);
            const Encoded e(c);
            const Floats reference = attend(Isa::plain, c, e, 256), softmax = exact(c);
            EXPECT_LT(largest_difference(reference, softmax), 2e-2) << shape.key_width;
            for (const Isa isa : available_isas())
                EXPECT_EQ(attend(isa, c, e, 256), reference) << to_string(isa) << ", " << shape.key_width;
        }
}

TEST(Attention, TakesRowsOfAnySize) {
    for (const double size : {1e-4, 1.0, 100.0})
        for (const bool spike : {false, true}) {
            Case c(heads_of(KvFormat::f16, 128, 128), 150, 2);
            for (float& v : c.values) v *= float(size);
            for (float& k : c.keys) k *= float(size);
            for (float& q : c.queries) q /= float(size);
            if (spike)  // one dimension a hundred times the others, as keys of language models have
                for (size_t i = 7; i < c.keys.size(); i += 128) c.keys[i] *= 100, c.values[i] *= 100;
            const Encoded e(c);
            const Floats reference = exact(c);
            const double scale = size * (spike ? 100 : 1);
            for (const Isa isa : available_isas())
                EXPECT_LT(largest_difference(attend(isa, c, e, 256), reference), 2e-3 * scale)
                    << to_string(isa) << " " << size << " " << spike;
        }
}

TEST(Attention, RowsOfZerosCountAsZeros) {
    for (const KvFormat format : {KvFormat::f32, KvFormat::f16, KvFormat::q8_0}) {
        Case c(heads_of(format, 64, 64), 100, 2);
        std::fill(c.keys.begin(), c.keys.begin() + 64 * 50, 0.0f);
        std::fill(c.values.begin() + 64 * 20, c.values.begin() + 64 * 70, 0.0f);
        std::fill(c.queries.begin(), c.queries.begin() + 64, 0.0f);
        const Encoded e(c);
        const Floats reference = exact(c);
        for (const Isa isa : available_isas())
            EXPECT_LT(largest_difference(attend(isa, c, e, 256), reference), 4e-4) << to_string(isa);
    }
}

TEST(Attention, NotANumberShowsInTheResult) {
    Case c(heads_of(KvFormat::f16, 64, 64), 10, 1);
    c.keys[64 * 3 + 5] = NAN;
    const Encoded e(c);
    for (const Isa isa : available_isas())
        EXPECT_TRUE(std::isnan(attend(isa, c, e, 256)[0])) << to_string(isa);
}

}  // namespace
}  // namespace sluice
