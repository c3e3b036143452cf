// POST /v1/responses: OpenAI's newer interface. Items instead of messages; a conversation can go on from an
// earlier response of this server.
#include <ctime>

#include <fmt/format.h>

#include "server/openai.h"
#include "server/reply_sinks.h"
#include "server/sampling_fields.h"

namespace sluice::server {

namespace {

/// {"type": "function", "name": …, "parameters": …} as chat completions nests it.
Json nested_tool(const Fields& tool) {
    check_is_function(tool);
    Json function = {{"name", tool.need_text("name")}};
    if (const auto description = tool.text("description")) function["description"] = *description;
    if (const auto parameters = tool.object("parameters")) function["parameters"] = parameters->json();
    return {{"type", "function"}, {"function", std::move(function)}};
}

/// Calls and reasoning of one turn are items of their own here; a template wants them in one message.
Message& assistant_turn(std::vector<Message>& messages) {
    if (messages.empty() || messages.back().role != "assistant" || !messages.back().content.empty())
        messages.push_back({.role = "assistant"});
    return messages.back();
}

void read_item(const Fields& item, std::vector<Message>& messages) {
    const std::string type = item.text("type").value_or("message");
    if (type == "message") {
        std::string role = item.need_text("role");
        if (role == "developer") role = "system";
        if (role != "system" && role != "user" && role != "assistant")
            item.fail("role", "system, developer, user or assistant");
        const Json* content = item.find("content");
        if (!content) item.fail("content", "a string or an array of parts");
        const std::string text = read_content(*content, item.path("content"));
        if (role == "assistant")
            assistant_turn(messages).content = text;
        else
            messages.push_back({.role = role, .content = text});
    } else if (type == "function_call") {
        Message& turn = messages.empty() || messages.back().role != "assistant" ? assistant_turn(messages)
                                                                                : messages.back();
        turn.tool_calls.push_back(
            {item.text("call_id").value_or(""), item.need_text("name"), item.need_text("arguments")});
    } else if (type == "function_call_output") {
        const Json* output = item.find("output");
        if (!output) item.fail("output", "a string");
        messages.push_back({.role = "tool",
                            .content = read_content(*output, item.path("output")),
                            .tool_call_id = item.text("call_id").value_or("")});
    } else if (type == "reasoning") {
        const Json* content = item.array("content");
        if (!content) return;
        std::string text;
        for (size_t i = 0; i < content->size(); ++i)
            text += server::item(*content, i, item.path("content")).text("text").value_or("");
        assistant_turn(messages).reasoning = text;
    } else {
        item.unsupported("type",
                         fmt::format("items of the type \"{}\" are not supported", type.substr(0, 40)));
    }
}

std::vector<Message> read_input(const Fields& body) {
    const Json* input = body.find("input");
    if (!input) body.fail("input", "a string or an array of items");
    std::vector<Message> messages;
    if (input->is_string()) {
        messages.push_back({.role = "user", .content = input->get<std::string>()});
        return messages;
    }
    if (!input->is_array() || input->empty() || input->size() > 100'000)
        body.fail("input", "a string or an array of items");
    for (size_t i = 0; i < input->size(); ++i) read_item(item(*input, i, "input"), messages);
    return messages;
}

void read_tools(const Fields& body, AnswerRequest& r) {
    const Json* tools = body.array("tools", 1024);
    Json nested = Json::array();
    for (size_t i = 0; tools && i < tools->size(); ++i)
        nested.push_back(nested_tool(item(*tools, i, "tools")));
    if (!nested.empty()) r.chat->tools = dump(nested);
    const Json* choice = body.find("tool_choice");
    if (!choice) return;
    if (choice->is_object()) {
        r.tool_choice = ToolChoice::required;
        r.tool_name = Fields(*choice, "tool_choice").need_text("name");
    } else {
        const std::string name = *body.choice("tool_choice", {"auto", "none", "required"});
        if (name == "none") r.chat->tools.clear();
        if (name == "required") r.tool_choice = ToolChoice::required;
    }
    if (r.tool_choice == ToolChoice::required && nested.empty())
        body.fail("tool_choice", "auto or none when there are no tools");
}

void read_text_format(const Fields& body, AnswerRequest& r) {
    const auto text = body.object("text");
    const auto format = text ? text->object("format") : std::nullopt;
    if (!format) return;
    const auto type = format->choice("type", {"text", "json_object", "json_schema"}).value_or("text");
    if (type == "json_object") r.format = AnswerFormat::json_object;
    if (type != "json_schema") return;
    r.format = AnswerFormat::json_schema;
    r.format_field = "text.format";
    const auto schema = format->object("schema");
    if (!schema) format->fail("schema", "an object");
    r.schema = dump(schema->json());
}

/// What the response object repeats of its request, and what stays when it is stored.
struct AskedResponse {
    std::string id{}, asker{}, instructions{}, previous{};
    bool store = true;
    int64_t created = int64_t(std::time(nullptr));
    std::vector<Message> messages{};  // without instructions
    Json max_output_tokens{}, tools = Json::array();
    Json repeated = Json::object();  // further fields, as given or as they are without
};

constexpr size_t most_metadata = 16;

/// 0.6 and not 0.60000002.
double shortest(float x) {
    return std::stod(fmt::format("{}", x));
}

/// What a response repeats of its request besides what the model is told.
Json read_repeated(const Fields& body, const AnswerRequest& r) {
    Json metadata = Json::object();
    if (const auto given = body.object("metadata")) {
        if (given->json().size() > most_metadata) body.fail("metadata", "an object of at most 16 texts");
        for (const auto& [name, value] : given->json().items()) metadata[name] = given->need_text(name);
    }
    const auto or_else = [&](const char* name, Json otherwise) {
        const Json* given = body.find(name);
        return given ? *given : otherwise;
    };
    const auto text = body.object("text");
    const Json* format = text ? text->find("format") : nullptr;
    return {{"metadata", std::move(metadata)},
            {"parallel_tool_calls", r.parallel_tool_calls},
            {"reasoning", or_else("reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
            {"temperature", shortest(r.options.sampling.temperature)},
            {"text", {{"format", format ? *format : Json{{"type", "text"}}}}},
            {"tool_choice", or_else("tool_choice", "auto")},
            {"top_p", shortest(r.options.sampling.top_p)},
            {"truncation", "disabled"}};
}

/// The items of an answer, in their order, with ids that a stream and its end share.
struct Items {
    std::string reasoning_id = new_id("rs_"), message_id = new_id("msg_");
    std::vector<std::string> call_ids{};
    const std::string& call_id(size_t i) {
        while (call_ids.size() <= i) call_ids.push_back(new_id("fc_"));
        return call_ids[i];
    }
};

Json reasoning_item(Items& items, const std::string& text) {
    return {{"id", items.reasoning_id},
            {"type", "reasoning"},
            {"summary", Json::array()},
            {"content", {{{"type", "reasoning_text"}, {"text", text}}}}};
}
Json text_part(const std::string& text) {
    return {
        {"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}
Json message_item(Items& items, const std::string& text, const char* status) {
    Json content = Json::array();
    if (std::string_view(status) != "in_progress") content.push_back(text_part(text));
    return {{"id", items.message_id},
            {"type", "message"},
            {"status", status},
            {"role", "assistant"},
            {"content", content}};
}
Json call_item(Items& items, size_t index, const ToolCall& call, const char* status) {
    return {{"id", items.call_id(index)}, {"type", "function_call"}, {"status", status},
            {"call_id", call.id},         {"name", call.name},       {"arguments", call.arguments}};
}

Json response_json(const ModelService& model, const AskedResponse& asked, const char* status) {
    Json j = {{"id", asked.id},
              {"object", "response"},
              {"created_at", asked.created},
              {"status", status},
              {"background", false},
              {"error", nullptr},
              {"incomplete_details", nullptr},
              {"instructions", asked.instructions.empty() ? Json() : Json(asked.instructions)},
              {"max_output_tokens", asked.max_output_tokens},
              {"model", model.id()},
              {"output", Json::array()},
              {"previous_response_id", asked.previous.empty() ? Json() : Json(asked.previous)},
              {"store", asked.store},
              {"tools", asked.tools},
              {"usage", nullptr}};
    j.update(asked.repeated);
    return j;
}

Json finished_json(const ModelService& model, const AskedResponse& asked, const Answer& a, Items& items) {
    const bool cut = a.end.reason == StopReason::length || a.end.reason == StopReason::context_full;
    Json j = response_json(model, asked, cut ? "incomplete" : "completed");
    if (cut) j["incomplete_details"] = {{"reason", "max_output_tokens"}};
    if (!a.reasoning.empty()) j["output"].push_back(reasoning_item(items, a.reasoning));
    if (!a.content.empty() || a.tool_calls.empty())
        j["output"].push_back(message_item(items, a.content, cut ? "incomplete" : "completed"));
    for (size_t i = 0; i < a.tool_calls.size(); ++i)
        j["output"].push_back(call_item(items, i, a.tool_calls[i], "completed"));
    j["usage"] = {{"input_tokens", a.end.prompt_tokens},
                  {"input_tokens_details", {{"cached_tokens", a.end.reused_tokens}}},
                  {"output_tokens", a.end.generated_tokens},
                  {"output_tokens_details", {{"reasoning_tokens", a.end.reasoning_tokens}}},
                  {"total_tokens", a.end.prompt_tokens + a.end.generated_tokens}};
    return j;
}

void remember(ResponseStore& store, const AskedResponse& asked, const Answer& a, const Json& reply) {
    if (!asked.store) return;
    StoredResponse stored{asked.asker, asked.messages, dump(reply)};
    stored.messages.push_back(
        {.role = "assistant", .content = a.content, .reasoning = a.reasoning, .tool_calls = a.tool_calls});
    store.put(asked.id, std::move(stored));
}

class WholeResponse : public WholeReply {
  public:
    WholeResponse(ModelService& model, ResponseStore& store, std::shared_ptr<Exchange> exchange,
                  AskedResponse asked)
        : WholeReply(std::move(exchange), ApiFamily::openai, 1),
          model_(model),
          store_(store),
          asked_(std::move(asked)) {}

  private:
    Json build(const std::vector<Answer>& answers) override {
        Items items;
        const Json reply = finished_json(model_, asked_, answers.front(), items);
        remember(store_, asked_, answers.front(), reply);
        return reply;
    }
    ModelService& model_;
    ResponseStore& store_;
    AskedResponse asked_;
};

class StreamedResponse : public StreamReply {
  public:
    StreamedResponse(ModelService& model, ResponseStore& store, std::shared_ptr<Exchange> exchange,
                     AskedResponse asked)
        : StreamReply(std::move(exchange), ApiFamily::openai, Framing::named_events),
          model_(model),
          store_(store),
          asked_(std::move(asked)) {}

    void progress(uint64_t processed, uint64_t total) override {
        begin();
        if (processed < total)
            event("response.in_progress", {{"response", response_json(model_, asked_, "in_progress")},
                                           {"progress", {{"processed", processed}, {"total", total}}}});
    }
    void delta(uint32_t, const AnswerDelta& d) override {
        begin();
        if (!d.reasoning.empty()) add_text(Open::reasoning, d.reasoning);
        if (!d.content.empty()) add_text(Open::message, d.content);
        for (const auto& call : d.tool_calls) add_call(call);
        answer_.add(d);
    }
    void end(uint32_t, const AnswerEnd& e) override { answer_.end = e; }
    void all_ended() override {
        begin();
        if (answer_.content.empty() && answer_.tool_calls.empty()) open_item(Open::message);
        close_item();
        const Json reply = finished_json(model_, asked_, answer_, items_);
        const bool cut = reply["status"] == "incomplete";
        remember(store_, asked_, answer_, reply);
        event(cut ? "response.incomplete" : "response.completed", {{"response", reply}});
        close(answer_.end);
    }

  private:
    enum class Open { nothing, reasoning, message, call };

    void event(const char* type, Json fields) {
        Json j = {{"type", type}, {"sequence_number", sequence_++}};
        j.update(fields);
        send(j);
    }
    void begin() {
        if (sequence_) return;
        event("response.created", {{"response", response_json(model_, asked_, "in_progress")}});
        event("response.in_progress", {{"response", response_json(model_, asked_, "in_progress")}});
    }
    void open_item(Open what) {
        if (open_ == what) return;
        close_item();
        open_ = what;
        const bool message = what == Open::message;
        Json item = message ? message_item(items_, "", "in_progress") : reasoning_item(items_, "");
        if (!message) item["content"] = Json::array();
        event("response.output_item.added", {{"output_index", index_}, {"item", item}});
        event("response.content_part.added",
              {{"item_id", message ? items_.message_id : items_.reasoning_id},
               {"output_index", index_},
               {"content_index", 0},
               {"part", message ? text_part("") : Json{{"type", "reasoning_text"}, {"text", ""}}}});
    }
    void add_text(Open what, const std::string& text) {
        open_item(what);
        const bool message = what == Open::message;
        Json fields = {{"item_id", message ? items_.message_id : items_.reasoning_id},
                       {"output_index", index_},
                       {"content_index", 0},
                       {"delta", text}};
        if (message) fields["logprobs"] = Json::array();
        event(message ? "response.output_text.delta" : "response.reasoning_text.delta", std::move(fields));
    }
    void add_call(const ToolCallDelta& call) {
        if (!call.name.empty()) {
            close_item();
            open_ = Open::call;
            call_ = call.index;
            event("response.output_item.added",
                  {{"output_index", index_},
                   {"item", call_item(items_, call.index, {call.id, call.name, ""}, "in_progress")}});
        }
        if (!call.arguments.empty())
            event("response.function_call_arguments.delta", {{"item_id", items_.call_id(call.index)},
                                                             {"output_index", index_},
                                                             {"delta", call.arguments}});
    }
    void close_item() {
        if (open_ == Open::nothing) return;
        Json item;
        if (open_ == Open::call) {
            const ToolCall& call = answer_.tool_calls[call_];
            item = call_item(items_, call_, call, "completed");
            event("response.function_call_arguments.done", {{"item_id", items_.call_id(call_)},
                                                            {"output_index", index_},
                                                            {"name", call.name},
                                                            {"arguments", call.arguments}});
        } else {
            const bool message = open_ == Open::message;
            const std::string& text = message ? answer_.content : answer_.reasoning;
            item = message ? message_item(items_, text, "completed") : reasoning_item(items_, text);
            Json fields = {
                {"item_id", item["id"]}, {"output_index", index_}, {"content_index", 0}, {"text", text}};
            if (message) fields["logprobs"] = Json::array();
            event(message ? "response.output_text.done" : "response.reasoning_text.done", std::move(fields));
            event("response.content_part.done", {{"item_id", item["id"]},
                                                 {"output_index", index_},
                                                 {"content_index", 0},
                                                 {"part", item["content"][0]}});
        }
        event("response.output_item.done", {{"output_index", index_}, {"item", item}});
        ++index_;
        open_ = Open::nothing;
    }

    ModelService& model_;
    ResponseStore& store_;
    AskedResponse asked_;
    Answer answer_;
    Items items_;
    uint64_t sequence_ = 0;
    size_t index_ = 0, call_ = 0;
    Open open_ = Open::nothing;
};

}  // namespace

void responses(ModelService& model, ResponseStore& store, const std::shared_ptr<Exchange>& exchange,
               const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    AskedResponse asked;
    asked.id = new_id("resp_");
    asked.asker = key;
    asked.store = body.boolean("store", true);
    asked.instructions = body.text("instructions").value_or("");
    asked.previous = body.text("previous_response_id").value_or("");
    if (!asked.previous.empty()) {
        const auto earlier = store.find(asked.previous, key);
        if (!earlier)
            throw ApiError(
                Refusal::not_found,
                fmt::format("there is no response {} here (any more)", asked.previous.substr(0, 60)),
                "previous_response_id");
        asked.messages = earlier->messages;
    }
    for (Message& m : read_input(body)) asked.messages.push_back(std::move(m));

    AnswerRequest r;
    r.id = asked.id;
    r.key = key;
    r.chat.emplace();
    if (!asked.instructions.empty())
        r.chat->messages.push_back({.role = "system", .content = asked.instructions});
    r.chat->messages.insert(r.chat->messages.end(), asked.messages.begin(), asked.messages.end());
    r.options = read_sampling(body, model);
    read_tools(body, r);
    if (const Json* tools = body.find("tools")) asked.tools = *tools;
    read_text_format(body, r);
    r.parallel_tool_calls = body.boolean("parallel_tool_calls", true);
    if (const auto most = body.integer("max_output_tokens", 1, INT32_MAX)) {
        r.options.max_tokens = *most;
        asked.max_output_tokens = *most;
    }
    if (const auto reasoning = body.object("reasoning"))
        if (const auto effort = reasoning->choice("effort", efforts))
            apply_thinking(*r.chat, r.options, thinking_budget_of(*effort), *effort);
    asked.repeated = read_repeated(body, r);
    std::shared_ptr<AnswerSink> sink;
    if (body.boolean("stream", false))
        sink = std::make_shared<StreamedResponse>(model, store, exchange, std::move(asked));
    else
        sink = std::make_shared<WholeResponse>(model, store, exchange, std::move(asked));
    submit(model, exchange, std::move(r), std::move(sink));
}

void get_response(ResponseStore& store, Exchange& exchange, const std::string& id) {
    const auto found = store.find(id, exchange.asker);
    if (!found)
        throw ApiError(Refusal::not_found, fmt::format("there is no response {} here", id.substr(0, 60)));
    exchange.respond({.body = found->reply});
}

void delete_response(ResponseStore& store, Exchange& exchange, const std::string& id) {
    if (!store.erase(id, exchange.asker))
        throw ApiError(Refusal::not_found, fmt::format("there is no response {} here", id.substr(0, 60)));
    exchange.respond({.body = dump({{"id", id}, {"object", "response"}, {"deleted", true}})});
}

}  // namespace sluice::server
