// Every kernel that a token's time goes into, at the shapes of real models. Beside the time: bytes per second
// and their share of what this machine reads, multiply-adds per second and their share of its peak, both
// measured at the start of the same run.
//
//     bench_kernels [--threads=N] [--isa=NAME] [--benchmark_filter=REGEX and the other flags of Google
//     Benchmark]
#include "kernels/kernels.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "limits.h"
#include "quant/decode.h"
#include "quant/random_blocks.h"

namespace sluice::bench {

namespace {

struct Machine {
    std::unique_ptr<ThreadPool> pool;
    std::unique_ptr<Kernels> kernels;
    double read = 0, peak = 0;
} machine;

std::vector<float> some_floats(size_t n) {
    std::vector<float> x(n);
    uint32_t state = 1;
    for (float& v : x) {
        state = state * 1664525 + 1013904223;
        v = float(int32_t(state)) * 0x1p-31f;
    }
    return x;
}

void count(benchmark::State& state, double bytes, double multiply_adds) {
    const auto rate = [](double x) {
        return benchmark::Counter(x, benchmark::Counter::kIsIterationInvariantRate);
    };
    state.counters["B/s"] = rate(bytes);
    state.counters["of_read"] = rate(bytes / machine.read);
    state.counters["MAC/s"] = rate(multiply_adds);
    if (machine.peak > 0) state.counters["of_peak"] = rate(multiply_adds / machine.peak);
}

/// n tokens times matrices of one type that together are larger than any cache, so that each weight comes
/// from memory.
void products(benchmark::State& state, TensorType type, uint32_t rows, uint32_t cols, uint32_t n) {
    const uint64_t row = *row_bytes(type, cols), least = n == 1 ? uint64_t(600) << 20 : uint64_t(64) << 20;
    const uint64_t matrices = (least + row * rows - 1) / (row * rows);
    Memory weights(matrices * row * rows);
    const RandomBlocks blocks(type, 0.02);
    machine.pool->run(uint32_t(matrices), [&](uint32_t i, uint32_t) {
        blocks.fill({weights.data() + i * row * rows, row * rows}, i);
    });
    const std::vector<float> x = some_floats(size_t(n) * cols);
    std::vector<float> y(size_t(n) * rows);
    uint64_t i = 0;
    for (auto _ : state) {
        const MatrixView w{type, weights.data() + i * row * rows, rows, cols, row};
        machine.kernels->multiply({w, {x.data(), cols}, {y.data(), rows}, n});
        benchmark::ClobberMemory();
        i = (i + 1) % matrices;
    }
    count(state, double(row) * rows, double(rows) * cols * n);
}

struct Shape {
    const char* name;
    AttentionShape shape;
    uint32_t queries;  // of one KV head
};

/// One token's queries over tiles of a long cache.
void attention(benchmark::State& state, const Shape& s) {
    const KernelTable& table = machine.kernels->table();
    constexpr uint32_t positions = 16384;
    const uint64_t key = kv_row_bytes(s.shape.format, s.shape.key_width),
                   value = s.shape.values_in_keys ? 0 : kv_row_bytes(s.shape.format, s.shape.value_width),
                   query_bytes = attention_query_bytes(s.shape);
    const uint32_t workers = machine.pool->size(), width = attention_width(s.shape.value_width);
    Memory cache(workers * positions * (key + value));
    const std::vector<float> row = some_floats(s.shape.key_width);
    // As in a KvCache: the keys of a tile's positions, then their values.
    const auto rows_at = [&](uint64_t p) {
        std::byte* tile = cache.data() + p / attention_tile * attention_tile * (key + value);
        return std::pair(tile, tile + attention_tile * key);
    };
    for (uint64_t p = 0; p < uint64_t(workers) * positions; ++p) {
        const auto [keys, values] = rows_at(p);
        table.kv_encode(s.shape.format, row.data(), keys + p % attention_tile * key, s.shape.key_width);
        if (value)
            table.kv_encode(s.shape.format, row.data(), values + p % attention_tile * value,
                            s.shape.value_width);
    }
    for (auto _ : state)
        machine.pool->run(workers, [&](uint32_t task, uint32_t) {
            Memory tile(attention_tile_bytes(s.shape)), queries(query_bytes * s.queries);
            std::vector<float> out(size_t(width) * s.queries);
            std::vector<AttentionState> states(s.queries, {-INFINITY, 0});
            std::vector<AttentionQuery> q(s.queries);
            for (uint32_t i = 0; i < s.queries; ++i) {
                table.attention_query(s.shape, row.data(), queries.data() + i * query_bytes);
                q[i] = {queries.data() + i * query_bytes, &states[i], &out[size_t(i) * width],
                        attention_tile};
            }
            for (uint32_t p = 0; p < positions; p += attention_tile) {
                const auto [keys, values] = rows_at(uint64_t(task) * positions + p);
                KvRows rows{keys, values, key, value, attention_tile};
                if (p + attention_tile < positions)
                    std::tie(rows.next_keys, rows.next_values) =
                        rows_at(uint64_t(task) * positions + p + attention_tile);
                table.attention_tile(s.shape, rows, tile.data());
                table.attend(s.shape, tile.data(), q.data(), s.queries);
            }
            benchmark::DoNotOptimize(out.data());
        });
    const double each = double(workers) * positions;
    count(state, each * double(key + value), each * s.queries * (s.shape.key_width + s.shape.value_width));
    state.counters.erase("of_peak");  // that is of products of bytes
}

void norm(benchmark::State& state) {
    constexpr uint32_t n = 7168;
    const auto x = some_floats(n), weight = some_floats(n);
    std::vector<float> y(n);
    for (auto _ : state) {
        machine.kernels->table().rms_norm(x.data(), weight.data(), 1e-6f, y.data(), n);
        benchmark::ClobberMemory();
    }
}

void register_all() {
    struct Product {
        const char* name;
        uint32_t rows, cols;
    };
    // An expert of a model of the size of DeepSeek-V2-Lite, and a matrix of a 7B model.
    for (const Product& p : {Product{"expert", 1536, 2048}, {"dense", 4096, 4096}})
        for (const auto* t = tensor_types_begin(); t != tensor_types_end(); ++t)
            for (const uint32_t n : {1u, 16u, 512u})
                benchmark::RegisterBenchmark(
                    fmt::format("product/{}/{}x{}/{}/n:{}", p.name, p.rows, p.cols, t->name, n).c_str(),
                    [type = t->type, p, n](benchmark::State& s) { products(s, type, p.rows, p.cols, n); })
                    ->UseRealTime();
    for (const KvFormat f : {KvFormat::f16, KvFormat::q8_0, KvFormat::f32})
        for (const Shape& s : {Shape{"mla", {f, 576, 512, 512, true}, 16},
                               {"gqa7", {f, 128, 128, 128, false}, 7},
                               {"mha", {f, 128, 128, 128, false}, 1}}) {
            const char* format = f == KvFormat::f16 ? "f16" : f == KvFormat::q8_0 ? "q8_0" : "f32";
            benchmark::RegisterBenchmark(fmt::format("attention/{}/{}/16384", s.name, format).c_str(),
                                         [s](benchmark::State& state) { attention(state, s); })
                ->UseRealTime();
        }
    benchmark::RegisterBenchmark("rms_norm/7168", norm);
}

}  // namespace

int run(int argc, char** argv) {
    uint32_t threads = uint32_t(available_cores().size());
    Isa isa = best_isa();
    int kept = 1;
    for (int i = 1; i < argc; ++i) {
        const std::string_view arg = argv[i];
        if (arg.starts_with("--threads="))
            threads = uint32_t(std::stoul(std::string(arg.substr(10))));
        else if (arg.starts_with("--isa="))
            isa = parse_isa(arg.substr(6));
        else
            argv[kept++] = argv[i];
    }
    argc = kept;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    machine.pool = std::make_unique<ThreadPool>(threads);
    machine.kernels = std::make_unique<Kernels>(*machine.pool, isa);
    machine.read = read_bandwidth(*machine.pool);
    machine.peak = peak_multiply_adds(*machine.pool, isa);
    benchmark::AddCustomContext("processor", processor_name());
    benchmark::AddCustomContext("kernels", fmt::format("{}, {} threads", to_string(isa), threads));
    benchmark::AddCustomContext("memory reads", fmt::format("{:.1f} GB/s", machine.read / 1e9));
    benchmark::AddCustomContext("multiply-adds of bytes", fmt::format("{:.0f} G/s", machine.peak / 1e9));
    register_all();
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}

}  // namespace sluice::bench

int main(int argc, char** argv) {
    try {
        return sluice::bench::run(argc, argv);
    } catch (const std::exception& e) {
        fmt::print(stderr, "bench_kernels: {}\n", e.what());
        return 1;
    }
}
