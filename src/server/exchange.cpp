#include "server/exchange.h"

#include <utility>

#include <microhttpd.h>

namespace sluice::server {

std::string_view HttpRequest::header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

void Exchange::wake() {
    if (suspended_ && connection_) {
        suspended_ = false;
        MHD_resume_connection(connection_);
    }
}

void Exchange::respond(HttpReply reply) {
    std::lock_guard lock(mutex_);
    if (state_ != State::receiving && state_ != State::answering) return;
    reply_ = std::move(reply);
    state_ = State::replied;
    wake();
}

void Exchange::start_stream(HttpReply head, std::string keep_alive) {
    std::lock_guard lock(mutex_);
    if (state_ != State::answering) return;
    reply_ = std::move(head);
    keep_alive_ = std::move(keep_alive);
    last_write_ = Clock::now();
    state_ = State::streaming;
    wake();
}

void Exchange::write(std::string_view bytes) {
    {
        std::lock_guard lock(mutex_);
        if (state_ != State::streaming || gone_) return;
        if (pending_.size() + bytes.size() <= most_pending) {
            pending_ += bytes;
            last_write_ = Clock::now();
            wake();
            return;
        }
    }
    client_left();
}

void Exchange::finish() {
    std::lock_guard lock(mutex_);
    if (state_ != State::streaming) return;
    state_ = State::finished;
    wake();
}

void Exchange::on_gone(std::function<void()> call) {
    {
        std::lock_guard lock(mutex_);
        if (!gone_) {
            on_gone_ = std::move(call);
            return;
        }
    }
    call();
}

bool Exchange::gone() const {
    std::lock_guard lock(mutex_);
    return gone_;
}

void Exchange::client_left() {
    std::function<void()> call;
    {
        std::lock_guard lock(mutex_);
        if (gone_) return;
        gone_ = true;
        pending_.clear();
        call = std::exchange(on_gone_, nullptr);
        wake();
    }
    if (call) call();
}

void Exchange::add_header(std::string name, std::string value) {
    std::lock_guard lock(mutex_);
    headers_.emplace_back(std::move(name), std::move(value));
}

void Exchange::note(std::string_view name, std::string value) {
    std::lock_guard lock(mutex_);
    notes_ += ' ';
    notes_ += name;
    notes_ += '=';
    notes_ += value;
}

void Exchange::note_at_end(std::function<std::string()> notes) {
    std::lock_guard lock(mutex_);
    notes_at_end_ = std::move(notes);
}

}  // namespace sluice::server
