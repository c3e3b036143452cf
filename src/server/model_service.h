// The model that a server serves: names, the scheduler of its requests, and the way of an AnswerRequest
// through template, scheduler and AnswerParts to its sink.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/scheduler.h"
#include "server/answer.h"
#include "server/turn_memory.h"
#include "text/tool_calls/answer_parser.h"

namespace sluice::server {

class ModelService {
  public:
    /// names: by which requests may call the model, the first being its id.
    ModelService(const Engine& engine, const SchedulerOptions& options, std::vector<std::string> names);

    const Engine& engine() const { return engine_; }
    const Tokenizer& tokenizer() const;
    Scheduler& scheduler() { return scheduler_; }
    const Scheduler& scheduler() const { return scheduler_; }
    const std::string& id() const { return names_.front(); }
    int64_t created() const { return created_; }  // seconds since 1970
    /// Throws ApiError (not_found) if a request means another model. Empty and "default" mean this one.
    void check_name(std::string_view name, const std::string& param = "model") const;

    /// Renders (for a chat), submits, and returns what cancels it. The sink hears of the rest. Throws
    /// ApiError for a request that cannot be answered.
    std::vector<Scheduler::Ticket> answer(AnswerRequest request, std::shared_ptr<AnswerSink> sink);
    /// The prompt of a chat as the template renders it.
    Prompt render(const ChatRequest& chat) const;
    /// The same, with what was answered here before as the model wrote it; `reading` becomes how answers to
    /// it are read.
    Prompt prompt_of(const std::string& key, const ChatRequest& chat, AnswerParser::Options& reading);
    /// The text of one token, control tokens by their names; may be a part of a character.
    std::string token_text(TokenId token) const;

  private:
    std::shared_ptr<const Constraint> constraint_of(const AnswerRequest& request) const;

    Engine engine_;
    std::vector<std::string> names_;
    int64_t created_;
    TurnMemory turns_;
    Scheduler scheduler_;
};

/// "chatcmpl-" and 24 letters and digits that nobody can guess.
std::string new_id(std::string_view prefix);
uint64_t new_seed();

}  // namespace sluice::server
