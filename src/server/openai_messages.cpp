// OpenAI's messages, tools and formats, read into an AnswerRequest.
#include <fmt/format.h>

#include "server/openai.h"
#include "server/sampling_fields.h"

namespace sluice::server {

std::string read_content(const Json& content, const std::string& path) {
    if (content.is_string()) return content.get<std::string>();
    if (!content.is_array())
        throw ApiError(
            Refusal::invalid,
            fmt::format("expected {} to be a string or an array of parts, found {}", path, shown(content)),
            path);
    std::string text;
    for (size_t i = 0; i < content.size(); ++i) {
        const Fields part = item(content, i, path);
        const std::string type = part.need_text("type");
        if (type == "text" || type == "input_text" || type == "output_text")
            text += part.need_text("text");
        else if (type == "refusal")
            text += part.need_text("refusal");
        else
            part.unsupported(
                "type", fmt::format("expected {} to be \"text\", found \"{}\": this model reads text alone",
                                    part.path("type"), type.substr(0, 40)));
    }
    return text;
}

namespace {

ToolCall read_tool_call(const Fields& call) {
    ToolCall r;
    r.id = call.text("id").value_or("");
    const auto function = call.object("function");
    if (!function) call.fail("function", "an object with name and arguments");
    r.name = function->need_text("name");
    const Json* arguments = function->find("arguments");
    r.arguments = !arguments               ? "{}"
                  : arguments->is_string() ? arguments->get<std::string>()
                                           : dump(*arguments);
    return r;
}

Message read_message(const Fields& m) {
    Message r;
    r.role = m.need_text("role");
    if (r.role == "developer") r.role = "system";
    if (r.role == "function") r.role = "tool";
    if (r.role != "system" && r.role != "user" && r.role != "assistant" && r.role != "tool")
        m.fail("role", "system, developer, user, assistant or tool");
    const Json* calls = m.array("tool_calls", 128);
    for (size_t i = 0; calls && i < calls->size(); ++i)
        r.tool_calls.push_back(read_tool_call(item(*calls, i, m.path("tool_calls"))));
    if (const Json* content = m.find("content"))
        r.content = read_content(*content, m.path("content"));
    else if (r.role != "assistant")
        m.fail("content", "a string or an array of parts");
    r.reasoning = m.text("reasoning_content").value_or(m.text("reasoning").value_or(""));
    r.tool_call_id = m.text("tool_call_id").value_or("");
    r.name = m.text("name").value_or("");
    return r;
}

void read_tool_choice(const Fields& body, AnswerRequest& r) {
    const Json* choice = body.find("tool_choice");
    if (!choice) return;
    if (choice->is_string()) {
        const std::string name = *body.choice("tool_choice", {"auto", "none", "required"});
        r.tool_choice = name == "none"       ? ToolChoice::none
                        : name == "required" ? ToolChoice::required
                                             : ToolChoice::automatic;
        return;
    }
    const Fields fields(*choice, body.path("tool_choice"));
    const auto function = fields.object("function");
    r.tool_choice = ToolChoice::required;
    r.tool_name = function ? function->need_text("name") : fields.need_text("name");
}

/// The named tool must be among those given.
void check_tool_choice(const Fields& body, const AnswerRequest& r) {
    if (r.tool_choice != ToolChoice::required) return;
    if (r.chat->tools.empty()) body.fail("tool_choice", "auto or none when there are no tools");
    if (r.tool_name.empty()) return;
    const Json tools = Json::parse(r.chat->tools);
    for (const auto& tool : tools)
        if (tool["function"]["name"] == r.tool_name) return;
    body.fail("tool_choice", "the name of one of the tools");
}

void read_format(const Fields& body, AnswerRequest& r) {
    const auto format = body.object("response_format");
    if (!format) return;
    const auto type = format->choice("type", {"text", "json_object", "json_schema"});
    if (!type) format->fail("type", "text, json_object or json_schema");
    if (*type == "json_object") r.format = AnswerFormat::json_object;
    if (*type != "json_schema") return;
    r.format = AnswerFormat::json_schema;
    const auto named = format->object("json_schema");
    const Json* schema = named ? named->find("schema") : format->find("schema");
    if (!schema || !schema->is_object()) format->fail("json_schema", "an object with a schema");
    r.schema = dump(*schema);
}

}  // namespace

void check_is_function(const Fields& tool) {
    const std::string type = tool.need_text("type");
    if (type != "function")
        tool.unsupported(
            "type",
            fmt::format("expected {} to be \"function\", found \"{}\"; this server runs no tools of its own",
                        tool.path("type"), type.substr(0, 40)));
}

Json read_function_tool(const Fields& tool) {
    check_is_function(tool);
    const auto function = tool.object("function");
    if (!function) tool.fail("function", "an object with name and parameters");
    const std::string name = function->need_text("name");
    if (name.empty() || name.size() > 256) function->fail("name", "a name of 1 to 256 bytes");
    function->text("description");
    function->object("parameters");
    return tool.json();
}

ChatRequest read_chat_messages(const Fields& body) {
    ChatRequest chat;
    const Json* messages = body.array("messages");
    if (!messages || messages->empty()) body.fail("messages", "an array of at least one message");
    for (size_t i = 0; i < messages->size(); ++i)
        chat.messages.push_back(read_message(item(*messages, i, body.path("messages"))));
    if (const Json* tools = body.array("tools", 1024); tools && !tools->empty()) {
        for (size_t i = 0; i < tools->size(); ++i) read_function_tool(item(*tools, i, body.path("tools")));
        chat.tools = dump(*tools);
    }
    if (const auto variables = body.object("chat_template_kwargs"))
        chat.extra_variables = dump(variables->json());
    return chat;
}

AnswerRequest read_chat(const Fields& body, const ModelService& model) {
    AnswerRequest r;
    r.chat = read_chat_messages(body);
    r.options = read_sampling(body, model);
    read_tool_choice(body, r);
    check_tool_choice(body, r);
    if (r.tool_choice == ToolChoice::none) r.chat->tools.clear();
    r.parallel_tool_calls = body.boolean("parallel_tool_calls", true);
    read_format(body, r);
    read_grammar(body, r);
    const auto most = body.integer("max_completion_tokens", 1, INT32_MAX);
    const auto older = body.integer("max_tokens", -1, INT32_MAX);
    r.options.max_tokens = most.value_or(older.value_or(-1));
    if (r.options.max_tokens == 0) body.fail("max_tokens", "at least 1");
    if (const auto effort = body.choice("reasoning_effort", efforts))
        apply_thinking(*r.chat, r.options, thinking_budget_of(*effort), *effort);
    if (const auto budget = body.integer("thinking_budget", 0, INT32_MAX))
        apply_thinking(*r.chat, r.options, *budget, "");
    r.n = uint32_t(body.integer("n", 1, 128).value_or(1));
    r.priority = int32_t(body.integer("priority", -1000, 1000).value_or(0));
    return r;
}

const char* finish_reason(const AnswerEnd& end) {
    if (end.reason == StopReason::length || end.reason == StopReason::context_full) return "length";
    return end.called_tools ? "tool_calls" : "stop";
}

Json usage_json(const AnswerEnd& total) {
    return {{"prompt_tokens", total.prompt_tokens},
            {"completion_tokens", total.generated_tokens},
            {"total_tokens", total.prompt_tokens + total.generated_tokens},
            {"prompt_tokens_details", {{"cached_tokens", total.reused_tokens}}},
            {"completion_tokens_details", {{"reasoning_tokens", total.reasoning_tokens}}}};
}

Json tool_calls_json(const std::vector<ToolCall>& calls) {
    Json list = Json::array();
    for (const auto& call : calls)
        list.push_back({{"id", call.id},
                        {"type", "function"},
                        {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    return list;
}

}  // namespace sluice::server
