// The two shapes of a reply to a request for answers: whole, and streamed. Each interface derives from one of
// them and only says how its JSON looks.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/answer.h"
#include "server/exchange.h"
#include "server/json_fields.h"
#include "server/model_service.h"

namespace sluice::server {

/// Gathers all choices; then replies.
class WholeReply : public AnswerSink {
  public:
    WholeReply(std::shared_ptr<Exchange> exchange, ApiFamily family, uint32_t n)
        : exchange_(std::move(exchange)), family_(family), answers_(n) {}

    void delta(uint32_t choice, const AnswerDelta& delta) override { answers_[choice].add(delta); }
    void end(uint32_t choice, const AnswerEnd& end) override { answers_[choice].end = end; }
    void all_ended() override;
    void failed(const ApiError& error) override;

  protected:
    virtual Json build(const std::vector<Answer>& answers) = 0;

  private:
    std::shared_ptr<Exchange> exchange_;
    ApiFamily family_;
    std::vector<Answer> answers_;
};

/// Lines of JSON: server-sent events, or one object a line.
class StreamReply : public AnswerSink {
  public:
    static constexpr uint64_t told_progress_from = 256;  // tokens: shorter prompts take no time worth telling
    enum class Framing { events, named_events, lines };
    StreamReply(std::shared_ptr<Exchange> exchange, ApiFamily family, Framing framing)
        : exchange_(std::move(exchange)), family_(family), framing_(framing) {}

    /// The reply's head and first pieces; may be called before the first event by whoever submitted.
    void open();
    void failed(const ApiError& error) override;

  protected:
    /// named_events: the name is the object's "type".
    void send(const Json& json);
    void send_text(std::string_view text);
    /// For clients that know no progress: a line that they skip.
    void send_comment(const Json& progress);
    void close(const AnswerEnd& total);

  private:
    void start();

    std::shared_ptr<Exchange> exchange_;
    ApiFamily family_;
    Framing framing_;
    std::once_flag opened_;
};

/// For the log: what an answer cost.
void note_cost(Exchange& exchange, const AnswerEnd& total);
/// Sums of what the choices of one prompt cost: the prompt counts once.
AnswerEnd total_of(const std::vector<Answer>& answers);

/// Submits; the client's leaving cancels.
void submit(ModelService& model, const std::shared_ptr<Exchange>& exchange, AnswerRequest request,
            std::shared_ptr<AnswerSink> sink);

}  // namespace sluice::server
