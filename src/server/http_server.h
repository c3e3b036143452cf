// HTTP/1.1 over libmicrohttpd: one thread serves all connections by epoll, so that ten thousand idle ones
// cost memory alone; a connection whose request is being answered is suspended until there is something to
// send. Requests are handed, complete and within limits, to a few handler threads.
//
// What libmicrohttpd does not do is here: a deadline for the whole of a request's head and body (clients that
// drip), and noticing at once that the client of a suspended connection has left.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "server/exchange.h"

struct MHD_Daemon;

namespace sluice::server {

struct HttpLimits {
    uint64_t body_bytes = 32 << 20;
    uint32_t header_bytes = 32 << 10;
    uint32_t connections = 12000;
    std::chrono::seconds head_time{20};  // from the first moment to the end of the headers
    std::chrono::seconds body_time{60};  // from there to the end of the body
    std::chrono::seconds idle_time{75};  // between two requests, and without progress in sending a reply
    std::chrono::seconds keep_alive_every{10};
    uint32_t handler_threads = 4;
};

struct HttpOptions {
    int listen_fd = -1;  // bound and listening; owned from now on
    HttpLimits limits{};
    std::string tls_certificate{}, tls_key{};  // PEM texts; both or none
    /// When the headers are there: a reply refuses the request. From the connections' thread.
    std::function<std::optional<HttpReply>(Exchange&)> admit{};
    /// The reply to a request whose body exceeds the limit.
    std::function<HttpReply(Exchange&)> too_large{};
    /// When the request is complete. From a handler thread. An exception becomes a reply with status 500.
    std::function<void(const std::shared_ptr<Exchange>&)> handle{};
    /// The line of the log for an exchange that has ended.
    std::function<void(const std::string&)> log{};
};

class HttpServer {
  public:
    /// Throws io if the server cannot start.
    explicit HttpServer(HttpOptions options);
    /// Cuts what is still being answered.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// No connection is accepted any more; those that are there go on.
    void stop_accepting();
    uint64_t connections() const { return connections_; }
    /// Requests that are being received or answered.
    uint64_t exchanges() const;
    uint64_t requests() const { return requests_; }

  private:
    struct Callbacks;  // what libmicrohttpd calls
    /// What is known of a connection that is open.
    struct Open {
        Exchange::Clock::time_point deadline{};
        bool has_deadline = false;
        bool input_ended = false;
        uint32_t number = 0;  // no two have the same: sockets' numbers come again
    };
    void set_deadline(int fd, std::optional<std::chrono::seconds> from_now);
    void dispatch(std::shared_ptr<Exchange> exchange);
    void handler_main();
    void watch_main();
    void opened(int fd);
    void watch_socket(int fd, int operation);
    void input_ended(int fd, uint32_t number);
    void watch(const std::shared_ptr<Exchange>& exchange);
    void unwatch(const Exchange& exchange);
    void look_at_clients(int timeout_ms);
    void tick();
    void ended(const std::shared_ptr<Exchange>& exchange, bool complete);

    HttpOptions options_;
    MHD_Daemon* daemon_ = nullptr;
    int epoll_fd_ = -1;
    std::atomic<bool> stopping_{false};
    std::atomic<uint64_t> connections_{0}, requests_{0};

    mutable std::mutex exchanges_mutex_;
    std::set<std::shared_ptr<Exchange>> exchanges_;
    std::unordered_map<int, std::weak_ptr<Exchange>> watched_;  // by socket
    std::mutex open_mutex_;
    std::unordered_map<int, Open> open_;  // by socket
    uint32_t last_number_ = 0;

    std::mutex handlers_mutex_;
    std::condition_variable handlers_wake_;
    std::deque<std::shared_ptr<Exchange>> to_handle_;
    std::vector<std::thread> handlers_;
    std::thread watcher_;
};

}  // namespace sluice::server
