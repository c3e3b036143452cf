#include "cli/chat_commands.h"

#include <cstdlib>

#include <fmt/format.h>

#include "cli/output.h"
#include "cli/terminal.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

struct Context {
    ChatConversation& conversation;
    ChatSettings& settings;
    std::string argument;  // the rest of the line

    const std::string& need_argument(std::string_view usage) const {
        if (argument.empty()) fail(ErrorCode::invalid_argument, "expected {}", usage);
        return argument;
    }
};

struct ChatCommand {
    std::string_view name, argument, meaning;
    ChatStep (*run)(Context&);
};

std::string trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

/// There is no shell to do it.
std::string with_home(const std::string& path) {
    const char* home = std::getenv("HOME");
    return home && path.starts_with("~/") ? home + path.substr(1) : path;
}

void say(const std::string& text) {
    write_error(dim(terminal_safe(text), Stream::error) + "\n");
}

ChatStep help(Context& c);

ChatStep set(Context& c) {
    if (c.argument.empty()) {
        write_error(list_settings(c.settings));
        return ChatStep::go_on;
    }
    const size_t end = c.argument.find_first_of(" \t=");
    const std::string name = c.argument.substr(0, end);
    if (end != std::string::npos)
        change_setting(c.settings, name, trimmed(std::string_view(c.argument).substr(end + 1)));
    say(fmt::format("{} is {}", name, setting_value(c.settings, name)));
    return ChatStep::go_on;
}

ChatStep clear(Context& c) {
    c.conversation.clear();
    say("A new conversation.");
    return ChatStep::go_on;
}

ChatStep system(Context& c) {
    c.conversation.set_system(c.argument);
    say(c.argument.empty() ? "No system message." : "The system message is set, from the next answer on.");
    return ChatStep::go_on;
}

ChatStep save(Context& c) {
    c.conversation.save(with_home(c.need_argument("/save FILE")));
    say(fmt::format("{} messages saved in {}", c.conversation.messages().size(), c.argument));
    return ChatStep::go_on;
}

ChatStep load(Context& c) {
    c.conversation.load(with_home(c.need_argument("/load FILE")));
    say(fmt::format("{} messages loaded from {}", c.conversation.messages().size(), c.argument));
    return ChatStep::go_on;
}

ChatStep stats(Context& c) {
    write_error(terminal_safe(c.conversation.stats_text()));
    return ChatStep::go_on;
}

ChatStep leave(Context&) {
    return ChatStep::leave;
}

constexpr ChatCommand commands[] = {
    {"/help", "", "this list", help},
    {"/clear", "", "begin a new conversation (the system message stays)", clear},
    {"/system", "TEXT", "set the system message; without TEXT there is none", system},
    {"/save", "FILE", "write the conversation as JSON", save},
    {"/load", "FILE", "go on with a saved conversation", load},
    {"/set", "NAME VALUE", "change a setting; /set alone lists them", set},
    {"/stats", "", "tokens, rates and memory", stats},
    {"/quit", "", "leave (also /bye, Ctrl-D)", leave},
    {"/bye", "", "", leave},
    {"/exit", "", "", leave},
};

ChatStep help(Context&) {
    std::string text;
    for (const auto& c : commands)
        if (!c.meaning.empty()) text += fmt::format("  {:<8} {:<11} {}\n", c.name, c.argument, c.meaning);
    text +=
        "  A line that ends with \\ goes on in the next; \"\"\" begins and ends a turn of many lines.\n"
        "  Ctrl-C stops an answer; at an empty prompt it leaves.\n";
    write_error(text);
    return ChatStep::go_on;
}

}  // namespace

bool is_chat_command(const std::string& turn) {
    // "/usr/bin is what?" is a question: a command is letters after one slash.
    if (!turn.starts_with('/')) return false;
    const size_t end = turn.find_first_not_of("abcdefghijklmnopqrstuvwxyz?", 1);
    return end == std::string::npos || turn[end] == ' ' || turn[end] == '\t' || turn[end] == '\n';
}

ChatStep run_chat_command(const std::string& line, ChatConversation& conversation, ChatSettings& settings) {
    const size_t end = line.find_first_of(" \t\n");
    const std::string name = line.substr(0, end) == "/?" ? "/help" : line.substr(0, end);
    Context context{conversation, settings,
                    end == std::string::npos ? "" : trimmed(std::string_view(line).substr(end))};
    for (const auto& c : commands)
        if (c.name == name) return c.run(context);
    fail(ErrorCode::invalid_argument, "unknown command \"{}\"; /help lists them", name);
}

}  // namespace sluice::cli
