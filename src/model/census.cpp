#include "model/census.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace sluice {

std::string_view to_string(TensorRole role) {
    switch (role) {
        case TensorRole::embedding:
            return "embeddings";
        case TensorRole::head:
            return "output head";
        case TensorRole::attention:
            return "attention";
        case TensorRole::dense_ffn:
            return "dense FFN";
        case TensorRole::routed_experts:
            return "routed experts";
        case TensorRole::shared_experts:
            return "shared experts";
        case TensorRole::router:
            return "router";
        case TensorRole::norms:
            return "norms";
        case TensorRole::mtp:
            return "MTP block";
        case TensorRole::other:
            break;
    }
    return "other";
}

namespace {

/// The number in "blk.12.attn_q.weight".
std::optional<uint32_t> block_of(std::string_view name) {
    if (!name.starts_with("blk.")) return {};
    uint32_t n;
    const auto r = std::from_chars(name.data() + 4, name.data() + name.size(), n);
    return r.ec == std::errc() ? std::optional(n) : std::nullopt;
}

/// What a part of a tensor's name says of it; the first match counts.
struct NamePart {
    std::string_view part;
    TensorRole role;
};
constexpr NamePart name_parts[] = {
    {"nextn.", TensorRole::mtp},           {"token_embd", TensorRole::embedding},
    {"_norm", TensorRole::norms},          {"_shexp", TensorRole::shared_experts},
    {"_exps", TensorRole::routed_experts}, {"ffn_gate_inp", TensorRole::router},
    {"exp_probs", TensorRole::router},     {"attn_", TensorRole::attention},
    {"ffn_", TensorRole::dense_ffn},
};

TensorRole role_of(const GgufTensor& t, const HyperParams* params) {
    const auto block = block_of(t.name);
    if (block && params && *block >= params->n_layers) return TensorRole::mtp;
    if (t.name == "output.weight") return TensorRole::head;
    for (const auto& p : name_parts)
        if (t.name.find(p.part) != std::string::npos) return p.role;
    return TensorRole::other;
}

uint64_t active_of(const GgufTensor& t, TensorRole role, const GgufFile& file, const HyperParams* params) {
    switch (role) {
        case TensorRole::mtp:
            return 0;
        case TensorRole::embedding:
            return file.find("output.weight") ? t.shape[0] : t.n_weights();
        case TensorRole::routed_experts:
            if (params && params->moe.n_experts)
                return t.n_weights() / params->moe.n_experts * params->moe.n_used;
            break;
        default:
            break;
    }
    return t.n_weights();
}

}  // namespace

Census take_census(const GgufFile& file, const HyperParams* params) {
    Census c;
    std::map<TensorRole, RoleCount> roles;
    std::map<TensorType, TypeCount> types;
    for (const auto& t : file.tensors()) {
        const TensorRole role = role_of(t, params);
        RoleCount& r = roles.try_emplace(role, RoleCount{role}).first->second;
        TypeCount& y = types.try_emplace(t.type, TypeCount{t.type}).first->second;
        ++r.tensors, ++y.tensors;
        r.parameters += t.n_weights(), y.parameters += t.n_weights(), c.parameters += t.n_weights();
        r.bytes += t.n_bytes, y.bytes += t.n_bytes, c.bytes += t.n_bytes;
        c.active_parameters += active_of(t, role, file, params);
    }
    for (const auto& [_, r] : roles) c.roles.push_back(r);
    for (const auto& [_, y] : types) c.types.push_back(y);
    std::stable_sort(c.types.begin(), c.types.end(),
                     [](const TypeCount& a, const TypeCount& b) { return a.bytes > b.bytes; });
    return c;
}

}  // namespace sluice
