#include "server/model_service.h"

#include <algorithm>
#include <ctime>
#include <functional>
#include <random>

#include <fmt/format.h>

#include "engine/impl.h"
#include "server/answer_parts.h"
#include "server/ascii.h"

namespace sluice::server {

namespace {

/// What the choices of one request share. All calls come from the scheduler's thread, but for the tickets.
struct Asked {
    std::shared_ptr<AnswerSink> sink;
    uint32_t left = 0;
    bool failed = false;
    std::function<void(TurnMemory::Turn)> keep{};  // an answer, for the next turn
    uint64_t told_processed = UINT64_MAX;
};

/// One choice: scheduler's events in, the sink's calls out.
class Choice {
  public:
    Choice(std::shared_ptr<Asked> asked, uint32_t index, const AnswerParts::Options& options)
        : asked_(std::move(asked)), index_(index), parts_(options) {}

    void hear(const RequestEvent& event) {
        if (asked_->failed) return;
        if (const auto* step = std::get_if<Generation::Step>(&event))
            token(*step);
        else if (const auto* progress = std::get_if<RequestProgress>(&event))
            asked_->sink->progress(progress->processed, progress->total);
        else if (const auto* waiting = std::get_if<RequestWaiting>(&event))
            asked_->sink->waiting(waiting->before);
        else if (const auto* done = std::get_if<RequestDone>(&event))
            end(*done);
        else if (const auto* f = std::get_if<RequestFailed>(&event)) {
            asked_->failed = true;
            asked_->sink->failed(ApiError::from(f->code, f->sentence));
        }
    }

  private:
    void token(const Generation::Step& step) {
        const bool thinking = parts_.inside_reasoning();
        AnswerDelta delta = parts_.push(step.text);
        reasoning_tokens_ += thinking || parts_.inside_reasoning();
        if (parts_.answering()) delta.logprobs = step.logprobs;  // of content alone
        if (step.token) turn_.answer.push_back(*step.token);
        send(delta);
    }

    void send(const AnswerDelta& delta) {
        if (delta.empty()) return;
        for (const ToolCallDelta& call : delta.tool_calls)
            if (call.id_is_ours) turn_.calls.push_back(call.id);
        turn_.reasoning += delta.reasoning;
        asked_->sink->delta(index_, delta);
    }

    void end(const RequestDone& done) {
        for (const AnswerDelta& delta : {parts_.push(done.text), parts_.finish()}) send(delta);
        AnswerEnd e;
        e.reason = done.reason;
        e.stop_text = done.stop_text;
        e.called_tools = parts_.called_tools();
        e.prompt_tokens = done.prompt_tokens;
        e.reused_tokens = done.reused_tokens;
        e.generated_tokens = done.generated_tokens;
        e.reasoning_tokens = reasoning_tokens_;
        e.queue_seconds = done.queue_seconds;
        e.prefill_seconds = done.prefill_seconds;
        e.decode_seconds = done.decode_seconds;
        // Before the client can go on. An answer that was cut by a stop text is not what the client has.
        if (asked_->keep && (done.reason == StopReason::end_token || done.reason == StopReason::length))
            asked_->keep(std::move(turn_));
        asked_->sink->end(index_, e);
        if (--asked_->left == 0) asked_->sink->all_ended();
    }

    std::shared_ptr<Asked> asked_;
    uint32_t index_;
    AnswerParts parts_;
    TurnMemory::Turn turn_;
    uint64_t reasoning_tokens_ = 0;
};

std::string constraint_field(const AnswerRequest& r) {
    if (r.tool_choice == ToolChoice::required) return "tool_choice";
    return r.format == AnswerFormat::grammar ? "grammar" : r.format_field;
}

}  // namespace

ModelService::ModelService(const Engine& engine, const SchedulerOptions& options,
                           std::vector<std::string> names)
    : engine_(engine),
      names_(std::move(names)),
      created_(int64_t(std::time(nullptr))),
      turns_(engine.impl()->tokenizer.get()),
      scheduler_(engine, options) {}

/// What holds an answer to a form: the one place where a request's format, schema, grammar and tool_choice
/// become a constraint of the sampler. The engine keeps those asked for last.
std::shared_ptr<const Constraint> ModelService::constraint_of(const AnswerRequest& r) const {
    try {
        if (r.tool_choice == ToolChoice::required)
            return engine_.constrain_to_tool_call(r.chat ? r.chat->tools : "", r.tool_name,
                                                  r.parallel_tool_calls);
        switch (r.format) {
            case AnswerFormat::text:
                return nullptr;
            case AnswerFormat::json_object:
                return engine_.constrain_to_json_object();
            case AnswerFormat::json_schema:
                return engine_.constrain_to_schema(r.schema);
            case AnswerFormat::grammar:
                return engine_.constrain_to_grammar(r.grammar);
        }
        return nullptr;
    } catch (const Error& e) {
        if (e.code() == ErrorCode::busy) throw ApiError::from(e.code(), e.what());
        const Refusal refusal = e.code() == ErrorCode::unsupported ? Refusal::unsupported : Refusal::invalid;
        throw ApiError(refusal, e.what(), constraint_field(r));
    }
}

const Tokenizer& ModelService::tokenizer() const {
    return engine_.impl()->need_tokenizer();
}

void ModelService::check_name(std::string_view name, const std::string& param) const {
    std::string asked = lower_ascii(name);
    if (asked.ends_with(":latest")) asked.resize(asked.size() - 7);
    if (asked.empty() || asked == "default") return;
    for (const auto& known : names_)
        if (known == "*" || lower_ascii(known) == asked) return;
    throw ApiError(Refusal::not_found,
                   fmt::format("the model \"{}\" is not here; this server has {}", name.substr(0, 100), id()),
                   param);
}

Prompt ModelService::render(const ChatRequest& chat) const {
    try {
        return engine_.render(chat);
    } catch (const Error& e) {
        throw ApiError(e.code() == ErrorCode::out_of_budget ? Refusal::invalid
                                                            : ApiError::from(e.code(), e.what()).refusal(),
                       e.what(), "messages");
    }
}

Prompt ModelService::prompt_of(const std::string& key, const ChatRequest& chat,
                               AnswerParser::Options& reading) {
    ChatRequest whole = chat;
    for (Message& m : whole.messages)
        if (m.reasoning.empty()) m.reasoning = turns_.thoughts_before(key, m.tool_calls).value_or("");
    Prompt prompt = render(whole);
    if (!chat.tools.empty() && engine_.impl()->tool_format() != ToolFormat::none) {
        reading.format = engine_.impl()->tool_format();
        try {
            reading.tools = std::make_shared<const ToolSet>(chat.tools);
        } catch (const Error& e) {
            throw ApiError(Refusal::invalid, e.what(), "tools");
        }
    }
    prompt.tokens = turns_.replay(key, prompt.tokens, reading);
    reading.opens_reasoning = prompt.opens_reasoning;
    return prompt;
}

std::vector<Scheduler::Ticket> ModelService::answer(AnswerRequest request, std::shared_ptr<AnswerSink> sink) {
    request.options.constraint = constraint_of(request);
    AnswerParts::Options parts{.chat = request.chat.has_value()};
    if (request.chat) {
        const Prompt prompt = prompt_of(request.key, *request.chat, parts.answer);
        request.prompt = prompt.tokens;
        request.options.stop_in_reasoning = false;
        request.options.opens_reasoning = prompt.opens_reasoning;
        request.options.may_reason = prompt.may_reason;
        // In some vocabularies the marks of a call are control tokens.
        request.options.show_special |= parts.answer.format != ToolFormat::none;
    }
    sink->prompt(request.prompt);
    auto asked = std::make_shared<Asked>(Asked{.sink = std::move(sink), .left = request.n});
    if (request.chat)
        asked->keep = [this, key = request.key, prompt = request.prompt,
                       opens_reasoning = request.options.opens_reasoning](TurnMemory::Turn turn) {
            turn.opens_reasoning = opens_reasoning;
            turns_.keep(key, prompt, std::move(turn));
        };
    std::vector<Request> requests;
    for (uint32_t i = 0; i < request.n; ++i) {
        auto choice = std::make_shared<Choice>(asked, i, parts);
        Request r;
        r.prompt = request.prompt;
        r.options = request.options;
        r.options.sampling.seed += i;
        r.id = request.n > 1 ? fmt::format("{}-{}", request.id, i) : request.id;
        r.key = request.key;
        r.priority = request.priority;
        r.on_event = [choice](const RequestEvent& event) { choice->hear(event); };
        requests.push_back(std::move(r));
    }
    try {
        return scheduler_.submit(std::move(requests));
    } catch (const Error& e) {
        throw ApiError::from(e.code(), e.what());
    }
}

std::string ModelService::token_text(TokenId token) const {
    return tokenizer().piece(token, true);
}

namespace {

std::mt19937_64& generator() {
    thread_local std::mt19937_64 random = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    return random;
}

}  // namespace

std::string new_id(std::string_view prefix) {
    constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::uniform_int_distribution<size_t> pick(0, letters.size() - 1);
    std::string id(prefix);
    for (int i = 0; i < 24; ++i) id += letters[pick(generator())];
    return id;
}

uint64_t new_seed() {
    return generator()() >> 1;
}

}  // namespace sluice::server
