// What /set changes during a chat: one table of names, each with how to show and how to change its value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/sampling_flags.h"

namespace sluice::cli {

struct ChatSettings {
    SamplingOptions recommended;  // by the model's file
    SamplingFlags flags;          // given on the command line or by /set
    bool show_thinking = true;
    std::optional<bool> enable_thinking;  // none: as the template decides

    GenerateOptions generate_options() const { return flags.generate_options(recommended); }
    /// The template variables that say whether to think, as JSON text; empty if none.
    std::string template_variables() const;
};

/// Every name with its value and meaning, a line each.
std::string list_settings(const ChatSettings& settings);
/// Throws invalid_argument for an unknown name or a value that cannot be; then nothing has changed.
void change_setting(ChatSettings& settings, std::string_view name, const std::string& value);
/// The value as list_settings() shows it.
std::string setting_value(const ChatSettings& settings, std::string_view name);

}  // namespace sluice::cli
