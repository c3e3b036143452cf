// sluice logits: the model's raw output after each of the given tokens.
#include <bit>
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/token_list.h"
#include "core/fail.h"

namespace sluice::cli {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie in memory");

namespace {

struct LogitsOptions {
    std::string model, tokens, out;
    EngineFlags engine;
};

std::string_view bytes_of(std::span<const float> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

int run(const LogitsOptions& o) {
    const auto tokens = parse_token_list(o.tokens == "-" ? read_all("-") : o.tokens);
    if (tokens.empty()) throw UsageError("expected at least one token id after --tokens, found none");
    EngineFlags flags = o.engine;
    flags.learn = false;  // ids chosen for a test say nothing of the user's work
    const Engine engine = open_engine(o.model, flags);
    Session session(engine, o.engine.session_options());
    if (tokens.size() > session.context())
        fail(ErrorCode::out_of_budget,
             "{} tokens were given and the context holds {}; give fewer or raise --ctx", tokens.size(),
             session.context());
    OutputFile out(o.out);
    const CancelOnInterrupt cancel(session);
    Progress progress("computing", Progress::Unit::tokens);
    // Batch by batch, so that the logits of one batch are all that is held.
    const uint32_t at_once = engine.info().batch;
    for (size_t at = 0; at < tokens.size(); at += at_once) {
        const auto batch = std::span(tokens).subspan(at, std::min<size_t>(at_once, tokens.size() - at));
        out.write(bytes_of(session.append_all_logits(batch)));
        progress.update(at + batch.size(), tokens.size());
        check_interrupt();
    }
    progress.finish();
    out.commit();
    write_error(dim(fmt::format("{} tokens x {} logits, float32", grouped(tokens.size()),
                                grouped(engine.info().n_vocab)),
                    Stream::error) +
                "\n");
    return exit_ok;
}

}  // namespace

void add_logits(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<LogitsOptions>();
    CLI::App* command = app.add_subcommand("logits", "Write the logits after each token of a list");
    command->add_option("MODEL", o->model, "A GGUF file or a model's name")->required()->type_name("");
    command->add_option("--tokens", o->tokens, "Token ids such as 1,2,3; - reads them from standard input")
        ->required()
        ->type_name("IDS");
    command
        ->add_option("--out", o->out,
                     "Where to write float32, little endian, [token][vocabulary]; - is standard output")
        ->required()
        ->type_name("FILE");
    o->engine.add_to(*command);
    command->footer("Example:\n  sluice logits rill --tokens 0,455,48 --out logits.f32");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
