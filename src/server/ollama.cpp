#include "server/ollama.h"

#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "engine/impl.h"
#include "server/embedding.h"
#include "server/openai.h"
#include "server/reply_sinks.h"
#include "server/sampling_fields.h"

namespace sluice::server {

namespace {

std::string now_text() {
    const auto now = std::chrono::system_clock::now();
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                       us);
}

int64_t ns(double seconds) {
    return int64_t(seconds * 1e9);
}

GenerateOptions read_options(const Fields& body, const ModelService& model) {
    const Json none = Json::object();
    const auto given = body.object("options");
    const Fields options = given ? *given : Fields(none, "options");
    GenerateOptions o = read_sampling(options, model);
    const int64_t most = options.integer("num_predict", -2, INT32_MAX).value_or(-1);
    o.max_tokens = most < 0 ? -1 : most;
    return o;
}

/// "think": true, false, or an effort. None if absent.
void read_think(const Fields& body, AnswerRequest& r) {
    const Json* think = body.find("think");
    if (!think) return;
    if (think->is_boolean()) {
        if (r.chat) apply_thinking(*r.chat, r.options, think->get<bool>() ? -1 : 0, "");
    } else {
        const std::string effort = *body.choice("think", {"low", "medium", "high"});
        if (r.chat) apply_thinking(*r.chat, r.options, thinking_budget_of(effort), effort);
    }
}

void read_ollama_format(const Fields& body, AnswerRequest& r) {
    const Json* format = body.find("format");
    if (!format || (format->is_string() && format->get<std::string>().empty())) return;
    if (format->is_object()) {
        r.format = AnswerFormat::json_schema;
        r.format_field = "format";
        r.schema = dump(*format);
    } else {
        body.choice("format", {"json"});
        r.format = AnswerFormat::json_object;
    }
}

void refuse_images(const Fields& fields) {
    if (const Json* images = fields.array("images"); images && !images->empty())
        fields.unsupported("images", "this model reads text alone");
}

Message read_ollama_message(const Fields& m) {
    Message r;
    r.role = m.need_text("role");
    if (r.role != "system" && r.role != "user" && r.role != "assistant" && r.role != "tool")
        m.fail("role", "system, user, assistant or tool");
    refuse_images(m);
    r.content = m.text("content").value_or("");
    r.reasoning = m.text("thinking").value_or("");
    r.name = m.text("tool_name").value_or("");
    r.tool_call_id = m.text("tool_call_id").value_or("");
    const Json* calls = m.array("tool_calls", 128);
    for (size_t i = 0; calls && i < calls->size(); ++i) {
        const Fields call = item(*calls, i, m.path("tool_calls"));
        const auto function = call.object("function");
        if (!function) call.fail("function", "an object with name and arguments");
        const Json* arguments = function->find("arguments");
        r.tool_calls.push_back({call.text("id").value_or(""), function->need_text("name"),
                                !arguments               ? "{}"
                                : arguments->is_string() ? arguments->get<std::string>()
                                                         : dump(*arguments)});
    }
    return r;
}

const char* done_reason(const AnswerEnd& e) {
    return e.reason == StopReason::length || e.reason == StopReason::context_full ? "length" : "stop";
}

void add_figures(Json& j, const AnswerEnd& e) {
    j["done"] = true;
    j["done_reason"] = done_reason(e);
    j["total_duration"] = ns(e.queue_seconds + e.prefill_seconds + e.decode_seconds);
    j["load_duration"] = ns(e.queue_seconds);
    j["prompt_eval_count"] = e.prompt_tokens;
    j["prompt_eval_duration"] = ns(e.prefill_seconds);
    j["eval_count"] = e.generated_tokens;
    j["eval_duration"] = ns(e.decode_seconds);
}

/// How /api/chat and /api/generate put an answer's parts.
enum class Shape { chat, generate };

Json piece(const ModelService& model, Shape shape, const std::string& content, const std::string& thinking,
           const std::vector<ToolCall>& calls) {
    Json j = {{"model", model.id()}, {"created_at", now_text()}};
    if (shape == Shape::generate) {
        j["response"] = content;
        if (!thinking.empty()) j["thinking"] = thinking;
    } else {
        Json message = {{"role", "assistant"}, {"content", content}};
        if (!thinking.empty()) message["thinking"] = thinking;
        for (const auto& call : calls)
            message["tool_calls"].push_back(
                {{"id", call.id},
                 {"function", {{"name", call.name}, {"arguments", arguments_object(call.arguments)}}}});
        j["message"] = std::move(message);
    }
    j["done"] = false;
    return j;
}

class WholeOllama : public WholeReply {
  public:
    WholeOllama(ModelService& model, std::shared_ptr<Exchange> exchange, Shape shape)
        : WholeReply(std::move(exchange), ApiFamily::ollama, 1), model_(model), shape_(shape) {}

  private:
    Json build(const std::vector<Answer>& answers) override {
        const Answer& a = answers.front();
        Json j = piece(model_, shape_, a.content, a.reasoning, a.tool_calls);
        add_figures(j, a.end);
        return j;
    }
    ModelService& model_;
    Shape shape_;
};

class StreamedOllama : public StreamReply {
  public:
    StreamedOllama(ModelService& model, std::shared_ptr<Exchange> exchange, Shape shape)
        : StreamReply(std::move(exchange), ApiFamily::ollama, Framing::lines), model_(model), shape_(shape) {}

    void delta(uint32_t, const AnswerDelta& d) override {
        if (!d.content.empty() || !d.reasoning.empty())
            send(piece(model_, shape_, d.content, d.reasoning, {}));
        calls_.add({.tool_calls = d.tool_calls});  // whole calls alone: the arguments are an object
    }
    void end(uint32_t, const AnswerEnd& e) override { end_ = e; }
    void all_ended() override {
        if (!calls_.tool_calls.empty()) send(piece(model_, shape_, "", "", calls_.tool_calls));
        Json last = piece(model_, shape_, "", "", {});
        add_figures(last, end_);
        send(last);
        close(end_);
    }

  private:
    ModelService& model_;
    Shape shape_;
    Answer calls_;
    AnswerEnd end_;
};

void answer(ModelService& model, const std::shared_ptr<Exchange>& exchange, const Fields& body,
            AnswerRequest r, Shape shape) {
    read_think(body, r);
    read_ollama_format(body, r);
    std::shared_ptr<AnswerSink> sink;
    if (body.boolean("stream", true))
        sink = std::make_shared<StreamedOllama>(model, exchange, shape);
    else
        sink = std::make_shared<WholeOllama>(model, exchange, shape);
    submit(model, exchange, std::move(r), std::move(sink));
}

/// Ollama's clients ask for nothing to have a model loaded: it is.
void reply_loaded(ModelService& model, Exchange& exchange, Shape shape) {
    Json j = piece(model, shape, "", "", {});
    j["done"] = true;
    j["done_reason"] = "load";
    exchange.respond({.body = dump(j)});
}

std::string family_details(const EngineInfo& info, Json& details) {
    details = {{"parent_model", ""},
               {"format", "gguf"},
               {"family", info.architecture},
               {"families", {info.architecture}},
               {"parameter_size", info.parameters >= 1'000'000'000
                                      ? fmt::format("{:.1f}B", double(info.parameters) / 1e9)
                                      : fmt::format("{:.1f}M", double(info.parameters) / 1e6)},
               {"quantization_level", "unknown"}};
    return info.architecture;
}

Json tag_json(const ModelService& model) {
    const EngineInfo& info = model.engine().info();
    Json details;
    family_details(info, details);
    return {{"name", model.id()},
            {"model", model.id()},
            {"modified_at", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time_t(model.created())))},
            {"size", info.file_bytes},
            {"digest", fmt::format("{:016x}", model_fingerprint(model.engine().impl()->file))},
            {"details", std::move(details)}};
}

}  // namespace

void ollama_chat(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    const Json* list = body.array("messages");
    if (!list || list->empty()) {
        reply_loaded(model, *exchange, Shape::chat);
        return;
    }
    AnswerRequest r;
    r.id = new_id("chat-");
    r.key = key;
    r.chat.emplace();
    for (size_t i = 0; i < list->size(); ++i)
        r.chat->messages.push_back(read_ollama_message(item(*list, i, "messages")));
    if (const Json* tools = body.array("tools", 1024); tools && !tools->empty()) {
        for (size_t i = 0; i < tools->size(); ++i) read_function_tool(item(*tools, i, "tools"));
        r.chat->tools = dump(*tools);
    }
    r.options = read_options(body, model);
    answer(model, exchange, body, std::move(r), Shape::chat);
}

void ollama_generate(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    const std::string prompt = body.text("prompt").value_or("");
    refuse_images(body);
    for (const char* name : {"suffix", "template"})
        if (!body.text(name).value_or("").empty())
            body.unsupported(name, fmt::format("{} is not supported", name));
    if (prompt.empty()) {
        reply_loaded(model, *exchange, Shape::generate);
        return;
    }
    AnswerRequest r;
    r.id = new_id("generate-");
    r.key = key;
    r.options = read_options(body, model);
    if (body.boolean("raw", false)) {
        r.prompt = model.engine().tokenize_prompt(prompt);
    } else {
        r.chat.emplace();
        if (const auto system = body.text("system"); system && !system->empty())
            r.chat->messages.push_back({.role = "system", .content = *system});
        r.chat->messages.push_back({.role = "user", .content = prompt});
    }
    answer(model, exchange, body, std::move(r), Shape::generate);
}

void ollama_embed(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    embed(model, exchange, key, ApiFamily::ollama, read_embedding_inputs(body, "input", model),
          [&model](const Embedded& e) {
              return Json{{"model", model.id()},
                          {"embeddings", e.vectors},
                          {"total_duration", ns(e.seconds)},
                          {"load_duration", 0},
                          {"prompt_eval_count", e.tokens}};
          });
}

void ollama_show(ModelService& model, Exchange& exchange) {
    const Json json = parse_body(exchange.request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(body.text("name").value_or("")));
    const EngineInfo& info = model.engine().info();
    Json details;
    const std::string family = family_details(info, details);
    const auto& chat_template = model.engine().impl()->chat_template;
    Json capabilities = {"completion"};
    if (chat_template && chat_template->source().find("tools") != std::string::npos)
        capabilities.push_back("tools");
    if (chat_template && chat_template->source().find("think") != std::string::npos)
        capabilities.push_back("thinking");
    exchange.respond({.body = dump({{"modelfile", ""},
                                    {"parameters", ""},
                                    {"template", chat_template ? chat_template->source() : ""},
                                    {"details", std::move(details)},
                                    {"model_info",
                                     {{"general.architecture", family},
                                      {"general.name", info.name},
                                      {"general.parameter_count", info.parameters},
                                      {family + ".context_length", info.context_length},
                                      {family + ".embedding_length", info.n_embd},
                                      {family + ".block_count", info.n_layers}}},
                                    {"capabilities", std::move(capabilities)}})});
}

void ollama_tags(ModelService& model, Exchange& exchange) {
    exchange.respond({.body = dump({{"models", Json::array({tag_json(model)})}})});
}

void ollama_ps(ModelService& model, Exchange& exchange) {
    Json entry = tag_json(model);
    entry["size_vram"] = 0;
    entry["context_length"] = model.scheduler().context();
    entry["expires_at"] = "9999-12-31T23:59:59Z";
    exchange.respond({.body = dump({{"models", Json::array({std::move(entry)})}})});
}

void ollama_version(const std::string& version, Exchange& exchange) {
    exchange.respond({.body = dump({{"version", version}})});
}

}  // namespace sluice::server
