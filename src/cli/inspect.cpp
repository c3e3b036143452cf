// sluice inspect: gathers what a file says; inspect_text.cpp and inspect_json.cpp show it.
#include "cli/inspect.h"

#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "sluice/engine.h"

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "core/fail.h"
#include "model/kv_cache.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace sluice::cli {

namespace {

constexpr struct {
    std::string_view name;
    KvFormat format;
} kv_formats[] = {{"f32", KvFormat::f32}, {"f16", KvFormat::f16}, {"q8_0", KvFormat::q8_0}};

/// What the metadata say where no HyperParams can be made. Odd values count as missing: this is not the place
/// to refuse a file.
uint64_t number_or_zero(const GgufMetadata& m, const std::string& key) {
    try {
        return m.get_uint(key, 0);
    } catch (const Error&) {
        return 0;
    }
}
std::string text_or_empty(const GgufMetadata& m, std::string_view key) {
    try {
        return m.get_string(key, "");
    } catch (const Error&) {
        return {};
    }
}

void read_params(Inspection& i) {
    const GgufMetadata& m = i.file.metadata();
    const std::string prefix = i.architecture + ".";
    try {
        i.params = HyperParams::from(i.file);
    } catch (const Error& e) {
        i.notices.push_back(fmt::format("Sluice cannot run this file: {}", e.what()));
    }
    i.n_layers = i.params ? i.params->n_layers : number_or_zero(m, prefix + "block_count");
    i.n_embd = i.params ? i.params->n_embd : number_or_zero(m, prefix + "embedding_length");
    i.context_length = i.params ? i.params->context_length : number_or_zero(m, prefix + "context_length");
    i.n_experts = i.params ? i.params->moe.n_experts : number_or_zero(m, prefix + "expert_count");
    i.n_experts_used = i.params ? i.params->moe.n_used : number_or_zero(m, prefix + "expert_used_count");
    const auto* tokens = m.find_strings("tokenizer.ggml.tokens");
    i.n_vocab = i.params ? i.params->n_vocab
                : tokens ? tokens->size()
                         : number_or_zero(m, prefix + "vocab_size");
}

void read_text(Inspection& i) {
    const GgufMetadata& m = i.file.metadata();
    i.template_source = text_or_empty(m, "tokenizer.chat_template");
    if (!i.template_source.empty()) i.template_name = "the model's own";
    if (!m.has("tokenizer.ggml.tokens")) {
        i.tokenizer = "none";
        return;
    }
    try {
        const auto tokenizer = Tokenizer::from(m);
        i.tokenizer = tokenizer->description();
        if (!i.template_source.empty()) return;
        const DefaultTemplate fallback = default_template(*tokenizer);
        i.template_name = fmt::format("none; Sluice would use its default \"{}\"", fallback.name);
    } catch (const Error& e) {
        i.tokenizer = "unusable";
        i.notices.push_back(e.what());
    }
}

struct InspectOptions {
    std::string model;
    bool json = false;
    InspectDetails details;
};

int run(const InspectOptions& o) {
    const Inspection i(GgufFile::open(find_model(o.model)));
    if (o.json)
        write_output(inspection_json(i, o.details)
                         .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                     "\n");
    else
        write_output(inspection_text(i, o.details));
    return exit_ok;
}

}  // namespace

Inspection::Inspection(GgufFile opened) : file(std::move(opened)) {
    architecture = text_or_empty(file.metadata(), "general.architecture");
    name = text_or_empty(file.metadata(), "general.name");
    if (name.empty() && !file.shards().empty()) name = file.shards().front().path.stem().string();
    read_params(*this);
    read_text(*this);
    census = take_census(file, params ? &*params : nullptr);
}

std::optional<uint64_t> Inspection::kv_bytes_per_token(const std::string& type) const {
    if (!params) return {};
    for (const auto& f : kv_formats) {
        if (f.name != type) continue;
        try {
            return KvLayout(*params, f.format).bytes_per_token();
        } catch (const Error&) {
            return {};
        }
    }
    return {};
}

void add_inspect(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<InspectOptions>();
    CLI::App* command = app.add_subcommand("inspect", "Show what is in a GGUF file");
    command->add_option("MODEL", o->model, "A GGUF file, the first of a split set, or a model's name")
        ->required()
        ->type_name("");
    command->add_flag("--tensors", o->details.tensors,
                      "List every tensor: name, type, shape, bytes, shard, offset");
    command->add_flag("--metadata", o->details.metadata, "List every key and value");
    command->add_flag("--json", o->json, "Print one JSON object");
    command->footer("Example:\n  sluice inspect rill\nReads only the header, however large the model is.");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
