#include "model/synth_shapes.h"

#include <string>

#include "core/fail.h"

namespace sluice {

namespace {

// clang-format off
constexpr SynthShape shapes[] = {
    // name, architecture,
    //   layers, embd, ff, vocab, context, heads, kv heads, key, value, q_lora, kv_lora, rope dims,
    //   experts, used, shared, expert ff, leading dense, sigmoid, normalise, scale, groups, groups used, base, yarn
    {"deepseek-r1", "deepseek2", 61, 7168, 18432, 129280, 163840, 128, 1, 192, 128, 1536, 512, 64,
     256, 8, 1, 2048, 3, true, true, 2.5f, 8, 4, 10000, 40},
    {"deepseek-v3", "deepseek2", 61, 7168, 18432, 129280, 163840, 128, 1, 192, 128, 1536, 512, 64,
     256, 8, 1, 2048, 3, true, true, 2.5f, 8, 4, 10000, 40},
    {"kimi-k2", "deepseek2", 61, 7168, 18432, 163840, 131072, 64, 1, 192, 128, 1536, 512, 64,
     384, 8, 1, 2048, 1, true, true, 2.827f, 1, 1, 50000, 32},
    {"deepseek-v2", "deepseek2", 60, 5120, 12288, 102400, 163840, 128, 1, 192, 128, 1536, 512, 64,
     160, 6, 2, 1536, 1, false, false, 16.0f, 8, 3, 10000, 40},
    {"deepseek-v2-lite", "deepseek2", 27, 2048, 10944, 102400, 163840, 16, 1, 192, 128, 0, 512, 64,
     64, 6, 2, 1408, 1, false, false, 1.0f, 1, 1, 10000, 40},
    // As deepseek-v2-lite with experts whose width is whole blocks of every type: 10 GB in Q4_K.
    {"bench-moe", "deepseek2", 27, 2048, 10944, 102400, 163840, 16, 1, 192, 128, 0, 512, 64,
     64, 6, 2, 1536, 1, false, false, 1.0f, 1, 1, 10000, 40},
    // For tests: a few megabytes, everything a large one has.
    {"tiny-moe", "deepseek2", 4, 256, 512, 4096, 4096, 4, 1, 64, 32, 64, 64, 32,
     16, 4, 1, 256, 1, true, true, 2.5f, 4, 2, 10000, 4},
    {"qwen3-30b-a3b", "qwen3moe", 48, 2048, 6144, 151936, 40960, 32, 4, 128, 128, 0, 0, 128,
     128, 8, 0, 768, 0, false, true, 1.0f, 1, 1, 1e6f, 0},
    {"qwen3-235b-a22b", "qwen3moe", 94, 4096, 12288, 151936, 40960, 64, 4, 128, 128, 0, 0, 128,
     128, 8, 0, 1536, 0, false, true, 1.0f, 1, 1, 1e6f, 0},
    {"qwen2.5-1.5b", "qwen2", 28, 1536, 8960, 151936, 131072, 12, 2, 128, 128, 0, 0, 128,
     0, 0, 0, 0, 0, false, false, 1.0f, 1, 1, 1e6f, 0},
    {"qwen2.5-7b", "qwen2", 28, 3584, 18944, 152064, 131072, 28, 4, 128, 128, 0, 0, 128,
     0, 0, 0, 0, 0, false, false, 1.0f, 1, 1, 1e6f, 0},
    {"qwen2.5-32b", "qwen2", 64, 5120, 27648, 152064, 131072, 40, 8, 128, 128, 0, 0, 128,
     0, 0, 0, 0, 0, false, false, 1.0f, 1, 1, 1e6f, 0},
    {"llama-3.1-8b", "llama", 32, 4096, 14336, 128256, 131072, 32, 8, 128, 128, 0, 0, 128,
     0, 0, 0, 0, 0, false, false, 1.0f, 1, 1, 5e5f, 0},
    {"llama-3.1-70b", "llama", 80, 8192, 28672, 128256, 131072, 64, 8, 128, 128, 0, 0, 128,
     0, 0, 0, 0, 0, false, false, 1.0f, 1, 1, 5e5f, 0},
};
// clang-format on

}  // namespace

std::span<const SynthShape> synth_shapes() {
    return shapes;
}

const SynthShape& find_synth_shape(std::string_view name) {
    std::string known;
    for (const SynthShape& s : shapes) {
        if (s.name == name) return s;
        known += fmt::format("{}{}", known.empty() ? "" : ", ", s.name);
    }
    fail(ErrorCode::invalid_argument, "expected --like to be one of {}, found \"{}\"", known, name);
}

}  // namespace sluice
