#include "cli/chat_settings.h"

#include <charconv>

#include <fmt/format.h>

#include "cli/exit_code.h"
#include "core/fail.h"

namespace sluice::cli {

namespace {

template <typename T>
T number(const std::string& text) {
    T value{};
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size())
        fail(ErrorCode::invalid_argument, "expected a number, found \"{}\"", text);
    return value;
}

bool on_or_off(const std::string& text) {
    if (text == "on" || text == "true" || text == "1") return true;
    if (text == "off" || text == "false" || text == "0") return false;
    fail(ErrorCode::invalid_argument, "expected on or off, found \"{}\"", text);
}

const char* on_off(bool on) {
    return on ? "on" : "off";
}

struct Setting {
    std::string_view name, meaning;
    std::string (*show)(const ChatSettings&);
    void (*change)(ChatSettings&, const std::string&);
};

/// A sampling option: shown as it will be used, changed in the flags.
template <auto Used, auto Flag>
constexpr Setting sampling(std::string_view name, std::string_view meaning) {
    return {name, meaning,
            [](const ChatSettings& s) { return fmt::format("{}", s.generate_options().sampling.*Used); },
            [](ChatSettings& s, const std::string& text) {
                s.flags.*Flag = number<std::decay_t<decltype(*(s.flags.*Flag))>>(text);
            }};
}

using S = SamplingOptions;
using F = SamplingFlags;
constexpr Setting settings_table[] = {
    sampling<&S::temperature, &F::temperature>("temp", "0 always takes the likeliest token"),
    sampling<&S::top_k, &F::top_k>("top-k", "keep the K likeliest tokens; 0: all"),
    sampling<&S::top_p, &F::top_p>("top-p", "keep the likeliest tokens that together reach P; 1: all"),
    sampling<&S::min_p, &F::min_p>("min-p",
                                   "keep tokens at least P times as likely as the likeliest; 0: all"),
    sampling<&S::typical_p, &F::typical_p>("typical-p", "keep the most typical tokens; 1: all"),
    sampling<&S::repeat_penalty, &F::repeat_penalty>("repeat-penalty", "1: off"),
    sampling<&S::presence_penalty, &F::presence_penalty>("presence-penalty", "0: off"),
    sampling<&S::frequency_penalty, &F::frequency_penalty>("frequency-penalty", "0: off"),
    sampling<&S::penalty_last_n, &F::penalty_last_n>("penalty-last-n",
                                                     "tokens the penalties look back on; -1: all"),
    {"seed", "a number, or random: a new one for each answer",
     [](const ChatSettings& s) { return s.flags.seed ? std::to_string(*s.flags.seed) : "random"; },
     [](ChatSettings& s, const std::string& text) {
         if (text == "random")
             s.flags.seed.reset();
         else
             s.flags.seed = number<uint64_t>(text);
     }},
    {"max-tokens", "most tokens of an answer; -1: until the model ends",
     [](const ChatSettings& s) { return std::to_string(s.flags.max_tokens); },
     [](ChatSettings& s, const std::string& text) { s.flags.max_tokens = number<int64_t>(text); }},
    {"think", "show what the model thinks (on), or only for how long (off)",
     [](const ChatSettings& s) { return std::string(on_off(s.show_thinking)); },
     [](ChatSettings& s, const std::string& text) { s.show_thinking = on_or_off(text); }},
    {"enable-thinking", "ask templates that have the choice for reasoning: on, off or auto",
     [](const ChatSettings& s) {
         return std::string(s.enable_thinking ? on_off(*s.enable_thinking) : "auto");
     },
     [](ChatSettings& s, const std::string& text) {
         if (text == "auto")
             s.enable_thinking.reset();
         else
             s.enable_thinking = on_or_off(text);
     }},
};

const Setting& find_setting(std::string_view name) {
    for (const auto& s : settings_table)
        if (s.name == name) return s;
    fail(ErrorCode::invalid_argument, "expected the name of a setting, found \"{}\"; /set alone lists them",
         name);
}

}  // namespace

std::string ChatSettings::template_variables() const {
    if (!enable_thinking) return {};
    // Qwen's templates ask for the one, DeepSeek's for the other.
    return fmt::format(R"({{"enable_thinking": {0}, "thinking": {0}}})", *enable_thinking);
}

std::string list_settings(const ChatSettings& settings) {
    std::string text;
    for (const auto& s : settings_table)
        text += fmt::format("  {:<18} {:<10} {}\n", s.name, s.show(settings), s.meaning);
    return text;
}

void change_setting(ChatSettings& settings, std::string_view name, const std::string& value) {
    const Setting& setting = find_setting(name);
    ChatSettings changed = settings;
    setting.change(changed, value);
    try {
        changed.flags.check();
    } catch (const UsageError& e) {
        fail(ErrorCode::invalid_argument, "{}", e.what());
    }
    settings = std::move(changed);
}

std::string setting_value(const ChatSettings& settings, std::string_view name) {
    return find_setting(name).show(settings);
}

}  // namespace sluice::cli
