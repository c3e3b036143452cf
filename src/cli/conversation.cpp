#include "cli/conversation.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/fail.h"
#include "text/utf8.h"

namespace sluice::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t most_messages = 100'000;
constexpr std::array<std::string_view, 5> roles = {"system", "developer", "user", "assistant", "tool"};

/// Where in a file we are, for messages: "the file x.json, message 3".
struct Place {
    const std::string& source;
    size_t index;

    [[noreturn]] void fail_expected(std::string_view what, const Json& found) const {
        std::string shown = found.dump(-1, ' ', false, Json::error_handler_t::replace);
        if (shown.size() > 60) shown = sanitize_utf8(shown.substr(0, 57)) + "...";
        fail(ErrorCode::invalid_argument, "expected {} in message {} of {}, found {}", what, index + 1,
             source, shown);
    }
};

std::string text_member(const Json& object, const char* key, const Place& place) {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) return {};
    if (!it->is_string()) place.fail_expected(std::string("\"") + key + "\" to be a text", *it);
    return it->get<std::string>();
}

/// A text, nothing, or the list of parts that newer APIs write.
std::string content_of(const Json& message, const Place& place) {
    const auto it = message.find("content");
    if (it == message.end() || !it->is_array()) return text_member(message, "content", place);
    std::string content;
    for (const auto& part : *it) {
        if (!part.is_object() || text_member(part, "type", place) != "text")
            place.fail_expected("parts of \"content\" to have the type \"text\"", part);
        content += text_member(part, "text", place);
    }
    return content;
}

/// {"id", "type", "function": {"name", "arguments"}} or the inner object alone; arguments as text or object.
ToolCall tool_call_of(const Json& json, const Place& place) {
    if (!json.is_object()) place.fail_expected("a tool call to be an object", json);
    const Json& function = json.contains("function") ? json.at("function") : json;
    if (!function.is_object()) place.fail_expected("\"function\" to be an object", function);
    ToolCall call;
    call.id = text_member(json, "id", place);
    call.name = text_member(function, "name", place);
    if (call.name.empty()) place.fail_expected("a tool call with a \"name\"", json);
    const auto arguments = function.find("arguments");
    if (arguments == function.end())
        call.arguments = "{}";
    else if (arguments->is_object())
        call.arguments = arguments->dump(-1, ' ', false, Json::error_handler_t::replace);
    else
        call.arguments = text_member(function, "arguments", place);
    return call;
}

Message message_of(const Json& json, const Place& place) {
    if (!json.is_object()) place.fail_expected("an object", json);
    Message m;
    m.role = text_member(json, "role", place);
    if (std::find(roles.begin(), roles.end(), m.role) == roles.end())
        place.fail_expected("\"role\" to be system, developer, user, assistant or tool",
                            json.value("role", Json()));
    m.content = content_of(json, place);
    m.reasoning = text_member(json, "reasoning_content", place);
    if (m.reasoning.empty()) m.reasoning = text_member(json, "reasoning", place);
    m.tool_call_id = text_member(json, "tool_call_id", place);
    m.name = text_member(json, "name", place);
    if (const auto calls = json.find("tool_calls"); calls != json.end() && !calls->is_null()) {
        if (!calls->is_array()) place.fail_expected("\"tool_calls\" to be an array", *calls);
        for (const auto& call : *calls) m.tool_calls.push_back(tool_call_of(call, place));
    }
    return m;
}

Json json_of(const Message& m) {
    Json json = {{"role", m.role}, {"content", m.content}};
    if (!m.reasoning.empty()) json["reasoning_content"] = m.reasoning;
    for (const auto& call : m.tool_calls)
        json["tool_calls"].push_back({{"id", call.id},
                                      {"type", "function"},
                                      {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    if (!m.tool_call_id.empty()) json["tool_call_id"] = m.tool_call_id;
    if (!m.name.empty()) json["name"] = m.name;
    return json;
}

}  // namespace

std::string read_tools(const Json& json, const std::string& source) {
    if (!json.is_array() ||
        !std::all_of(json.begin(), json.end(), [](const Json& t) { return t.is_object(); }))
        fail(ErrorCode::invalid_argument, "expected the tools in {} to be a JSON array of objects", source);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Conversation read_conversation(const Json& json, const std::string& source) {
    const Json* messages = &json;
    Conversation conversation;
    if (json.is_object() && json.contains("messages")) {
        messages = &json.at("messages");
        if (const auto tools = json.find("tools"); tools != json.end() && !tools->is_null())
            conversation.tools = read_tools(*tools, source);
    }
    if (!messages->is_array() || messages->size() > most_messages)
        fail(ErrorCode::invalid_argument,
             "expected {} to hold an array of at most {} messages, or an object with \"messages\"", source,
             most_messages);
    for (size_t i = 0; i < messages->size(); ++i)
        conversation.messages.push_back(message_of((*messages)[i], {source, i}));
    return conversation;
}

std::string write_conversation(const Conversation& conversation, const std::string& model) {
    Json json = {{"model", model}, {"messages", Json::array()}};
    for (const auto& m : conversation.messages) json["messages"].push_back(json_of(m));
    if (!conversation.tools.empty()) json["tools"] = Json::parse(conversation.tools);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
