// The program `sluice`: picks the subcommand and turns exceptions into exit statuses.
#include <algorithm>
#include <cctype>
#include <csignal>
#include <new>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sluice/error.h"

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/terminal.h"

namespace {

using namespace sluice;
using namespace sluice::cli;

/// A stream the caller closed must not become the first file that is opened.
void fill_closed_streams() {
    for (int fd = 0; fd <= 2; ++fd)
        if (fcntl(fd, F_GETFD) < 0) [[maybe_unused]]
            const int filled = open("/dev/null", O_RDONLY);
}

/// Letters to add, drop, change or swap with a neighbour to make `a` into `b`.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) {
        for (size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

/// Complains of a first argument that is no command, with the command it looks like.
void check_command(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return;
    const std::string given = std::string(argv[1]).substr(0, 40);
    std::string nearest;
    size_t distance = 3;  // more changes than two are another word
    for (const CLI::App* command : app.get_subcommands({})) {
        const size_t d = edit_distance(given, command->get_name());
        if (d == 0) return;
        if (d < distance) distance = d, nearest = command->get_name();
    }
    throw UsageError(
        fmt::format("unknown command \"{}\"{}", given,
                    nearest.empty() ? "" : fmt::format("; did you mean \"sluice {}\"?", nearest)));
}

void complain(std::string_view sentence) {
    write_error(fmt::format("sluice: {}\n", one_line(sentence)));
}

int usage_error(const CLI::App& app, std::string_view sentence) {
    complain(sentence);
    const auto commands = app.get_subcommands();
    const std::string name = commands.empty() ? "" : " " + commands.front()->get_name();
    write_error(fmt::format("Try 'sluice{} --help'.\n", name));
    return exit_usage;
}

/// The parser's help (of the command that was named), without its doubled empty lines.
std::string help_text(const CLI::App& app) {
    std::string text = app.help();
    for (size_t at = text.find("\n\n\n"); at != std::string::npos; at = text.find("\n\n\n", at))
        text.erase(at, 1);
    return text;
}

int dispatch(CLI::App& app, Action& chosen, int argc, char** argv) {
    try {
        check_command(app, argc, argv);
        app.parse(argc, argv);
        return chosen();
    } catch (const CLI::CallForHelp&) {
        write_output(help_text(app));
        return exit_ok;
    } catch (const CLI::CallForVersion& e) {
        write_output(std::string(e.what()) + "\n");
        return exit_ok;
    } catch (const CLI::ParseError& e) {
        // The parser's sentences begin with a capital, ours go on after "sluice: ".
        std::string sentence = e.what();
        if (sentence.size() > 1 && std::islower(static_cast<unsigned char>(sentence[1])))
            sentence[0] = char(std::tolower(static_cast<unsigned char>(sentence[0])));
        return usage_error(app, sentence);
    } catch (const UsageError& e) {
        return usage_error(app, e.what());
    }
}

int guarded(CLI::App& app, Action& chosen, int argc, char** argv) {
    try {
        return dispatch(app, chosen, argc, argv);
    } catch (const OutputClosed&) {
        return exit_error;
    } catch (const Error& e) {
        if (e.code() != ErrorCode::cancelled) complain(e.what());
        return e.code() == ErrorCode::cancelled ? exit_interrupted : exit_error;
    } catch (const std::bad_alloc&) {
        complain("the system refused memory; choose a smaller --ctx or --batch, or a smaller model");
    } catch (const std::exception& e) {
        complain(fmt::format("internal error: {}", e.what()));
    }
    return exit_error;
}

}  // namespace

int main(int argc, char** argv) {
    fill_closed_streams();
    std::signal(SIGPIPE, SIG_IGN);
    catch_interrupts();

    CLI::App app("Sluice runs language models that are larger than the machine's memory.", "sluice");
    app.set_version_flag("--version", "sluice " SLUICE_VERSION, "Show the version");
    app.set_help_flag("-h,--help", "Show this help");
    app.require_subcommand(1);
    app.failure_message(CLI::FailureMessage::simple);
    app.footer("'sluice COMMAND --help' describes a command. Start with: sluice chat");
    Action chosen;
    add_chat(app, chosen);
    add_run(app, chosen);
    add_inspect(app, chosen);
    add_tokenize(app, chosen);
    add_detokenize(app, chosen);
    add_template(app, chosen);
    add_logits(app, chosen);
    add_tensor(app, chosen);
    add_synth(app, chosen);
    add_replay(app, chosen);
    add_bench(app, chosen);
    const int status = guarded(app, chosen, argc, argv);
    return termination_signal() ? 128 + termination_signal() : status;
}
