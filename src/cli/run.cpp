// sluice run: one prompt, one answer.
#include <memory>
#include <optional>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/constraint_flags.h"
#include "cli/conversation.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "cli/step_log.h"
#include "cli/terminal.h"

namespace sluice::cli {

namespace {

struct RunOptions {
    std::string model, dash;
    std::optional<std::string> prompt, file, messages;
    std::string system, tools, template_vars;
    bool raw = false, json = false, hide_thinking = false;
    EngineFlags engine;
    SamplingFlags sampling;
    ConstraintFlags constraint;
    std::string stats_file;  // empty: none
};

void check(RunOptions& o) {
    if (!o.dash.empty() && o.dash != "-")
        throw UsageError("expected the prompt after -p, or - to read it from standard input, found \"" +
                         o.dash + "\"");
    const int sources =
        int(o.prompt.has_value()) + int(o.file.has_value()) + int(o.messages.has_value()) + !o.dash.empty();
    if (sources != 1)
        throw UsageError(
            fmt::format("expected one prompt (-p TEXT, -f FILE, - or --messages FILE), found {}", sources));
    if (o.raw && (o.messages || !o.system.empty() || !o.tools.empty() || !o.template_vars.empty()))
        throw UsageError(
            "expected --raw without --messages, --system, --tools and --template-vars: "
            "the text is the whole prompt");
    o.sampling.check();
    o.constraint.check();
}

/// Text files end with a newline that nobody means to say; a raw prompt is taken to the byte.
std::string prompt_text(const RunOptions& o) {
    if (o.prompt) return *o.prompt;
    std::string text = read_all(o.file ? *o.file : "-");
    if (!o.raw && text.ends_with('\n')) text.pop_back();
    if (!o.raw && text.ends_with('\r')) text.pop_back();
    return text;
}

/// Everything the user gave, read and checked before the model is opened.
ChatRequest chat_request(const RunOptions& o) {
    ChatRequest request;
    if (!o.system.empty()) request.messages.push_back({.role = "system", .content = o.system});
    if (o.messages) {
        Conversation c =
            read_conversation(parse_json(read_all(*o.messages), *o.messages), source_name(*o.messages));
        request.messages.insert(request.messages.end(), c.messages.begin(), c.messages.end());
        request.tools = std::move(c.tools);
    } else {
        request.messages.push_back({.role = "user", .content = prompt_text(o)});
    }
    if (!o.tools.empty())
        request.tools = read_tools(parse_json(read_all(o.tools), o.tools), source_name(o.tools));
    if (!o.template_vars.empty())
        request.extra_variables = parse_json(o.template_vars, "--template-vars").dump();
    return request;
}

nlohmann::ordered_json streams_json(const SessionStats& s) {
    return {{"prefill", stream_json(s.prefill_stream, s.prefill_seconds)},
            {"decode", stream_json(s.decode_stream, s.decode_seconds)}};
}

void print_json(const Answer& a, const Prompt& prompt, const Figures& f) {
    const nlohmann::ordered_json json = {{"model", f.engine.info().name},
                                         {"text", a.text},
                                         {"reasoning", a.reasoning},
                                         {"raw_text", f.engine.detokenize(a.generated.tokens, true)},
                                         {"prompt_tokens", prompt.tokens.size()},
                                         {"generated_tokens", a.generated.tokens.size()},
                                         {"token_ids", a.generated.tokens},
                                         {"stop_reason", to_string(a.generated.reason)},
                                         {"seed", f.seed},
                                         {"timings", timings_json(f)},
                                         {"memory", memory_json(f)},
                                         {"stream", streams_json(f.session.stats())}};
    write_output(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

int run(RunOptions& o) {
    check(o);
    const std::string raw_text = o.raw ? prompt_text(o) : "";
    const ChatRequest request = o.raw ? ChatRequest{} : chat_request(o);

    const Engine engine = open_engine(o.model, o.engine);
    StepLog steps(o.stats_file, engine);
    Session session(engine, steps.observe(o.engine.session_options()));
    GenerateOptions options = o.sampling.generate_options(engine.recommended_sampling());
    options.constraint = o.constraint.compile(engine);
    Prompt prompt;
    if (o.raw)
        prompt = {.tokens = engine.tokenize_prompt(raw_text), .text = raw_text};
    else
        prompt = engine.render(request);
    options.opens_reasoning = prompt.opens_reasoning;
    options.may_reason = prompt.may_reason;

    AnswerStyle style;
    style.thinking = o.raw ? Thinking::verbatim : o.hide_thinking ? Thinking::folded : Thinking::shown;
    style.streaming = o.json ? Streaming::off : Streaming::on;
    const Answer a = answer(session, prompt, options, style);

    const bool sampled = options.sampling.temperature > 0 && options.sampling.top_k != 1;
    const Figures figures{engine,  session,           parse_kv_type(o.engine.kv_type), options.sampling.seed,
                          sampled, a.generated.reason};
    if (o.json) print_json(a, prompt, figures);
    show_notices(engine);
    write_error(dim(figures_line(figures), Stream::error) + "\n");
    steps.commit();
    return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace

void add_run(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<RunOptions>();
    CLI::App* command = app.add_subcommand("run", "Answer one prompt on standard output");
    command->add_option("MODEL", o->model, "A GGUF file, or the name of a model such as rill")
        ->required()
        ->type_name("");
    command->add_option("INPUT", o->dash, "- reads the prompt from standard input")->type_name("");
    command->add_option("-p,--prompt", o->prompt, "The prompt (--prompt=TEXT if it begins with a dash)")
        ->type_name("TEXT");
    command->add_option("-f,--file", o->file, "Read the prompt from a file")->type_name("FILE");
    command
        ->add_option("--messages", o->messages,
                     "Read a conversation: a JSON array of messages, or {messages, tools}")
        ->type_name("FILE");
    command->add_option("--system", o->system, "A system message before the prompt")->type_name("TEXT");
    command->add_option("--tools", o->tools, "Tools the model may call: a JSON array")->type_name("FILE");
    command
        ->add_option("--template-vars", o->template_vars,
                     "More variables for the chat template, such as "
                     "'{\"enable_thinking\": false}'")
        ->type_name("JSON");
    command->add_flag("--raw", o->raw,
                      "Use no chat template: the text is the exact prompt, special tokens included");
    command->add_flag("--json", o->json,
                      "Print one JSON object: text, reasoning, token_ids, timings, memory, …");
    command->add_flag("--no-think-show", o->hide_thinking, "Show only how long the model thinks, not what");
    command
        ->add_option("--stats-json", o->stats_file,
                     "Write what each forward pass cost (drive, waiting, computing): a JSON object a line")
        ->type_name("FILE");
    o->engine.add_to(*command);
    o->sampling.add_to(*command);
    o->constraint.add_to(*command);
    command->footer(
        "Example:\n  sluice run rill -p 'What is 12+30?' --temp 0\n"
        "The answer goes to standard output, everything else to standard error.");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
