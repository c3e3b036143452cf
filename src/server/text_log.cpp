#include "server/text_log.h"

#include <fmt/format.h>

#include "server/json_fields.h"

namespace sluice::server {

namespace {

constexpr size_t most_text = 256 << 10;

/// Of those that JSON leaves as they are: DEL, C1 controls, line separators, marks that turn the direction of
/// writing.
bool steers_terminals(uint32_t c) {
    return c == 0x7F || (c >= 0x80 && c <= 0x9F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string log_text(std::string_view text) {
    const std::string json = dump(Json(std::string(text.substr(0, most_text))));  // whole characters
    std::string safe;
    for (size_t i = 0; i < json.size();) {
        const auto byte = [&](size_t k) { return uint32_t(static_cast<unsigned char>(json[i + k])); };
        const size_t n = byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
        uint32_t c = byte(0);
        if (n == 2) c = (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
        if (n == 3) c = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
        if (n < 4 && steers_terminals(c))
            safe += fmt::format("\\u{:04x}", c);
        else
            safe.append(json, i, n);
        i += n;
    }
    if (text.size() > most_text) safe += fmt::format("+{}B", text.size() - most_text);
    return safe;
}

std::string LoggedSink::Texts::notes() const {
    std::string line = fmt::format(" prompt_text={}", log_text(prompt));
    for (const Answer& a : answers) {
        if (!a.reasoning.empty()) line += fmt::format(" reasoning_text={}", log_text(a.reasoning));
        line += fmt::format(" answer_text={}", log_text(a.content));
        for (const ToolCall& call : a.tool_calls)
            line += fmt::format(" call_text={}", log_text(fmt::format("{} {}", call.name, call.arguments)));
    }
    return line;
}

LoggedSink::LoggedSink(std::shared_ptr<AnswerSink> sink, Exchange& exchange, const ModelService& model,
                       uint32_t n)
    : sink_(std::move(sink)), model_(model) {
    texts_->answers.resize(n);
    exchange.note_at_end([texts = texts_] {
        std::lock_guard lock(texts->mutex);
        return texts->notes();
    });
}

void LoggedSink::prompt(const std::vector<TokenId>& tokens) {
    {
        std::lock_guard lock(texts_->mutex);
        texts_->prompt = model_.engine().detokenize(tokens, true);
    }
    sink_->prompt(tokens);
}

/// Before the reply: the line must not lack what the client has.
void LoggedSink::delta(uint32_t choice, const AnswerDelta& delta) {
    {
        std::lock_guard lock(texts_->mutex);
        AnswerDelta texts = delta;
        texts.logprobs.reset();
        texts_->answers[choice].add(texts);
    }
    sink_->delta(choice, delta);
}

}  // namespace sluice::server
