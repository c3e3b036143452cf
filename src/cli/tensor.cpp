// sluice tensor: one tensor of a file, decoded to float32. Reads it piece by piece: any tensor fits any
// machine.
#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "format/gguf.h"
#include "quant/decode.h"
#include "store/file.h"

namespace sluice::cli {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

namespace {

struct TensorOptions {
    std::string model, name, out;
};

void write_decoded(const GgufFile& file, const GgufTensor& t, OutputFile& out) {
    constexpr uint64_t piece_blocks = 1 << 12;  // at most 1 Mi weights at once
    const TensorTypeInfo& type = info(t.type);
    const uint64_t n_blocks = t.n_bytes / type.block_bytes;
    const ReadFile shard(file.shards()[t.shard].path);
    std::vector<std::byte> encoded(piece_blocks * type.block_bytes);
    std::vector<float> decoded(piece_blocks * type.block_weights);
    Progress progress("decoding", Progress::Unit::bytes);
    for (uint64_t at = 0; at < n_blocks; at += piece_blocks) {
        const uint64_t n = std::min(piece_blocks, n_blocks - at);
        shard.read(t.offset + at * type.block_bytes, std::span(encoded).first(n * type.block_bytes));
        decode(t.type, encoded.data(), decoded.data(), n * type.block_weights);
        out.write({reinterpret_cast<const char*>(decoded.data()), n * type.block_weights * sizeof(float)});
        progress.update(at * type.block_bytes, t.n_bytes);
        check_interrupt();
    }
}

int run(const TensorOptions& o) {
    const std::string path = find_model(o.model).string();
    const GgufFile file = GgufFile::open(path);
    const GgufTensor* t = file.find(o.name);
    if (!t)
        fail(ErrorCode::invalid_argument,
             "expected the name of one of the {} tensors of {}, found \"{}\"; "
             "sluice inspect --tensors lists them",
             file.tensors().size(), path, o.name);
    OutputFile out(o.out);
    write_decoded(file, *t, out);
    out.commit();
    write_error(dim(fmt::format("{} {}, {}: {} float32 values", t->name, t->shape_text(), info(t->type).name,
                                grouped(t->n_weights())),
                    Stream::error) +
                "\n");
    return exit_ok;
}

}  // namespace

void add_tensor(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<TensorOptions>();
    CLI::App* command = app.add_subcommand("tensor", "Write one tensor decoded to float32");
    command->add_option("MODEL", o->model, "A GGUF file or a model's name")->required()->type_name("");
    command->add_option("NAME", o->name, "The tensor's name, such as blk.0.attn_norm.weight")
        ->required()
        ->type_name("");
    command->add_option("--out", o->out, "Where to write float32, little endian; - is standard output")
        ->required()
        ->type_name("FILE");
    command->footer("Example:\n  sluice tensor rill output_norm.weight --out norm.f32");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
