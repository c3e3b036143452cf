// Prompts and answers in the log, for owners who ask for them (--log-prompts): one line for each request all
// the same, so they are quoted and escaped, and nothing in them can end the line or steer a terminal.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/answer.h"
#include "server/exchange.h"
#include "server/model_service.h"

namespace sluice::server {

/// A JSON string of at most about 256 KiB; of a longer text its beginning, and how much was left out.
std::string log_text(std::string_view text);

/// Hears what another sink hears, and tells the exchange's line of the log: also if the client leaves midway.
class LoggedSink : public AnswerSink {
  public:
    LoggedSink(std::shared_ptr<AnswerSink> sink, Exchange& exchange, const ModelService& model, uint32_t n);

    void prompt(const std::vector<TokenId>& tokens) override;
    void waiting(uint64_t before) override { sink_->waiting(before); }
    void progress(uint64_t processed, uint64_t total) override { sink_->progress(processed, total); }
    void delta(uint32_t choice, const AnswerDelta& delta) override;
    void end(uint32_t choice, const AnswerEnd& end) override { sink_->end(choice, end); }
    void all_ended() override { sink_->all_ended(); }
    void failed(const ApiError& error) override { sink_->failed(error); }

  private:
    /// Written by the scheduler's thread, read by the connections'.
    struct Texts {
        std::mutex mutex;
        std::string prompt;
        std::vector<Answer> answers;
        std::string notes() const;
    };
    std::shared_ptr<AnswerSink> sink_;
    const ModelService& model_;
    std::shared_ptr<Texts> texts_ = std::make_shared<Texts>();
};

}  // namespace sluice::server
