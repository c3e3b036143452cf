// A conversation as a JSON file: an array of messages as the usual APIs write them, or an object with
// `messages` and `tools`. What is read is hostile until checked; what is written can be read again.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/chat.h"

namespace sluice::cli {

struct Conversation {
    std::vector<Message> messages;
    std::string tools;  // a JSON array as text, or empty
};

/// Throws invalid_argument naming `source`, the message and the member that is not as expected.
Conversation read_conversation(const nlohmann::ordered_json& json, const std::string& source);
/// The tools of a file: a JSON array of objects, as text.
std::string read_tools(const nlohmann::ordered_json& json, const std::string& source);
/// {"model", "messages", "tools"}, indented.
std::string write_conversation(const Conversation& conversation, const std::string& model);

}  // namespace sluice::cli
