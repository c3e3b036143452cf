#include <algorithm>
#include <cctype>

#include "cli/inspect.h"

namespace sluice::cli {

namespace {

using Json = nlohmann::ordered_json;

/// "MTP block" as "mtp_block"
std::string key_of(std::string_view role) {
    std::string key(role);
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return c == ' ' ? '_' : char(std::tolower(c)); });
    return key;
}

template <typename Count>
Json count_json(const Count& c) {
    return {{"tensors", c.tensors}, {"parameters", c.parameters}, {"bytes", c.bytes}};
}

Json kinds_json(const Census& census) {
    Json json = Json::object();
    for (const auto& r : census.roles) json[key_of(to_string(r.role))] = count_json(r);
    return json;
}

Json types_json(const Census& census) {
    Json json = Json::object();
    for (const auto& t : census.types) {
        Json& entry = json[std::string(info(t.type).name)] = count_json(t);
        entry["bits_per_weight"] = info(t.type).bits_per_weight();
    }
    return json;
}

Json kv_json(const Inspection& i) {
    Json json = Json::object();
    for (const char* type : {"f32", "f16", "q8_0"}) {
        const auto bytes = i.kv_bytes_per_token(type);
        json[type] = bytes ? Json(*bytes) : Json();
    }
    return json;
}

Json shards_json(const GgufFile& file) {
    Json json = Json::array();
    for (const auto& s : file.shards())
        json.push_back({{"path", s.path.string()}, {"bytes", s.file_bytes}, {"data_offset", s.data_offset}});
    return json;
}

Json tensors_json(const GgufFile& file) {
    Json json = Json::array();
    for (const auto& t : file.tensors()) {
        const Json shape = std::vector<uint64_t>(t.shape.begin(), t.shape.begin() + t.n_dims);
        json.push_back({{"name", t.name},
                        {"type", info(t.type).name},
                        {"shape", shape},
                        {"bytes", t.n_bytes},
                        {"shard", t.shard},
                        {"offset", t.offset}});
    }
    return json;
}

Json value_json(const GgufValue& value) {
    return std::visit(
        [](const auto& v) -> Json {
            if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::monostate>)
                return nullptr;
            else
                return v;
        },
        value);
}

Json tokenizer_json(const Inspection& i) {
    const GgufMetadata& m = i.file.metadata();
    const auto* tokens = m.find_strings("tokenizer.ggml.tokens");
    Json json = {{"description", i.tokenizer}, {"tokens", tokens ? tokens->size() : 0}};
    for (const char* key : {"model", "pre", "bos_token_id", "eos_token_id"})
        if (const GgufValue* v = m.find(std::string("tokenizer.ggml.") + key)) json[key] = value_json(*v);
    return json;
}

}  // namespace

nlohmann::ordered_json inspection_json(const Inspection& i, const InspectDetails& details) {
    Json json = {{"architecture", i.architecture},
                 {"name", i.name},
                 {"runnable", i.params.has_value()},
                 {"parameters", i.census.parameters},
                 {"active_parameters", i.census.active_parameters},
                 {"context_length", i.context_length},
                 {"n_layers", i.n_layers},
                 {"n_embd", i.n_embd},
                 {"n_vocab", i.n_vocab},
                 {"n_experts", i.n_experts},
                 {"n_experts_used", i.n_experts_used},
                 {"file_bytes", i.file.total_bytes()},
                 {"bits_per_weight", i.census.bits_per_weight()},
                 {"tensors_by_kind", kinds_json(i.census)},
                 {"quantization", types_json(i.census)},
                 {"kv_bytes_per_token", kv_json(i)},
                 {"tokenizer", tokenizer_json(i)},
                 {"chat_template", i.template_source.empty() ? Json() : Json(i.template_source)},
                 {"gguf_version", i.file.version()},
                 {"shards", shards_json(i.file)},
                 {"notices", i.notices}};
    if (details.tensors) json["tensors"] = tensors_json(i.file);
    if (details.metadata) {
        json["metadata"] = Json::object();
        for (const auto& [key, value] : i.file.metadata().entries())
            json["metadata"][key] = value_json(value);
    }
    return json;
}

}  // namespace sluice::cli
