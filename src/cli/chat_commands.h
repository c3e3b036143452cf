// The commands of a chat: lines that begin with a slash.
#pragma once

#include <string>

#include "cli/chat_conversation.h"
#include "cli/chat_settings.h"

namespace sluice::cli {

enum class ChatStep { go_on, leave };

bool is_chat_command(const std::string& turn);
/// Does what the line says; messages go to standard error. Throws invalid_argument for commands that are
/// unknown or lack something, io.
ChatStep run_chat_command(const std::string& line, ChatConversation& conversation, ChatSettings& settings);

}  // namespace sluice::cli
