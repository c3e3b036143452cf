#include "model/architectures.h"

namespace sluice {

namespace {

constexpr Architecture architecture_table[] = {
    {"deepseek2", AttentionKind::mla, RopePairs::neighbours, false, "DeepSeek V2, V3, V3.1, R1; Kimi K2"},
    {"llama", AttentionKind::gqa, RopePairs::neighbours, true, "Llama 2, 3.x; R1-Distill-Llama; Mistral"},
    {"qwen2", AttentionKind::gqa, RopePairs::halves, true, "Qwen2.5; R1-Distill-Qwen"},
    {"qwen3", AttentionKind::gqa, RopePairs::halves, true, "Qwen3"},
    {"qwen3moe", AttentionKind::gqa, RopePairs::halves, true, "Qwen3-30B-A3B, Qwen3-235B-A22B"},
};

}  // namespace

std::span<const Architecture> architectures() {
    return architecture_table;
}

const Architecture* find_architecture(std::string_view name) {
    for (const auto& a : architecture_table)
        if (a.name == name) return &a;
    return nullptr;
}

}  // namespace sluice
