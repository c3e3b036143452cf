// POST /v1/chat/completions
#include <ctime>

#include "server/openai.h"
#include "server/reply_sinks.h"

namespace sluice::server {

namespace {

/// One token with its bytes, since it may be a part of a character.
Json token_json(const ModelService& model, const TokenLogprob& t) {
    const std::string text = model.token_text(t.token);
    Json bytes = Json::array();
    for (const char c : text) bytes.push_back(unsigned(static_cast<unsigned char>(c)));
    return {{"token", text}, {"logprob", std::max(t.logprob, -9999.0f)}, {"bytes", std::move(bytes)}};
}

Json logprobs_json(const ModelService& model, const std::vector<TokenLogprobs>& tokens) {
    Json content = Json::array();
    for (const auto& t : tokens) {
        Json entry = token_json(model, t.chosen);
        entry["top_logprobs"] = Json::array();
        for (const auto& other : t.top) entry["top_logprobs"].push_back(token_json(model, other));
        content.push_back(std::move(entry));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
}

Json timings_json(const AnswerEnd& e) {
    return {{"queue_seconds", e.queue_seconds},
            {"prefill_seconds", e.prefill_seconds},
            {"decode_seconds", e.decode_seconds}};
}

Json head(const ModelService& model, const std::string& id, int64_t created, const char* object) {
    return {{"id", id}, {"object", object}, {"created", created}, {"model", model.id()}};
}

class WholeChat : public WholeReply {
  public:
    WholeChat(ModelService& model, std::shared_ptr<Exchange> exchange, const AnswerRequest& r)
        : WholeReply(std::move(exchange), ApiFamily::openai, r.n), model_(model), id_(r.id) {}

  private:
    Json build(const std::vector<Answer>& answers) override {
        Json reply = head(model_, id_, int64_t(std::time(nullptr)), "chat.completion");
        reply["choices"] = Json::array();
        for (size_t i = 0; i < answers.size(); ++i) {
            const Answer& a = answers[i];
            Json message = {{"role", "assistant"}, {"content", a.content}};
            if (a.content.empty() && !a.tool_calls.empty()) message["content"] = nullptr;
            if (!a.reasoning.empty()) message["reasoning_content"] = a.reasoning;
            if (!a.tool_calls.empty()) message["tool_calls"] = tool_calls_json(a.tool_calls);
            reply["choices"].push_back(
                {{"index", i},
                 {"message", std::move(message)},
                 {"logprobs", a.logprobs.empty() ? Json() : logprobs_json(model_, a.logprobs)},
                 {"finish_reason", finish_reason(a.end)}});
        }
        const AnswerEnd total = total_of(answers);
        reply["usage"] = usage_json(total);
        reply["timings"] = timings_json(total);
        return reply;
    }

    ModelService& model_;
    std::string id_;
};

class StreamedChat : public StreamReply {
  public:
    StreamedChat(ModelService& model, std::shared_ptr<Exchange> exchange, const AnswerRequest& r, bool usage)
        : StreamReply(std::move(exchange), ApiFamily::openai, Framing::events),
          model_(model),
          id_(r.id),
          usage_(usage),
          begun_(r.n),
          ends_(r.n) {}

    void waiting(uint64_t before) override { send_progress({{"waiting", before}}); }
    void progress(uint64_t processed, uint64_t total) override {
        if (total >= told_progress_from && processed < total)
            send_progress({{"processed", processed}, {"total", total}});
    }
    void delta(uint32_t choice, const AnswerDelta& d) override {
        begin(choice);
        Json delta = Json::object();
        if (!d.reasoning.empty()) delta["reasoning_content"] = d.reasoning;
        if (!d.content.empty()) delta["content"] = d.content;
        for (const auto& call : d.tool_calls) {
            Json function = {{"arguments", call.arguments}};
            Json entry = {{"index", call.index}};
            if (!call.name.empty()) {
                entry["id"] = call.id;
                entry["type"] = "function";
                function = {{"name", call.name}, {"arguments", call.arguments}};
            }
            entry["function"] = std::move(function);
            delta["tool_calls"].push_back(std::move(entry));
        }
        send_choice(choice, std::move(delta), nullptr,
                    d.logprobs ? logprobs_json(model_, {*d.logprobs}) : Json());
    }
    void end(uint32_t choice, const AnswerEnd& e) override {
        begin(choice);
        ends_[choice].end = e;
        send_choice(choice, Json::object(), e.reason == StopReason::cancelled ? "stop" : finish_reason(e),
                    Json());
    }
    void all_ended() override {
        const AnswerEnd total = total_of(ends_);
        if (usage_) {
            Json chunk = head(model_, id_, created_, "chat.completion.chunk");
            chunk["choices"] = Json::array();
            chunk["usage"] = usage_json(total);
            chunk["timings"] = timings_json(total);
            send(chunk);
        }
        send_text("data: [DONE]\n\n");
        close(total);
    }

  private:
    void begin(uint32_t choice) {
        if (begun_[choice]) return;
        begun_[choice] = true;
        send_choice(choice, {{"role", "assistant"}, {"content", ""}}, nullptr, Json());
    }
    void send_choice(uint32_t choice, Json delta, const char* finish, Json logprobs) {
        Json chunk = head(model_, id_, created_, "chat.completion.chunk");
        Json entry = {{"index", choice},
                      {"delta", std::move(delta)},
                      {"logprobs", std::move(logprobs)},
                      {"finish_reason", nullptr}};
        if (finish) entry["finish_reason"] = finish;
        chunk["choices"].push_back(std::move(entry));
        if (usage_) chunk["usage"] = nullptr;
        send(chunk);
    }
    /// A client that wants usage expects a chunk without choices; another may well look at the first one.
    void send_progress(Json progress) {
        if (!usage_) {
            send_comment(progress);
            return;
        }
        Json chunk = head(model_, id_, created_, "chat.completion.chunk");
        chunk["choices"] = Json::array();
        chunk["progress"] = std::move(progress);
        send(chunk);
    }

    ModelService& model_;
    std::string id_;
    bool usage_;
    int64_t created_ = int64_t(std::time(nullptr));
    std::vector<bool> begun_;
    std::vector<Answer> ends_;
};

}  // namespace

void chat_completions(ModelService& model, const std::shared_ptr<Exchange>& exchange,
                      const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    AnswerRequest r = read_chat(body, model);
    r.id = new_id("chatcmpl-");
    r.key = key;
    const auto top = body.integer("top_logprobs", 0, 20);
    if (body.boolean("logprobs", false)) r.options.top_logprobs = int32_t(top.value_or(0));
    if (!body.boolean("stream", false)) {
        auto sink = std::make_shared<WholeChat>(model, exchange, r);
        submit(model, exchange, std::move(r), std::move(sink));
        return;
    }
    const auto options = body.object("stream_options");
    const bool usage = options && options->boolean("include_usage", false);
    auto sink = std::make_shared<StreamedChat>(model, exchange, r, usage);
    submit(model, exchange, std::move(r), std::move(sink));
}

}  // namespace sluice::server
