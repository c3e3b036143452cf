// sluice detokenize: token ids to the exact bytes they stand for. Reads only the file's header.
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/input.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/token_list.h"
#include "text/tokenizer.h"

namespace sluice::cli {

namespace {

struct DetokenizeOptions {
    std::string model;
    std::vector<std::string> ids;
    bool special = false;
};

int run(const DetokenizeOptions& o) {
    const GgufFile file = GgufFile::open(find_model(o.model));
    const auto tokenizer = Tokenizer::from(file.metadata());
    std::string text;
    for (const auto& word : o.ids) text += word + " ";
    const auto ids = parse_token_list(o.ids.empty() ? read_all("-") : text);
    write_output(tokenizer->decode(ids, o.special));
    return exit_ok;
}

}  // namespace

void add_detokenize(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<DetokenizeOptions>();
    CLI::App* command = app.add_subcommand("detokenize", "Print the text of token ids");
    command->add_option("MODEL", o->model, "A GGUF file (its vocabulary suffices) or a model's name")
        ->required()
        ->type_name("");
    command
        ->add_option("IDS", o->ids, "Token ids, separated by spaces or commas (default: from standard input)")
        ->type_name("");
    command->add_flag("--special", o->special, "Show control tokens");
    command->footer(
        "Example:\n  sluice detokenize rill 455 48 66 59 64\nThe bytes are exact: no newline is added.");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
