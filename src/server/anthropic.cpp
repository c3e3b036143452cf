#include "server/anthropic.h"

#include <fmt/format.h>

#include "server/reply_sinks.h"
#include "server/sampling_fields.h"

namespace sluice::server {

namespace {

[[noreturn]] void fail_block(const Fields& block, const std::string& type) {
    block.unsupported("type",
                      fmt::format("expected {} to be text, thinking, tool_use or tool_result, found \"{}\"",
                                  block.path("type"), type.substr(0, 40)));
}

/// A text, or blocks of text.
std::string read_text_blocks(const Json& content, const std::string& path) {
    if (content.is_string()) return content.get<std::string>();
    if (!content.is_array())
        throw ApiError(
            Refusal::invalid,
            fmt::format("expected {} to be a string or an array of blocks, found {}", path, shown(content)),
            path);
    std::string text;
    for (size_t i = 0; i < content.size(); ++i) {
        const Fields block = item(content, i, path);
        if (const std::string type = block.need_text("type"); type != "text") fail_block(block, type);
        text += block.need_text("text");
    }
    return text;
}

/// One block of a message. Results of tools are messages of their own to a template, and come before the
/// text.
void read_block(const Fields& block, Message& message, std::vector<Message>& results) {
    const std::string type = block.need_text("type");
    if (type == "text") {
        message.content += block.need_text("text");
    } else if (type == "thinking") {
        message.reasoning += block.need_text("thinking");
    } else if (type == "redacted_thinking") {
        return;
    } else if (type == "tool_use") {
        const auto input = block.object("input");
        message.tool_calls.push_back(
            {block.need_text("id"), block.need_text("name"), input ? dump(input->json()) : "{}"});
    } else if (type == "tool_result") {
        const Json* content = block.find("content");
        results.push_back({.role = "tool",
                           .content = content ? read_text_blocks(*content, block.path("content")) : "",
                           .tool_call_id = block.need_text("tool_use_id")});
    } else {
        fail_block(block, type);
    }
}

void read_anthropic_message(const Fields& m, std::vector<Message>& messages) {
    Message message;
    message.role = m.need_text("role");
    if (message.role != "user" && message.role != "assistant" && message.role != "system")
        m.fail("role", "user or assistant");
    const Json* content = m.find("content");
    if (!content) m.fail("content", "a string or an array of blocks");
    std::vector<Message> results;
    if (content->is_string())
        message.content = content->get<std::string>();
    else if (content->is_array())
        for (size_t i = 0; i < content->size(); ++i)
            read_block(item(*content, i, m.path("content")), message, results);
    else
        m.fail("content", "a string or an array of blocks");
    const bool only_results = !results.empty() && message.content.empty();
    for (Message& r : results) messages.push_back(std::move(r));
    if (!only_results) messages.push_back(std::move(message));
}

Json read_tool(const Fields& tool) {
    const std::string type = tool.text("type").value_or("custom");
    if (type != "custom")
        tool.unsupported(
            "type", fmt::format("this server runs no tools of its own, such as \"{}\"", type.substr(0, 40)));
    Json function = {{"name", tool.need_text("name")}};
    if (const auto description = tool.text("description")) function["description"] = *description;
    const auto schema = tool.object("input_schema");
    if (!schema) tool.fail("input_schema", "an object");
    function["parameters"] = schema->json();
    return {{"type", "function"}, {"function", std::move(function)}};
}

void read_messages(const Fields& body, ChatRequest& chat) {
    const Json* list = body.array("messages");
    if (!list || list->empty()) body.fail("messages", "an array of at least one message");
    for (size_t i = 0; i < list->size(); ++i)
        read_anthropic_message(item(*list, i, "messages"), chat.messages);
}

/// A conversation that the server holds: under the id of each of its replies, so that the next request brings
/// the new messages alone.
struct Thread {
    ResponseStore& store;
    std::string asker;
    bool held = false;
    ChatRequest chat{};

    void read(const Fields& body);
    void keep(const std::string& id, const Answer& a) const {
        if (!held) return;
        StoredResponse stored{.asker = asker, .messages = chat.messages, .tools = chat.tools};
        stored.messages.push_back({.role = "assistant",
                                   .content = a.content,
                                   .reasoning = a.reasoning,
                                   .tool_calls = a.tool_calls});
        store.put(id, std::move(stored));
    }
};

void Thread::read(const Fields& body) {
    const auto thread = body.object("thread");
    const auto type = thread ? thread->choice("type", {"create", "continue"}) : std::nullopt;
    if (thread && !type) thread->fail("type", "create or continue");
    held = thread.has_value();
    if (held && *type == "continue") {
        const std::string id = thread->need_text("previous_message_id");
        auto earlier = store.find(id, asker);
        if (!earlier)
            throw ApiError(
                Refusal::not_found,
                fmt::format("there is no thread with the message {} here (any more)", id.substr(0, 60)))
                .with_detail("thread_not_found");
        for (const char* name : {"system", "tools"})
            if (body.has(name)) body.fail(name, "left out where a thread is continued");
        chat.messages = std::move(earlier->messages);
        chat.tools = std::move(earlier->tools);
        read_messages(body, chat);
        return;
    }
    if (const Json* system = body.find("system"))
        chat.messages.push_back({.role = "system", .content = read_text_blocks(*system, "system")});
    read_messages(body, chat);
    Json tools = Json::array();
    if (const Json* given = body.array("tools", 1024))
        for (size_t i = 0; i < given->size(); ++i) tools.push_back(read_tool(item(*given, i, "tools")));
    if (!tools.empty()) chat.tools = dump(tools);
}

/// "output_config": how much to think, and the form of the answer.
void read_output_config(const Fields& body, AnswerRequest& r) {
    const auto config = body.object("output_config");
    if (!config) return;
    if (const auto effort = config->choice("effort", {"low", "medium", "high", "xhigh", "max"}))
        apply_thinking(*r.chat, r.options, thinking_budget_of(*effort), *effort == "max" ? "xhigh" : *effort);
    const auto format = config->object("format");
    if (!format) return;
    if (format->choice("type", {"json_schema"}).value_or("").empty()) format->fail("type", "json_schema");
    const auto schema = format->object("schema");
    if (!schema) format->fail("schema", "an object");
    r.format = AnswerFormat::json_schema;
    r.format_field = "output_config.format";
    r.schema = dump(schema->json());
}

void read_anthropic_tool_choice(const Fields& body, AnswerRequest& r) {
    const auto choice = body.object("tool_choice");
    if (!choice) return;
    const auto type = choice->choice("type", {"auto", "any", "tool", "none"});
    if (!type) choice->fail("type", "auto, any, tool or none");
    if (*type == "none") r.chat->tools.clear();
    if (*type == "any" || *type == "tool") {
        r.tool_choice = ToolChoice::required;
        if (r.chat->tools.empty()) body.fail("tool_choice", "auto or none when there are no tools");
    }
    if (*type == "tool") r.tool_name = choice->need_text("name");
    r.parallel_tool_calls = !choice->boolean("disable_parallel_tool_use", false);
}

/// True if the reply shows what the model thinks.
bool read_thinking(const Fields& body, AnswerRequest& r) {
    const auto thinking = body.object("thinking");
    if (!thinking) return false;
    const auto type = thinking->choice("type", {"enabled", "disabled", "adaptive"});
    if (!type) thinking->fail("type", "enabled, disabled or adaptive");
    int64_t budget = -1;
    if (*type == "disabled") budget = 0;
    if (*type == "enabled") {
        const auto tokens = thinking->integer("budget_tokens", 1, INT32_MAX);
        if (!tokens) thinking->fail("budget_tokens", "a number of tokens");
        budget = *tokens;
    }
    apply_thinking(*r.chat, r.options, budget, "");
    return *type != "disabled";
}

const char* stop_reason(const AnswerEnd& e) {
    switch (e.reason) {
        case StopReason::length:
            return "max_tokens";
        case StopReason::context_full:
            return "model_context_window_exceeded";
        case StopReason::stop_text:
            return "stop_sequence";
        default:
            return e.called_tools ? "tool_use" : "end_turn";
    }
}

Json tokens_json(const AnswerEnd& e) {
    return {{"input_tokens", e.prompt_tokens - e.reused_tokens},
            {"cache_creation_input_tokens", 0},
            {"cache_read_input_tokens", e.reused_tokens},
            {"output_tokens", e.generated_tokens}};
}

Json message_json(const ModelService& model, const std::string& id) {
    return {{"id", id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", model.id()},
            {"content", Json::array()},
            {"stop_reason", nullptr},
            {"stop_sequence", nullptr}};
}

Json stop_sequence(const AnswerEnd& e) {
    return e.reason == StopReason::stop_text ? Json(e.stop_text) : Json();
}

class WholeMessage : public WholeReply {
  public:
    WholeMessage(ModelService& model, std::shared_ptr<Exchange> exchange, Thread thread, std::string id,
                 bool thinking)
        : WholeReply(std::move(exchange), ApiFamily::anthropic, 1),
          model_(model),
          thread_(std::move(thread)),
          id_(std::move(id)),
          thinking_(thinking) {}

  private:
    Json build(const std::vector<Answer>& answers) override {
        const Answer& a = answers.front();
        thread_.keep(id_, a);
        Json reply = message_json(model_, id_);
        Json& content = reply["content"];
        if (thinking_ && !a.reasoning.empty())
            content.push_back({{"type", "thinking"}, {"thinking", a.reasoning}, {"signature", "sluice"}});
        if (!a.content.empty() || a.tool_calls.empty())
            content.push_back({{"type", "text"}, {"text", a.content}});
        for (const auto& call : a.tool_calls)
            content.push_back({{"type", "tool_use"},
                               {"id", call.id},
                               {"name", call.name},
                               {"input", arguments_object(call.arguments)}});
        reply["stop_reason"] = stop_reason(a.end);
        reply["stop_sequence"] = stop_sequence(a.end);
        reply["usage"] = tokens_json(a.end);
        return reply;
    }
    ModelService& model_;
    Thread thread_;
    std::string id_;
    bool thinking_;
};

class StreamedMessage : public StreamReply {
  public:
    StreamedMessage(ModelService& model, std::shared_ptr<Exchange> exchange, Thread thread, std::string id,
                    bool thinking)
        : StreamReply(std::move(exchange), ApiFamily::anthropic, Framing::named_events),
          model_(model),
          thread_(std::move(thread)),
          id_(std::move(id)),
          thinking_(thinking) {}

    void progress(uint64_t processed, uint64_t total) override {
        begin(total);
        if (processed < total)
            send({{"type", "ping"}, {"progress", {{"processed", processed}, {"total", total}}}});
    }
    void delta(uint32_t, const AnswerDelta& d) override {
        begin(0);
        if (thread_.held) answer_.add(d);
        if (thinking_ && !d.reasoning.empty()) {
            open("thinking", {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
            block_delta({{"type", "thinking_delta"}, {"thinking", d.reasoning}});
        }
        if (!d.content.empty()) {
            open("text", {{"type", "text"}, {"text", ""}});
            block_delta({{"type", "text_delta"}, {"text", d.content}});
        }
        for (const auto& call : d.tool_calls) {
            if (!call.name.empty()) {
                close_block();
                open("tool_use",
                     {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", Json::object()}});
            }
            if (!call.arguments.empty())
                block_delta({{"type", "input_json_delta"}, {"partial_json", call.arguments}});
        }
    }
    void end(uint32_t, const AnswerEnd& e) override { end_ = e; }
    void all_ended() override {
        if (end_.reason != StopReason::cancelled) thread_.keep(id_, answer_);
        begin(end_.prompt_tokens);
        if (index_ == 0 && open_.empty()) open("text", {{"type", "text"}, {"text", ""}});
        close_block();
        send({{"type", "message_delta"},
              {"delta", {{"stop_reason", stop_reason(end_)}, {"stop_sequence", stop_sequence(end_)}}},
              {"usage", tokens_json(end_)}});
        send({{"type", "message_stop"}});
        close(end_);
    }

  private:
    void begin(uint64_t prompt_tokens) {
        if (begun_) return;
        begun_ = true;
        Json message = message_json(model_, id_);
        message["usage"] = {{"input_tokens", prompt_tokens}, {"output_tokens", 0}};
        send({{"type", "message_start"}, {"message", std::move(message)}});
    }
    void open(const std::string& what, Json block) {
        if (open_ == what) return;
        close_block();
        open_ = what;
        send({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}});
    }
    void block_delta(Json delta) {
        send({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
    }
    void close_block() {
        if (open_.empty()) return;
        if (open_ == "thinking") block_delta({{"type", "signature_delta"}, {"signature", "sluice"}});
        send({{"type", "content_block_stop"}, {"index", index_++}});
        open_.clear();
    }

    ModelService& model_;
    Thread thread_;
    Answer answer_;
    std::string id_, open_;
    bool thinking_, begun_ = false;
    size_t index_ = 0;
    AnswerEnd end_;
};

}  // namespace

void messages(ModelService& model, ResponseStore& threads, const std::shared_ptr<Exchange>& exchange,
              const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    Thread thread{threads, key};
    thread.read(body);
    AnswerRequest r;
    r.id = new_id("msg_");
    r.key = key;
    r.chat = thread.chat;
    r.options = read_sampling(body, model);
    r.options.stop = read_stop(body, "stop_sequences");
    const auto most = body.integer("max_tokens", 1, INT32_MAX);
    if (!most) body.fail("max_tokens", "a number of tokens of at least 1");
    r.options.max_tokens = *most;
    read_anthropic_tool_choice(body, r);
    read_output_config(body, r);
    const bool thinking = read_thinking(body, r);
    const std::string id = r.id;
    std::shared_ptr<AnswerSink> sink;
    if (body.boolean("stream", false))
        sink = std::make_shared<StreamedMessage>(model, exchange, std::move(thread), id, thinking);
    else
        sink = std::make_shared<WholeMessage>(model, exchange, std::move(thread), id, thinking);
    submit(model, exchange, std::move(r), std::move(sink));
}

void count_tokens(ModelService& model, ResponseStore& threads, Exchange& exchange) {
    const Json json = parse_body(exchange.request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    Thread thread{threads, exchange.asker};
    thread.read(body);
    AnswerParser::Options reading;
    const Prompt prompt = model.prompt_of(exchange.asker, thread.chat, reading);
    exchange.respond({.body = dump({{"input_tokens", prompt.tokens.size()}})});
}

}  // namespace sluice::server
