// sluice synth: a model with real shapes and random weights, to measure a machine without a download.
#include "model/synth.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "core/sizes.h"

namespace sluice::cli {

namespace {

struct SynthFlags {
    std::string out, type, dense_type, size, tokenizer = "rill";
    SynthOptions options;
};

TensorType parse_type(const std::string& text, const char* flag) {
    std::vector<std::string_view> names;
    for (const auto* t = tensor_types_begin(); t != tensor_types_end(); ++t) {
        if (t->name == text) return t->type;
        names.push_back(t->name);
    }
    fail(ErrorCode::invalid_argument, "expected {} to be one of {}, found \"{}\"", flag,
         fmt::join(names, ", "), text);
}

/// Better said now than after an hour of writing.
void check_space(const std::string& path, uint64_t bytes) {
    if (path == "-") return;
    const auto folder = std::filesystem::absolute(path).parent_path();
    std::error_code error;
    const auto space = std::filesystem::space(folder, error);
    if (!error && space.available < bytes)
        fail(ErrorCode::io, "{} would take {}, and {} is free in {}; choose a smaller --size or --layers",
             path, human_bytes(bytes), human_bytes(space.available), folder.string());
}

void write_tensors(const SynthModel& model, OutputFile& out) {
    const auto& tensors = model.layout().tensors();
    const uint64_t total = model.layout().data_bytes();
    Progress progress("writing", Progress::Unit::bytes);
    std::vector<std::byte> piece;
    uint64_t written = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        const GgufTensor& t = tensors[i];
        out.write(std::string(t.offset - written, '\0'));
        for (uint64_t at = 0; at < t.n_bytes; at += piece.size()) {
            piece.resize(std::min(model.piece_bytes(i), t.n_bytes - at));
            model.fill(i, at, piece);
            out.write({reinterpret_cast<const char*>(piece.data()), piece.size()});
            progress.update(t.offset + at, total);
            check_interrupt();
        }
        written = t.offset + t.n_bytes;
    }
    out.write(std::string(total - written, '\0'));
}

int run(SynthFlags& f) {
    SynthOptions& o = f.options;
    const bool has_experts = find_synth_shape(o.like).has_experts();
    o.expert_type = parse_type(f.type, "--type");
    o.dense_type = f.dense_type.empty() ? (has_experts ? TensorType::Q8_0 : o.expert_type)
                                        : parse_type(f.dense_type, "--dense-type");
    if (!f.size.empty()) o.max_bytes = parse_size(f.size);
    const SynthModel model(o, GgufFile::open(find_model(f.tokenizer)).metadata());
    const std::string header = model.layout().header();
    const uint64_t bytes = header.size() + model.layout().data_bytes();
    check_space(f.out, bytes);
    OutputFile out(f.out);
    out.write(header);
    write_tensors(model, out);
    out.commit();
    std::string line =
        fmt::format("{}: {} of {}'s {} layers, {} tensors, {}", f.out, model.n_layers(), model.shape().name,
                    model.shape().n_layers, model.layout().tensors().size(), human_bytes(bytes));
    if (has_experts)
        line += fmt::format("; the most popular tenth of experts gets {:.0f} % of the uses",
                            100 * model.share_of_popular_tenth());
    write_error(dim(line, Stream::error) + "\n");
    return exit_ok;
}

}  // namespace

void add_synth(CLI::App& app, Action& chosen) {
    auto f = std::make_shared<SynthFlags>();
    f->type = "Q4_K";
    std::vector<std::string_view> names;
    for (const SynthShape& s : synth_shapes()) names.push_back(s.name);
    CLI::App* command = app.add_subcommand(
        "synth", "Write a model with real shapes and random weights, to measure a machine with");
    command->add_option("OUT", f->out, "The GGUF file to write")->required()->type_name("");
    command->add_option("--like", f->options.like, fmt::format("Whose shapes: {}", fmt::join(names, ", ")))
        ->capture_default_str()
        ->type_name("NAME");
    command
        ->add_option("--layers", f->options.n_layers,
                     "Layers; default: as many as the model has, or --size allows")
        ->type_name("N");
    command->add_option("--size", f->size, "At most so many bytes of weights, by leaving out layers: 10G")
        ->type_name("SIZE");
    command->add_option("--type", f->type, "Type of the experts (of all matrices, if the model has none)")
        ->capture_default_str()
        ->type_name("TYPE");
    command
        ->add_option("--dense-type", f->dense_type,
                     "Type of the other matrices; default: Q8_0 beside experts")
        ->type_name("TYPE");
    command
        ->add_option(
            "--skew", f->options.skew,
            "How much routers favour some experts: place r of a layer gets -S ln(r+1) on its logit, whose "
            "deviation is 1; 0 is uniform")
        ->type_name("S");
    command
        ->add_option(
            "--correlation", f->options.correlation,
            "How alike the routes of following tokens are: the share, 0 to 0.95, of a token's embedding that "
            "its topic gives")
        ->type_name("C");
    command->add_option("--tokenizer", f->tokenizer, "A GGUF file or model whose tokenizer is taken")
        ->capture_default_str()
        ->type_name("MODEL");
    command->add_option("--seed", f->options.seed, "Of the random numbers")
        ->capture_default_str()
        ->type_name("N");
    command->footer(
        "Examples:\n"
        "  sluice synth r1.gguf --like deepseek-r1 --type Q2_K --size 40G\n"
        "  sluice synth v2.gguf --like deepseek-v2-lite --skew 1 --correlation 0.3\n"
        "Then: sluice run r1.gguf -p \"Hello\" -n 32 --temp 1 --ignore-eos --ram 16G");
    command->callback([f, &chosen] { chosen = [f] { return run(*f); }; });
}

}  // namespace sluice::cli
