#include "server/embedding.h"

#include <mutex>

#include <fmt/format.h>

#include "server/text_log.h"

namespace sluice::server {

namespace {

constexpr size_t most_inputs = 2048;

/// Submits inputs as earlier ones end, so that a long list does not fill the queue.
class Embedding : public std::enable_shared_from_this<Embedding> {
  public:
    Embedding(ModelService& model, std::shared_ptr<Exchange> exchange, std::string key, ApiFamily family,
              std::vector<std::vector<TokenId>> inputs, std::function<Json(const Embedded&)> build)
        : model_(model),
          exchange_(std::move(exchange)),
          key_(std::move(key)),
          family_(family),
          inputs_(std::move(inputs)),
          build_(std::move(build)) {
        result_.vectors.resize(inputs_.size());
    }

    void start() {
        std::lock_guard lock(mutex_);
        const size_t at_once = std::min<size_t>(inputs_.size(), model_.scheduler().options().parallel);
        while (next_ < at_once && !ended_) submit_next();
    }

    void cancel() {
        std::lock_guard lock(mutex_);
        for (const auto& ticket : tickets_) ticket.cancel();
    }

  private:
    void submit_next() {
        const size_t index = next_++;
        Request r;
        r.prompt = inputs_[index];
        r.embed = true;
        r.id = fmt::format("embedding-{}", index);
        r.key = key_;
        r.on_event = [self = shared_from_this(), index](const RequestEvent& event) {
            self->hear(index, event);
        };
        try {
            tickets_.push_back(model_.scheduler().submit(std::move(r)));
        } catch (const Error& e) {
            fail(ApiError::from(e.code(), e.what()));
        }
    }

    void hear(size_t index, const RequestEvent& event) {
        std::lock_guard lock(mutex_);
        if (ended_) return;
        if (const auto* failed = std::get_if<RequestFailed>(&event)) {
            fail(ApiError::from(failed->code, failed->sentence));
            return;
        }
        const auto* done = std::get_if<RequestDone>(&event);
        if (!done) return;
        if (done->reason == StopReason::cancelled || exchange_->gone()) {
            fail(ApiError(Refusal::unavailable, "the server is stopping"));
            return;
        }
        result_.vectors[index] = done->embedding;
        result_.tokens += done->prompt_tokens;
        result_.seconds += done->prefill_seconds;
        if (++finished_ == inputs_.size()) {
            ended_ = true;
            exchange_->note("prompt", std::to_string(result_.tokens));
            if (exchange_->log_texts)
                for (const auto& tokens : inputs_)
                    exchange_->note("prompt_text", log_text(model_.engine().detokenize(tokens, true)));
            exchange_->respond({.body = dump(build_(result_))});
        } else if (next_ < inputs_.size()) {
            submit_next();
        }
    }

    void fail(const ApiError& error) {
        ended_ = true;
        for (const auto& ticket : tickets_) ticket.cancel();
        exchange_->respond(error_reply(family_, error));
    }

    ModelService& model_;
    std::shared_ptr<Exchange> exchange_;
    std::string key_;
    ApiFamily family_;
    std::vector<std::vector<TokenId>> inputs_;
    std::function<Json(const Embedded&)> build_;
    std::mutex mutex_;
    std::vector<Scheduler::Ticket> tickets_;
    size_t next_ = 0, finished_ = 0;
    bool ended_ = false;
    Embedded result_;
};

std::vector<TokenId> tokens_of_text(const std::string& text, const ModelService& model) {
    std::vector<TokenId> ids = model.engine().tokenize(text, false);
    const auto& special = model.tokenizer().special();
    if (special.add_bos && special.bos >= 0) ids.insert(ids.begin(), special.bos);
    return ids;
}

std::vector<TokenId> tokens_of_ids(const Json& list, const std::string& path, const ModelService& model) {
    std::vector<TokenId> ids;
    for (const Json& t : list) {
        if (!t.is_number_unsigned() || t.get<uint64_t>() >= model.engine().info().n_vocab)
            throw ApiError(Refusal::invalid,
                           fmt::format("expected {} to hold token ids, found {}", path, shown(t)), path);
        ids.push_back(t.get<TokenId>());
    }
    return ids;
}

}  // namespace

std::vector<std::vector<TokenId>> read_embedding_inputs(const Fields& body, std::string_view name,
                                                        const ModelService& model) {
    const Json* input = body.find(name);
    if (!input) body.fail(name, "a string or an array");
    std::vector<std::vector<TokenId>> inputs;
    if (input->is_string()) {
        inputs.push_back(tokens_of_text(input->get<std::string>(), model));
    } else if (input->is_array() && !input->empty() && (*input)[0].is_number()) {
        inputs.push_back(tokens_of_ids(*input, body.path(name), model));
    } else if (input->is_array() && !input->empty() && input->size() <= most_inputs) {
        for (size_t i = 0; i < input->size(); ++i) {
            const std::string path = fmt::format("{}[{}]", body.path(name), i);
            const Json& one = (*input)[i];
            inputs.push_back(one.is_array() ? tokens_of_ids(one, path, model)
                                            : tokens_of_text(text_of(one, path), model));
        }
    } else {
        body.fail(name, "a string or an array of 1 to 2048 strings");
    }
    for (const auto& one : inputs)
        if (one.empty()) body.fail(name, "texts of at least one token");
    return inputs;
}

void embed(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key,
           ApiFamily family, std::vector<std::vector<TokenId>> inputs,
           std::function<Json(const Embedded&)> build) {
    auto embedding =
        std::make_shared<Embedding>(model, exchange, key, family, std::move(inputs), std::move(build));
    embedding->start();
    exchange->on_gone([weak = std::weak_ptr(embedding)] {
        if (const auto left = weak.lock()) left->cancel();
    });
}

}  // namespace sluice::server
