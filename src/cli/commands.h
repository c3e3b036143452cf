// The subcommands, one file each. add_NAME() describes a command's options to the parser; if the command line
// names it, `chosen` becomes the call that runs it and returns the exit status.
#pragma once

#include <functional>

#include <CLI/App.hpp>

namespace sluice::cli {

using Action = std::function<int()>;

void add_chat(CLI::App& app, Action& chosen);
void add_run(CLI::App& app, Action& chosen);
void add_inspect(CLI::App& app, Action& chosen);
void add_tokenize(CLI::App& app, Action& chosen);
void add_detokenize(CLI::App& app, Action& chosen);
void add_template(CLI::App& app, Action& chosen);
void add_logits(CLI::App& app, Action& chosen);
void add_tensor(CLI::App& app, Action& chosen);
void add_synth(CLI::App& app, Action& chosen);
void add_replay(CLI::App& app, Action& chosen);
void add_bench(CLI::App& app, Action& chosen);

}  // namespace sluice::cli
