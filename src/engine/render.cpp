// A ChatRequest as the variables that chat templates expect, rendered and tokenised.
#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

#include "core/fail.h"
#include "engine/impl.h"
#include "text/bounded_json.h"
#include "text/reasoning.h"

namespace sluice {

namespace {

using Json = nlohmann::ordered_json;

Json parse_json(const std::string& text, Json::value_t expected, const char* what) {
    Json j = parse_bounded_json(text);
    if (j.type() != expected)
        fail(ErrorCode::invalid_argument, "expected {} to be a JSON {}, found {}", what,
             expected == Json::value_t::array ? "array" : "object", text.substr(0, 60));
    return j;
}

/// Templates disagree on a tool call's arguments: some write them with tojson (an object is wanted), some
/// join them to text (a string is wanted), some ask which it is (then the text stays as the model wrote it,
/// and the prefix cached).
bool wants_arguments_object(const std::string& source) {
    if (source.find("arguments is string") != std::string::npos ||
        source.find("args is string") != std::string::npos)
        return false;
    for (size_t at = source.find("arguments"); at != std::string::npos;
         at = source.find("arguments", at + 1)) {
        size_t p = source.find_first_not_of(" '\"]", at + 9);
        if (p == std::string::npos || source[p] != '|') continue;
        p = source.find_first_not_of(' ', p + 1);
        if (p != std::string::npos &&
            (source.compare(p, 6, "tojson") == 0 || source.compare(p, 5, "items") == 0))
            return true;
    }
    return false;
}

/// Some templates (DeepSeek's own) know a call by content being none; others take content apart without a
/// look. Asked of a message's "content", not of its "reasoning_content".
bool asks_for_no_content(std::string_view source) {
    constexpr std::string_view name = "content";
    const auto skip = [](std::string_view& text, const char* characters) {
        text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
    };
    const auto take = [&](std::string_view& text, std::string_view word) {
        const bool there = text.starts_with(word);
        if (there) text.remove_prefix(word.size());
        skip(text, " ");
        return there;
    };
    for (size_t at = source.find(name); at != std::string_view::npos; at = source.find(name, at + 1)) {
        if (at > 0 && source[at - 1] == '_') continue;
        std::string_view rest = source.substr(at + name.size());
        skip(rest, "'\"]");
        skip(rest, " ");
        if (!take(rest, "is ")) continue;
        take(rest, "not ");
        if (take(rest, "none")) return true;
    }
    return false;
}

/// How a template wants messages.
struct Wishes {
    bool arguments_object = false, no_content = false;
    explicit Wishes(const std::string& source)
        : arguments_object(wants_arguments_object(source)), no_content(asks_for_no_content(source)) {}
};

/// None if they are no object: what a model wrote may be anything.
std::optional<Json> parse_arguments(const std::string& text) {
    try {
        Json parsed = parse_bounded_json(text);
        if (parsed.is_object()) return parsed;
    } catch (const Error&) {
    }
    return std::nullopt;
}

Json tool_call_json(const ToolCall& call, bool arguments_object) {
    Json arguments = call.arguments;
    if (arguments_object) {
        if (auto parsed = parse_arguments(call.arguments)) arguments = std::move(*parsed);
    }
    Json j = {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", std::move(arguments)}}}};
    if (!call.id.empty()) j["id"] = call.id;
    return j;
}

Json message_json(const Message& m, const Wishes& wishes) {
    Json j = {{"role", m.role}};
    if (m.content.empty() && !m.tool_calls.empty() && wishes.no_content)
        j["content"] = nullptr;
    else
        j["content"] = m.content;
    if (!m.reasoning.empty()) j["reasoning_content"] = m.reasoning;
    for (const auto& call : m.tool_calls)
        j["tool_calls"].push_back(tool_call_json(call, wishes.arguments_object));
    if (!m.tool_call_id.empty()) j["tool_call_id"] = m.tool_call_id;
    if (!m.name.empty()) j["name"] = m.name;
    return j;
}

}  // namespace

Prompt Engine::Impl::render(const ChatRequest& request) const {
    const Tokenizer& tok = need_tokenizer();
    const Wishes wishes(chat_template->source());
    Json input = Json::object();
    if (!request.extra_variables.empty())
        input = parse_json(request.extra_variables, Json::value_t::object, "the template's variables");
    input["messages"] = Json::array();
    for (const auto& m : request.messages) input["messages"].push_back(message_json(m, wishes));
    // As transformers does: defined in any case.
    input["tools"] =
        request.tools.empty() ? Json() : parse_json(request.tools, Json::value_t::array, "tools");
    if (!input.contains("documents")) input["documents"] = nullptr;
    input["add_generation_prompt"] = request.add_generation_prompt;

    const SpecialTokens& special = tok.special();
    const auto text_of = [&](TokenId id) { return id == no_token ? std::string() : tok.piece(id, true); };
    TemplateContext context{text_of(special.bos), text_of(special.eos), {}};
    const std::time_t now = std::time(nullptr);
    localtime_r(&now, &context.now);
    const RenderedText rendered = chat_template->render(input, context);

    Prompt p;
    p.text = rendered.text;
    p.tokens = tok.encode(rendered);
    if (special.add_bos && special.bos != no_token && (p.tokens.empty() || p.tokens.front() != special.bos))
        p.tokens.insert(p.tokens.begin(), special.bos);
    const bool closed = ReasoningSplitter::prompt_closes_reasoning(p.text);
    const bool known = chat_template->source().find("</think>") != std::string::npos;
    p.opens_reasoning = request.add_generation_prompt && ReasoningSplitter::prompt_opens_reasoning(p.text);
    p.may_reason = request.add_generation_prompt && known && !closed && !p.opens_reasoning;
    return p;
}

}  // namespace sluice
