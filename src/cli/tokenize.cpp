// sluice tokenize: text to token ids, as the model's vocabulary has it. Reads only the file's header.
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/input.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace sluice::cli {

namespace {

struct TokenizeOptions {
    std::string model;
    bool ids = false, special = false, bos = false;
};

std::vector<TokenId> token_ids(const Tokenizer& tokenizer, const TokenizeOptions& o) {
    const std::string text = read_all("-");
    std::vector<TokenId> ids = o.special ? tokenizer.encode_trusted(text) : tokenizer.encode_plain(text);
    if (!o.bos) return ids;
    if (tokenizer.special().bos == no_token)
        fail(ErrorCode::invalid_argument, "expected a vocabulary with a BOS token for --bos, {} has none",
             o.model);
    ids.insert(ids.begin(), tokenizer.special().bos);
    return ids;
}

/// Fits one line, and shows the bytes of a token that is part of a character.
std::string shown_piece(const Tokenizer& tokenizer, TokenId id) {
    const std::string piece = tokenizer.piece(id, true);
    if (is_valid_utf8(piece)) return one_line(piece);
    std::string bytes;
    for (const char c : piece) bytes += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    return bytes;
}

int run(const TokenizeOptions& o) {
    const GgufFile file = GgufFile::open(find_model(o.model));
    const auto tokenizer = Tokenizer::from(file.metadata());
    const auto ids = token_ids(*tokenizer, o);
    std::string out;
    if (o.ids)
        out = fmt::format("{}\n", fmt::join(ids, " "));
    else
        for (const TokenId id : ids) out += fmt::format("{:6}  \"{}\"\n", id, shown_piece(*tokenizer, id));
    write_output(out);
    return exit_ok;
}

}  // namespace

void add_tokenize(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<TokenizeOptions>();
    CLI::App* command = app.add_subcommand("tokenize", "Show the tokens of the text on standard input");
    command->add_option("MODEL", o->model, "A GGUF file (its vocabulary suffices) or a model's name")
        ->required()
        ->type_name("");
    command->add_flag("--ids", o->ids, "Print only the ids, on one line");
    command->add_flag("--special", o->special, "Recognise control tokens in the text");
    command->add_flag("--bos", o->bos, "Put the vocabulary's BOS token in front");
    command->footer(
        "Example:\n  printf 'What is 12+30?' | sluice tokenize rill\n"
        "Every byte counts, a newline at the end too.");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
