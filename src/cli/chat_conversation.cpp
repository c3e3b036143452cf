#include "cli/chat_conversation.h"

#include "cli/engine_flags.h"
#include "cli/figures.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "core/fail.h"
#include "core/sizes.h"

namespace sluice::cli {

Prompt ChatConversation::render(const ChatSettings& settings) const {
    Prompt prompt = engine_.render({.messages = conversation_.messages,
                                    .tools = conversation_.tools,
                                    .extra_variables = settings.template_variables()});
    const uint32_t context = session_.context(), limit = engine_.info().context_length;
    if (prompt.tokens.size() >= context)
        fail(ErrorCode::out_of_budget,
             "the conversation has {} tokens and the context holds {}; /clear begins a new one{}",
             prompt.tokens.size(), context,
             context < limit ? fmt::format(", or start again with --ctx up to {}", limit) : "");
    return prompt;
}

void ChatConversation::say(const std::string& text, const ChatSettings& settings) {
    const size_t before = conversation_.messages.size();
    conversation_.messages.push_back({.role = "user", .content = text});
    const GenerateOptions options = settings.generate_options();
    try {
        AnswerStyle style;
        style.thinking = settings.show_thinking ? Thinking::shown : Thinking::folded;
        const Answer a = answer(session_, render(settings), options, style);
        conversation_.messages.push_back({.role = "assistant", .content = a.text, .reasoning = a.reasoning});
        if (a.generated.reason == StopReason::cancelled && a.generated.tokens.empty())
            conversation_.messages.resize(before);
        print_figures(options, a.generated.reason);
        if (a.generated.reason == StopReason::context_full)
            write_error(fmt::format(
                "The answer ends here: the context of {} tokens is full. /clear begins a new conversation.\n",
                session_.context()));
    } catch (...) {
        conversation_.messages.resize(before);
        throw;
    }
}

void ChatConversation::print_figures(const GenerateOptions& options, StopReason reason) const {
    const bool sampled = options.sampling.temperature > 0 && options.sampling.top_k != 1;
    const Figures figures{engine_, session_, kv_type_, options.sampling.seed, sampled, reason};
    show_notices(engine_);
    write_error(dim(figures_line(figures), Stream::error) + "\n");
}

void ChatConversation::clear() {
    auto& messages = conversation_.messages;
    messages.resize(!messages.empty() && messages.front().role == "system" ? 1 : 0);
    session_.clear();
}

void ChatConversation::set_system(const std::string& text) {
    auto& messages = conversation_.messages;
    if (!messages.empty() && messages.front().role == "system") messages.erase(messages.begin());
    if (!text.empty()) messages.insert(messages.begin(), {.role = "system", .content = text});
}

void ChatConversation::load(const std::string& path) {
    conversation_ = read_conversation(parse_json(read_all(path), path), path);
}

void ChatConversation::save(const std::string& path) const {
    OutputFile file(path, OutputFile::Access::owner_only);
    file.write(write_conversation(conversation_, engine_.info().name));
    file.commit();
}

/// What the drive did for the last turn, and since the start.
void ChatConversation::stream_rows(const Row& row) const {
    const SessionStats s = session_.stats();
    const StreamStats all = engine_.stream_stats();
    row("drive, prompt", stream_text(s.prefill_stream, s.prefill_seconds));
    row("drive, answer", stream_text(s.decode_stream, s.decode_seconds));
    row("look-ahead", fmt::format("{} experts read, {} of them asked for", grouped(all.guesses),
                                  grouped(all.useful_guesses)));
    row("warmed", fmt::format("{} experts that earlier work used, {} of them asked for", grouped(all.warmed),
                              grouped(all.warmed_useful)));
    row("drive rate", fmt::format("{}/s at best", human_bytes(uint64_t(all.drive_rate))));
}

std::string ChatConversation::stats_text() const {
    const SessionStats s = session_.stats();
    const MemoryUse m = session_.memory();
    std::string text;
    const Row row = [&](std::string_view name, const std::string& value) {
        text += fmt::format("  {:<14} {}\n", name, value);
    };
    row("messages", std::to_string(conversation_.messages.size()));
    row("context", fmt::format("{} of {} tokens", grouped(s.kv_tokens), grouped(session_.context())));
    row("last prompt", fmt::format("{} tokens, {} of them cached, {} tok/s", grouped(s.prompt_tokens),
                                   grouped(s.reused_tokens), rate_text(s.prefill_tokens_per_second())));
    row("last answer", fmt::format("{} tokens, {} tok/s", grouped(s.generated_tokens),
                                   rate_text(s.decode_tokens_per_second())));
    if (engine_.info().streams) stream_rows(row);
    row("weights", fmt::format("{}, in {}", human_bytes(m.weights), engine_.info().residency));
    row("KV cache", fmt::format("{}, {} B for a token ({})", human_bytes(m.kv),
                                grouped(engine_.kv_bytes_per_token(kv_type_)), to_string(kv_type_)));
    row("scratch", human_bytes(m.scratch));
    row("peak memory", human_bytes(m.peak_rss));
    row("threads", fmt::format("{}, {}", engine_.info().threads, engine_.info().isa));
    row("template", engine_.info().template_name);
    return text;
}

}  // namespace sluice::cli
