// sluice chat: a conversation in the terminal, or with the lines piped in.
#include <memory>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/chat_commands.h"
#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/model_path.h"
#include "cli/output.h"
#include "cli/step_log.h"
#include "cli/suggestions.h"
#include "cli/terminal.h"
#include "cli/turn_lines.h"
#include "core/sizes.h"

namespace sluice::cli {

namespace {

struct ChatOptions {
    std::string model{bundled_model};
    std::string system, tools, load;
    std::string stats_file;  // empty: none
    bool hide_thinking = false;
    EngineFlags engine;
    SamplingFlags sampling;
};

void complain(const Error& e) {
    write_error("sluice: " + one_line(e.what()) + "\n");
}

/// One turn, said or obeyed. Problems of a turn are shown and leave the conversation as it was.
class Chat {
  public:
    Chat(const Engine& engine, const ChatOptions& o, const SessionOptions& session)
        : conversation_(engine, session) {
        settings_.recommended = engine.recommended_sampling();
        settings_.flags = o.sampling;
        settings_.show_thinking = !o.hide_thinking;
        if (!o.load.empty()) conversation_.load(o.load);
        if (!o.system.empty()) conversation_.set_system(o.system);
        if (!o.tools.empty())
            conversation_.set_tools(read_tools(parse_json(read_all(o.tools), o.tools), o.tools));
    }

    ChatStep take(const std::string& turn) {
        if (turn.find_first_not_of(" \t\r\n") == std::string::npos) return ChatStep::go_on;
        try {
            if (is_chat_command(turn)) return run_chat_command(turn, conversation_, settings_);
            conversation_.say(turn, settings_);
        } catch (const Error& e) {
            if (e.code() == ErrorCode::internal) throw;
            if (e.code() != ErrorCode::cancelled) {
                complain(e);
                failed_ = true;
            }
        }
        return ChatStep::go_on;
    }
    bool failed() const { return failed_; }

  private:
    ChatConversation conversation_;
    ChatSettings settings_;
    bool failed_ = false;
};

void greet(const EngineInfo& info, const std::vector<std::string>& suggestions) {
    const auto style = Stream::error;
    std::string text = bold(one_line(info.name), style);
    text +=
        dim(fmt::format(
                " · {:.3g} million parameters, {:.3g} active · context {} · {} of weights · {} threads, {}\n",
                double(info.parameters) / 1e6, double(info.active_parameters) / 1e6,
                grouped(info.context_length), human_bytes(info.weight_bytes), info.threads, info.isa),
            style);
    if (info.streams) text += dim(fmt::format("{} · {}\n", info.residency, info.io), style);
    text += dim("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves.\n", style);
    if (!suggestions.empty()) text += "\nSome questions it answers well:\n";
    for (const auto& s : suggestions) text += "  " + one_line(s) + "\n";
    write_error(text + "\n");
}

int talk_in_terminal(Chat& chat) {
    LineEditor editor;
    TurnLines turn;
    for (;;) {
        if (termination_signal()) return exit_ok;
        clear_interrupt();
        const auto line = editor.read(turn.pending() ? "." : ">");
        if (line.ended == LineEditor::Ended::end_of_input) {
            write_error("\n");
            return exit_ok;
        }
        if (line.ended == LineEditor::Ended::interrupted) {
            write_error("\n");
            if (line.text.empty() && !turn.pending()) return exit_interrupted;
            turn.clear();
            continue;
        }
        const auto said = turn.add(line.text);
        if (!said || said->empty()) continue;
        editor.remember(*said);
        if (chat.take(*said) == ChatStep::leave) return exit_ok;
    }
}

/// Each line is a turn. Without any, one question is asked, so that `sluice chat </dev/null` shows that all
/// is well.
int talk_through_pipe(Chat& chat, const std::string& sample_question) {
    InputLines lines;
    TurnLines turn;
    bool any = false;
    for (auto line = lines.next(); line && !interrupted(); line = lines.next()) {
        any = true;
        const auto said = turn.add(*line);
        if (said && chat.take(*said) == ChatStep::leave) return chat.failed() ? exit_error : exit_ok;
    }
    if (const auto said = turn.finish(); said && !interrupted()) chat.take(*said);
    if (!any && !interrupted()) {
        write_error("> " + one_line(sample_question) + "\n");
        chat.take(sample_question);
    }
    return interrupted() ? exit_interrupted : chat.failed() ? exit_error : exit_ok;
}

int run(const ChatOptions& o) {
    o.sampling.check();
    const std::string path = find_model(o.model).string();
    const Engine engine = open_engine(path, o.engine);
    StepLog steps(o.stats_file, engine);
    Chat chat(engine, o, steps.observe(o.engine.session_options()));
    const auto suggestions = suggestions_for(path);
    int status = exit_ok;
    if (is_terminal(Stream::input)) {
        greet(engine.info(), suggestions);
        status = talk_in_terminal(chat);
    } else {
        status = talk_through_pipe(chat, suggestions.empty() ? "Hello! Who are you?" : suggestions.front());
    }
    steps.commit();
    return status;
}

}  // namespace

void add_chat(CLI::App& app, Action& chosen) {
    auto o = std::make_shared<ChatOptions>();
    CLI::App* command = app.add_subcommand("chat", "Talk with a model in the terminal");
    command
        ->add_option("MODEL", o->model,
                     "A GGUF file, or the name of a model (default: rill, the bundled one)")
        ->type_name("");
    command->add_option("--system", o->system, "The system message")->type_name("TEXT");
    command->add_option("--tools", o->tools, "Tools the model may call: a JSON array")->type_name("FILE");
    command->add_option("--load", o->load, "Go on with a conversation that /save wrote")->type_name("FILE");
    command->add_flag("--no-think-show", o->hide_thinking, "Show only how long the model thinks, not what");
    command
        ->add_option("--stats-json", o->stats_file,
                     "Write what each forward pass cost (drive, waiting, computing): a JSON object a line")
        ->type_name("FILE");
    o->engine.add_to(*command);
    o->sampling.add_to(*command);
    command->footer(
        "Example:\n  sluice chat\n  sluice chat DeepSeek-R1-Q2_K-00001-of-00005.gguf --ram 56G --ctx 16384\n"
        "Lines piped in are turns: printf 'Who are you?\\n/stats\\n' | sluice chat");
    command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace sluice::cli
