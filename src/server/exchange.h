// One HTTP request and the reply to it. Whoever answers holds it by a shared pointer and may do so from any
// thread, now or later: at once with respond(), or in pieces with start_stream(), write(), finish(). Nothing
// blocks: what is written is kept until the connection's thread has sent it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct MHD_Connection;

namespace sluice::server {

struct HttpRequest {
    std::string method{}, path{};
    std::map<std::string, std::string, std::less<>> headers{};  // names in lower case
    std::string body{};
    std::string peer{};  // the client's address, without port
    /// Empty if there is no such header.
    std::string_view header(std::string_view name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
    int status = 200;
    std::string type = "application/json";
    std::string body{};
    HttpHeaders headers{};
};

class Exchange {
  public:
    explicit Exchange(HttpRequest request) : request_(std::move(request)) {}
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    const HttpRequest& request() const { return request_; }
    std::string asker{};     // who sent it: set when it is admitted, before it is handled
    bool log_texts = false;  // its prompt and answer may be part of the log; set at the same time

    /// The whole reply. Only the first of respond() and start_stream() counts.
    void respond(HttpReply reply);
    /// Status and headers of a reply whose body is written piece by piece; `keep_alive` is sent whenever
    /// nothing else was for some seconds.
    void start_stream(HttpReply head, std::string keep_alive);
    /// A client that lets more than most_pending bytes wait counts as gone.
    void write(std::string_view bytes);
    void finish();
    /// Called once, by any thread, if the client leaves before the reply is complete; at once if it has left.
    void on_gone(std::function<void()> call);
    bool gone() const;

    /// Headers that any reply to this request carries.
    void add_header(std::string name, std::string value);
    /// For the log: who asked (a key's name), what it cost.
    void note(std::string_view name, std::string value);
    /// More for the log, asked for when the exchange has ended: " name=value …".
    void note_at_end(std::function<std::string()> notes);

  private:
    static constexpr size_t most_pending = 8 << 20;
    friend class HttpServer;
    enum class State { receiving, answering, replied, streaming, finished };
    using Clock = std::chrono::steady_clock;

    void wake();  // with mutex_ held
    void client_left();

    HttpRequest request_;  // written by the connection's thread until it is handed to a handler
    bool too_large_ = false;
    uint64_t swallowed_ = 0;  // bytes of a body that is too large
    int fd_ = -1;

    mutable std::mutex mutex_;  // of what follows
    State state_ = State::receiving;
    MHD_Connection* connection_ = nullptr;  // none once the connection is done with this request
    bool suspended_ = false, gone_ = false, queued_ = false;
    HttpReply reply_{};
    std::string pending_{}, keep_alive_{};
    Clock::time_point began_ = Clock::now(), last_write_ = Clock::now();
    std::function<void()> on_gone_{};
    HttpHeaders headers_{};
    std::string notes_{};
    std::function<std::string()> notes_at_end_{};
};

}  // namespace sluice::server
