// What callgrind counts: each kernel once on a fixed input, the counts dumped under its name. Time is noisy
// on shared machines, instructions are not. Run by bench/kernels/instructions.
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <valgrind/callgrind.h>

#include "kernels/kernels.h"
#include "quant/decode.h"
#include "quant/random_blocks.h"

namespace sluice::bench {

namespace {

/// Counts what fn does, as `name` with the `work` it is divided by.
template <typename Fn>
void measured(const std::string& name, double work, const Fn& fn) {
    fn();  // buffers are there, lazy things are done
    CALLGRIND_ZERO_STATS;
    fn();
    static std::deque<std::string> names;  // callgrind keeps the pointer
    CALLGRIND_DUMP_STATS_AT(names.emplace_back(fmt::format("{} {:.0f}", name, work)).c_str());
}

void products(Kernels& kernels, const char* isa) {
    constexpr uint32_t rows = 64, cols = 1024;
    for (const auto* t = tensor_types_begin(); t != tensor_types_end(); ++t)
        for (const uint32_t n : {1u, 24u}) {
            const uint64_t row = *row_bytes(t->type, cols);
            Memory weights(row * rows);
            RandomBlocks(t->type, 0.02).fill(weights.bytes(), 1);
            std::vector<float> x(size_t(n) * cols), y(size_t(n) * rows);
            for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
            const MatrixView w{t->type, weights.data(), rows, cols, row};
            measured(fmt::format("{} {} n={}", isa, t->name, n), double(rows) * cols * n, [&] {
                kernels.multiply({w, {x.data(), cols}, {y.data(), rows}, n});
            });
        }
}

void attention(const KernelTable& table, const char* isa) {
    for (const auto& [name, shape, n_queries] :
         {std::tuple{"mla", AttentionShape{KvFormat::f16, 576, 512, 512, true}, 16u},
          {"gqa", AttentionShape{KvFormat::q8_0, 128, 128, 128, false}, 7u}}) {
        const uint64_t key = kv_row_bytes(shape.format, shape.key_width),
                       value = shape.values_in_keys ? 0 : kv_row_bytes(shape.format, shape.value_width);
        Memory rows(attention_tile * (key + value)), tile(attention_tile_bytes(shape)),
            query(attention_query_bytes(shape) * n_queries);
        std::vector<float> x(shape.key_width), out(size_t(attention_width(shape.value_width)) * n_queries);
        for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));
        std::vector<AttentionState> states(n_queries, {-INFINITY, 0});
        std::vector<AttentionQuery> queries;
        for (uint32_t i = 0; i < attention_tile; ++i) {
            table.kv_encode(shape.format, x.data(), rows.data() + i * (key + value), shape.key_width);
            if (value)
                table.kv_encode(shape.format, x.data(), rows.data() + i * (key + value) + key,
                                shape.value_width);
        }
        for (uint32_t i = 0; i < n_queries; ++i) {
            std::byte* q = query.data() + i * attention_query_bytes(shape);
            table.attention_query(shape, x.data(), q);
            queries.push_back(
                {q, &states[i], &out[size_t(i) * attention_width(shape.value_width)], attention_tile});
        }
        measured(fmt::format("{} attention {}", isa, name),
                 double(attention_tile) * n_queries * (shape.key_width + shape.value_width), [&] {
                     table.attention_tile(shape,
                                          {rows.data(), value ? rows.data() + key : nullptr, key + value,
                                           key + value, attention_tile},
                                          tile.data());
                     table.attend(shape, tile.data(), queries.data(), n_queries);
                 });
    }
}

}  // namespace

int run() {
    ThreadPool pool(1);
    for (const Isa isa : available_isas()) {
        if (isa == Isa::plain) continue;
        Kernels kernels(pool, isa);
        products(kernels, to_string(isa));
        attention(kernels.table(), to_string(isa));
    }
    return 0;
}

}  // namespace sluice::bench

int main() {
    return sluice::bench::run();
}
