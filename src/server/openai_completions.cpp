// POST /v1/completions: text is continued as it is, without a chat template.
#include <ctime>

#include <fmt/format.h>

#include "server/openai.h"
#include "server/reply_sinks.h"
#include "server/sampling_fields.h"

namespace sluice::server {

namespace {

/// The older form of logprobs: parallel arrays.
Json logprobs_json(const ModelService& model, const std::vector<TokenLogprobs>& tokens, size_t offset) {
    Json j = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
    for (const auto& t : tokens) {
        const std::string text = model.token_text(t.chosen.token);
        j["tokens"].push_back(text);
        j["token_logprobs"].push_back(std::max(t.chosen.logprob, -9999.0f));
        Json top = Json::object();
        for (const auto& other : t.top)
            top[model.token_text(other.token)] = std::max(other.logprob, -9999.0f);
        j["top_logprobs"].push_back(std::move(top));
        j["text_offset"].push_back(offset);
        offset += text.size();
    }
    return j;
}

Json head(const ModelService& model, const std::string& id) {
    return {{"id", id},
            {"object", "text_completion"},
            {"created", int64_t(std::time(nullptr))},
            {"model", model.id()}};
}

class WholeCompletion : public WholeReply {
  public:
    WholeCompletion(ModelService& model, std::shared_ptr<Exchange> exchange, const AnswerRequest& r,
                    std::string echo)
        : WholeReply(std::move(exchange), ApiFamily::openai, r.n),
          model_(model),
          id_(r.id),
          echo_(std::move(echo)) {}

  private:
    Json build(const std::vector<Answer>& answers) override {
        Json reply = head(model_, id_);
        reply["choices"] = Json::array();
        for (size_t i = 0; i < answers.size(); ++i)
            reply["choices"].push_back(
                {{"index", i},
                 {"text", echo_ + answers[i].content},
                 {"logprobs", answers[i].logprobs.empty()
                                  ? Json()
                                  : logprobs_json(model_, answers[i].logprobs, echo_.size())},
                 {"finish_reason", finish_reason(answers[i].end)}});
        reply["usage"] = usage_json(total_of(answers));
        return reply;
    }

    ModelService& model_;
    std::string id_, echo_;
};

class StreamedCompletion : public StreamReply {
  public:
    StreamedCompletion(ModelService& model, std::shared_ptr<Exchange> exchange, const AnswerRequest& r,
                       std::string echo, bool usage)
        : StreamReply(std::move(exchange), ApiFamily::openai, Framing::events),
          model_(model),
          id_(r.id),
          usage_(usage),
          offset_(r.n, echo.size()),
          echo_(r.n, echo),
          ends_(r.n) {}

    void waiting(uint64_t before) override { send_progress({{"waiting", before}}); }
    void progress(uint64_t processed, uint64_t total) override {
        if (total >= told_progress_from && processed < total)
            send_progress({{"processed", processed}, {"total", total}});
    }
    void delta(uint32_t choice, const AnswerDelta& d) override {
        Json logprobs;
        if (d.logprobs) {
            logprobs = logprobs_json(model_, {*d.logprobs}, offset_[choice]);
            offset_[choice] += model_.token_text(d.logprobs->chosen.token).size();
        }
        send_choice(choice, std::exchange(echo_[choice], {}) + d.content, std::move(logprobs), nullptr);
    }
    void end(uint32_t choice, const AnswerEnd& e) override {
        ends_[choice].end = e;
        send_choice(choice, std::exchange(echo_[choice], {}), Json(), finish_reason(e));
    }
    void all_ended() override {
        const AnswerEnd total = total_of(ends_);
        if (usage_) {
            Json chunk = head(model_, id_);
            chunk["choices"] = Json::array();
            chunk["usage"] = usage_json(total);
            send(chunk);
        }
        send_text("data: [DONE]\n\n");
        close(total);
    }

  private:
    void send_choice(uint32_t choice, const std::string& text, Json logprobs, const char* finish) {
        Json chunk = head(model_, id_);
        Json entry = {
            {"index", choice}, {"text", text}, {"logprobs", std::move(logprobs)}, {"finish_reason", nullptr}};
        if (finish) entry["finish_reason"] = finish;
        chunk["choices"].push_back(std::move(entry));
        send(chunk);
    }
    void send_progress(Json progress) {
        if (!usage_) {
            send_comment(progress);
            return;
        }
        Json chunk = head(model_, id_);
        chunk["choices"] = Json::array();
        chunk["progress"] = std::move(progress);
        send(chunk);
    }

    ModelService& model_;
    std::string id_;
    bool usage_;
    std::vector<size_t> offset_;
    std::vector<std::string> echo_;
    std::vector<Answer> ends_;
};

std::vector<TokenId> read_tokens(const Json& list, const std::string& path, const ModelService& model) {
    std::vector<TokenId> ids;
    for (const Json& t : list) {
        if (!t.is_number_unsigned() || t.get<uint64_t>() >= model.engine().info().n_vocab)
            throw ApiError(Refusal::invalid,
                           fmt::format("expected {} to hold token ids from 0 to {}, found {}", path,
                                       model.engine().info().n_vocab - 1, shown(t)),
                           path);
        ids.push_back(t.get<TokenId>());
    }
    return ids;
}

/// A text, an array of one text, an array of token ids, or an array of one such array.
std::vector<TokenId> read_prompt(const Fields& body, const ModelService& model) {
    const Json* prompt = body.find("prompt");
    if (!prompt) body.fail("prompt", "a string or an array of token ids");
    if (prompt->is_array() && prompt->size() == 1 && !(*prompt)[0].is_number()) prompt = &(*prompt)[0];
    if (prompt->is_string()) return model.engine().tokenize_prompt(prompt->get<std::string>());
    if (prompt->is_array() && !prompt->empty() && (*prompt)[0].is_number())
        return read_tokens(*prompt, "prompt", model);
    if (prompt->is_array() && prompt->size() > 1)
        body.unsupported("prompt",
                         "several prompts in one request are not supported; send a request for each");
    body.fail("prompt", "a string or an array of token ids");
}

}  // namespace

void completions(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    AnswerRequest r;
    r.id = new_id("cmpl-");
    r.key = key;
    r.options = read_sampling(body, model);
    r.prompt = read_prompt(body, model);
    r.options.max_tokens = body.integer("max_tokens", 0, INT32_MAX).value_or(16);  // OpenAI's default
    r.n = uint32_t(body.integer("n", 1, 128).value_or(1));
    if (const auto top = body.integer("logprobs", 0, 20)) r.options.top_logprobs = int32_t(*top);
    read_grammar(body, r);
    if (body.integer("best_of", 1, 128).value_or(1) != 1)
        body.unsupported("best_of", "best_of is not supported; use n");
    if (!body.text("suffix").value_or("").empty())
        body.unsupported("suffix", "text to be filled in before a suffix is not supported");
    const std::string echo = body.boolean("echo", false) ? model.engine().detokenize(r.prompt, false) : "";
    if (!body.boolean("stream", false)) {
        auto sink = std::make_shared<WholeCompletion>(model, exchange, r, echo);
        submit(model, exchange, std::move(r), std::move(sink));
        return;
    }
    const auto options = body.object("stream_options");
    const bool usage = options && options->boolean("include_usage", false);
    auto sink = std::make_shared<StreamedCompletion>(model, exchange, r, echo, usage);
    submit(model, exchange, std::move(r), std::move(sink));
}

}  // namespace sluice::server
