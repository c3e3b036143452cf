#include "server/reply_sinks.h"

#include <fmt/format.h>

#include "server/text_log.h"

namespace sluice::server {

void note_cost(Exchange& exchange, const AnswerEnd& total) {
    exchange.note("prompt", std::to_string(total.prompt_tokens));
    exchange.note("reused", std::to_string(total.reused_tokens));
    exchange.note("generated", std::to_string(total.generated_tokens));
    exchange.note("stop", std::string(to_string(total.reason)));
}

AnswerEnd total_of(const std::vector<Answer>& answers) {
    AnswerEnd total = answers.front().end;
    for (size_t i = 1; i < answers.size(); ++i) {
        total.generated_tokens += answers[i].end.generated_tokens;
        total.reasoning_tokens += answers[i].end.reasoning_tokens;
    }
    return total;
}

void WholeReply::all_ended() {
    const AnswerEnd total = total_of(answers_);
    note_cost(*exchange_, total);
    if (total.reason == StopReason::cancelled) {
        failed(ApiError(Refusal::unavailable, "the server stopped before the answer was complete"));
        return;
    }
    exchange_->respond({.body = dump(build(answers_))});
}

void WholeReply::failed(const ApiError& error) {
    exchange_->respond(error_reply(family_, error));
}

void StreamReply::open() {
    std::call_once(opened_, [this] { start(); });
}

void StreamReply::send_text(std::string_view text) {
    open();
    exchange_->write(text);
}

void StreamReply::start() {
    HttpReply head;
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    std::string keep_alive;
    if (framing_ == Framing::lines) {
        head.type = "application/x-ndjson";
    } else {
        head.type = "text/event-stream";
        keep_alive = family_ == ApiFamily::anthropic ? "event: ping\ndata: {\"type\":\"ping\"}\n\n"
                                                     : ": keep-alive\n\n";
    }
    exchange_->start_stream(std::move(head), std::move(keep_alive));
}

void StreamReply::send(const Json& json) {
    switch (framing_) {
        case Framing::events:
            send_text("data: " + dump(json) + "\n\n");
            break;
        case Framing::named_events:
            send_text(fmt::format("event: {}\ndata: {}\n\n", json.value("type", "message"), dump(json)));
            break;
        case Framing::lines:
            send_text(dump(json) + "\n");
            break;
    }
}

void StreamReply::send_comment(const Json& progress) {
    send_text(": progress " + dump(progress) + "\n\n");
}

void StreamReply::failed(const ApiError& error) {
    send(Json::parse(error_json(family_, error)));
    exchange_->note("failed", "true");
    exchange_->finish();
}

void StreamReply::close(const AnswerEnd& total) {
    note_cost(*exchange_, total);
    exchange_->finish();
}

void submit(ModelService& model, const std::shared_ptr<Exchange>& exchange, AnswerRequest request,
            std::shared_ptr<AnswerSink> sink) {
    std::shared_ptr<AnswerSink> heard = sink;
    if (exchange->log_texts) heard = std::make_shared<LoggedSink>(sink, *exchange, model, request.n);
    auto tickets = model.answer(std::move(request), std::move(heard));
    if (auto* stream = dynamic_cast<StreamReply*>(sink.get())) stream->open();
    exchange->on_gone([tickets = std::move(tickets)] {
        for (const auto& ticket : tickets) ticket.cancel();
    });
}

}  // namespace sluice::server
