// What a GGUF file says of itself, gathered once and shown as text or as JSON. Reads headers only: a 212 GB
// set takes milliseconds. What Sluice cannot run, or not even understand, is still shown as far as it can be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "format/gguf.h"
#include "model/census.h"
#include "model/hparams.h"

namespace sluice::cli {

struct InspectDetails {
    bool tensors = false, metadata = false;
};

struct Inspection {
    GgufFile file;
    std::string architecture, name;
    std::optional<HyperParams> params;  // none: an architecture Sluice does not run, or no model at all
    Census census;
    uint64_t n_layers = 0, n_embd = 0, n_vocab = 0, context_length = 0, n_experts = 0, n_experts_used = 0;
    std::string tokenizer;      // "BPE, deepseek-v3", or why there is none
    std::string template_name;  // "the model's own", a default, or ""
    std::string template_source;
    std::vector<std::string> notices;

    explicit Inspection(GgufFile opened);
    /// Bytes of KV cache for each token; nothing if the architecture is unknown or the type does not fit it.
    std::optional<uint64_t> kv_bytes_per_token(const std::string& type) const;
};

std::string inspection_text(const Inspection& i, const InspectDetails& details);
nlohmann::ordered_json inspection_json(const Inspection& i, const InspectDetails& details);

/// A metadata value on one line: long arrays are cut, long texts too.
std::string short_value(const GgufValue& value);

}  // namespace sluice::cli
