#include "server/http_server.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fail.h"
#include "server/ascii.h"

namespace sluice::server {

namespace {

/// For what a client sent before the end of its stream to be read, if it is a whole request.
constexpr std::chrono::seconds after_end{1};

std::string address_text(const sockaddr* address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (!address) return "";
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
    return text;
}

int socket_of(MHD_Connection* connection) {
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

HttpRequest request_of(MHD_Connection* connection, const char* method, const char* path) {
    HttpRequest r;
    r.method = method;
    r.path = path;
    MHD_get_connection_values(
        connection, MHD_HEADER_KIND,
        [](void* to, MHD_ValueKind, const char* name, const char* value) {
            // Of equal names the first counts.
            static_cast<HttpRequest*>(to)->headers.emplace(lower_ascii(name), value ? value : "");
            return MHD_YES;
        },
        &r);
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    r.peer = info ? address_text(info->client_addr) : "";
    return r;
}

void set_headers(MHD_Response* response, const HttpReply& reply, const HttpHeaders& more) {
    if (!reply.type.empty()) MHD_add_response_header(response, "Content-Type", reply.type.c_str());
    for (const HttpHeaders* headers : {&reply.headers, &more})
        for (const auto& [name, value] : *headers)
            MHD_add_response_header(response, name.c_str(), value.c_str());
}

/// A path fit for a line of the log.
std::string log_safe(std::string_view path) {
    std::string r(path.substr(0, 200));
    for (char& c : r)
        if (static_cast<unsigned char>(c) <= ' ' || c == 127) c = '?';
    return r;
}

/// As many sockets as the system lets us have; returns that number.
uint64_t raise_file_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

}  // namespace

struct HttpServer::Callbacks {
    using Held = std::shared_ptr<Exchange>;

    static void connection(void* self, MHD_Connection* c, void**, MHD_ConnectionNotificationCode code) {
        auto& server = *static_cast<HttpServer*>(self);
        const int fd = socket_of(c);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
            ++server.connections_;
            server.opened(fd);
        } else {
            --server.connections_;
            std::lock_guard lock(server.open_mutex_);
            server.open_.erase(fd);
        }
    }

    static MHD_Result access(void* self, MHD_Connection* c, const char* path, const char* method, const char*,
                             const char* upload, size_t* upload_size, void** held) {
        auto& server = *static_cast<HttpServer*>(self);
        try {
            if (!*held) return server_begin(server, c, path, method, held);
            const Held& exchange = *static_cast<Held*>(*held);
            if (*upload_size) return receive(server, *exchange, upload, upload_size);
            return answer(server, c, exchange);
        } catch (const std::exception&) {
            return MHD_NO;  // no memory: the connection is closed
        }
    }

    static MHD_Result server_begin(HttpServer& server, MHD_Connection* c, const char* path,
                                   const char* method, void** held) {
        auto exchange = std::make_shared<Exchange>(request_of(c, method, path));
        exchange->connection_ = c;
        exchange->fd_ = socket_of(c);
        *held = new Held(exchange);
        ++server.requests_;
        {
            std::lock_guard lock(server.exchanges_mutex_);
            server.exchanges_.insert(exchange);
        }
        server.set_deadline(exchange->fd_, server.options_.limits.body_time);
        if (auto refusal = server.options_.admit(*exchange)) {
            exchange->respond(std::move(*refusal));
            return reply(c, *exchange);
        }
        const std::string length(exchange->request_.header("content-length"));
        if (!length.empty() &&
            std::strtoull(length.c_str(), nullptr, 10) > server.options_.limits.body_bytes) {
            exchange->too_large_ = true;
            return reply_too_large(server, c, exchange);
        }
        return MHD_YES;
    }

    /// A body without a length that grows too large is read to four times the limit, then cut.
    static MHD_Result receive(HttpServer& server, Exchange& exchange, const char* upload, size_t* size) {
        std::string& body = exchange.request_.body;
        const uint64_t most = server.options_.limits.body_bytes;
        if (body.size() + *size > most) exchange.too_large_ = true;
        if (!exchange.too_large_) {
            body.append(upload, *size);
        } else {
            if (exchange.swallowed_ += *size; exchange.swallowed_ > 3 * most) return MHD_NO;
        }
        *size = 0;
        return MHD_YES;
    }

    /// The request is complete (first call), or the connection was resumed.
    static MHD_Result answer(HttpServer& server, MHD_Connection* c, const Held& exchange) {
        Exchange::State state;
        {
            std::lock_guard lock(exchange->mutex_);
            if (exchange->gone_) return MHD_NO;
            if (exchange->queued_) return MHD_YES;
            state = exchange->state_;
        }
        if (exchange->too_large_) return reply_too_large(server, c, exchange);
        server.set_deadline(exchange->fd_, std::nullopt);
        if (state == Exchange::State::receiving) {
            if (server.stopping_) return MHD_NO;
            {
                std::lock_guard lock(exchange->mutex_);
                if (exchange->gone_) return MHD_NO;  // the server stops
                exchange->state_ = Exchange::State::answering;
                exchange->suspended_ = true;
                MHD_suspend_connection(c);
            }
            server.watch(exchange);
            server.dispatch(exchange);
            return MHD_YES;
        }
        if (state == Exchange::State::answering) {  // resumed for nothing
            std::lock_guard lock(exchange->mutex_);
            if (exchange->state_ == Exchange::State::answering && !exchange->gone_) {
                exchange->suspended_ = true;
                MHD_suspend_connection(c);
                return MHD_YES;
            }
        }
        if (server.stopping_ && state == Exchange::State::answering) return MHD_NO;
        return reply(c, *exchange);
    }

    static MHD_Result reply_too_large(HttpServer& server, MHD_Connection* c, const Held& exchange) {
        exchange->respond(server.options_.too_large(*exchange));
        return reply(c, *exchange);
    }

    /// Without the exchange's mutex around libmicrohttpd's calls: it holds a lock of its own when it calls
    /// read(). Once there is a reply it does not change.
    static MHD_Result reply(MHD_Connection* c, Exchange& exchange) {
        bool whole;
        HttpHeaders headers;
        {
            std::lock_guard lock(exchange.mutex_);
            whole = exchange.state_ == Exchange::State::replied;
            headers = exchange.headers_;
            exchange.queued_ = true;
        }
        MHD_Response* response;
        if (whole) {
            response = MHD_create_response_from_buffer(exchange.reply_.body.size(),
                                                       exchange.reply_.body.data(), MHD_RESPMEM_MUST_COPY);
        } else {
            constexpr size_t block = 16 << 10;
            response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, block, &Callbacks::read, &exchange,
                                                         nullptr);
        }
        if (!response) return MHD_NO;
        set_headers(response, exchange.reply_, headers);
        const MHD_Result result = MHD_queue_response(c, unsigned(exchange.reply_.status), response);
        MHD_destroy_response(response);
        return result;
    }

    /// Bytes of a stream. The exchange lives as long as the connection holds the request (completed()).
    static ssize_t read(void* self, uint64_t, char* to, size_t most) {
        auto& exchange = *static_cast<Exchange*>(self);
        std::lock_guard lock(exchange.mutex_);
        if (exchange.gone_) return MHD_CONTENT_READER_END_WITH_ERROR;
        if (!exchange.pending_.empty()) {
            const size_t n = std::min(most, exchange.pending_.size());
            std::memcpy(to, exchange.pending_.data(), n);
            exchange.pending_.erase(0, n);
            return ssize_t(n);
        }
        if (exchange.state_ == Exchange::State::finished) return MHD_CONTENT_READER_END_OF_STREAM;
        exchange.suspended_ = true;
        MHD_suspend_connection(exchange.connection_);
        return 0;
    }

    static void completed(void* self, MHD_Connection*, void** held, MHD_RequestTerminationCode code) {
        auto& server = *static_cast<HttpServer*>(self);
        if (!*held) return;
        const Held exchange = *static_cast<Held*>(*held);
        delete static_cast<Held*>(*held);
        *held = nullptr;
        server.ended(exchange, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    }
};

HttpServer::HttpServer(HttpOptions options) : options_(std::move(options)) {
    const HttpLimits& limits = options_.limits;
    const uint64_t files = raise_file_limit();
    const auto most = uint32_t(std::min<uint64_t>(limits.connections, files > 200 ? files - 100 : 100));
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    std::vector<MHD_OptionItem> items = {
        {MHD_OPTION_LISTEN_SOCKET, intptr_t(options_.listen_fd), nullptr},
        {MHD_OPTION_CONNECTION_LIMIT, intptr_t(most), nullptr},
        {MHD_OPTION_CONNECTION_TIMEOUT, intptr_t(limits.idle_time.count()), nullptr},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, intptr_t(limits.header_bytes), nullptr},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, nullptr},
        {MHD_OPTION_NOTIFY_COMPLETED, intptr_t(&Callbacks::completed), this},
        {MHD_OPTION_NOTIFY_CONNECTION, intptr_t(&Callbacks::connection), this},
    };
    if (!options_.tls_certificate.empty()) {
        flags |= MHD_USE_TLS;
        items.push_back({MHD_OPTION_HTTPS_MEM_CERT, 0, options_.tls_certificate.data()});
        items.push_back({MHD_OPTION_HTTPS_MEM_KEY, 0, options_.tls_key.data()});
    }
    items.push_back({MHD_OPTION_END, 0, nullptr});
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < limits.handler_threads; ++i) handlers_.emplace_back([this] { handler_main(); });
    watcher_ = std::thread([this] { watch_main(); });
    daemon_ = MHD_start_daemon(flags, 0, nullptr, nullptr, &Callbacks::access, this, MHD_OPTION_ARRAY,
                               items.data(), MHD_OPTION_END);
    if (!daemon_) {
        stopping_ = true;
        { std::lock_guard lock(handlers_mutex_); }
        handlers_wake_.notify_all();
        for (auto& t : handlers_) t.join();
        watcher_.join();
        close(epoll_fd_);
        close(options_.listen_fd);
        fail(ErrorCode::io, "could not start the HTTP server{}",
             options_.tls_certificate.empty() ? "" : "; are the TLS certificate and key a PEM pair?");
    }
}

HttpServer::~HttpServer() {
    stop_accepting();
    stopping_ = true;
    std::vector<std::shared_ptr<Exchange>> left;
    {
        std::lock_guard lock(exchanges_mutex_);
        left.assign(exchanges_.begin(), exchanges_.end());
    }
    for (const auto& exchange : left) exchange->client_left();
    { std::lock_guard lock(handlers_mutex_); }
    handlers_wake_.notify_all();
    for (auto& t : handlers_) t.join();
    watcher_.join();
    MHD_stop_daemon(daemon_);
    close(epoll_fd_);
}

void HttpServer::stop_accepting() {
    const int fd = MHD_quiesce_daemon(daemon_);
    if (fd >= 0) close(fd);
}

uint64_t HttpServer::exchanges() const {
    std::lock_guard lock(exchanges_mutex_);
    return exchanges_.size();
}

void HttpServer::set_deadline(int fd, std::optional<std::chrono::seconds> from_now) {
    std::lock_guard lock(open_mutex_);
    const auto found = open_.find(fd);
    if (found == open_.end()) return;
    found->second.has_deadline = from_now.has_value();
    if (!from_now) return;
    found->second.deadline =
        Exchange::Clock::now() + (found->second.input_ended ? std::min(*from_now, after_end) : *from_now);
}

void HttpServer::dispatch(std::shared_ptr<Exchange> exchange) {
    {
        std::lock_guard lock(handlers_mutex_);
        to_handle_.push_back(std::move(exchange));
    }
    handlers_wake_.notify_one();
}

void HttpServer::handler_main() {
    for (;;) {
        std::shared_ptr<Exchange> exchange;
        {
            std::unique_lock lock(handlers_mutex_);
            handlers_wake_.wait(lock, [&] { return stopping_ || !to_handle_.empty(); });
            if (stopping_) return;
            exchange = std::move(to_handle_.front());
            to_handle_.pop_front();
        }
        if (exchange->gone()) continue;
        try {
            options_.handle(exchange);
        } catch (const std::exception&) {
            exchange->respond({.status = 500, .type = "text/plain", .body = "internal error\n"});
        }
    }
}

void HttpServer::opened(int fd) {
    {
        std::lock_guard lock(open_mutex_);
        open_[fd] = {Exchange::Clock::now() + options_.limits.head_time, true, false, ++last_number_};
    }
    watch_socket(fd, EPOLL_CTL_ADD);
}

/// Tells once that the client sends no more. Closing the socket ends it.
void HttpServer::watch_socket(int fd, int operation) {
    std::lock_guard lock(open_mutex_);
    const auto found = open_.find(fd);
    if (found == open_.end()) return;
    epoll_event event{};
    event.events = EPOLLRDHUP | EPOLLONESHOT;
    event.data.u64 = uint64_t(found->second.number) << 32 | uint32_t(fd);
    epoll_ctl(epoll_fd_, operation, fd, &event);
}

/// From now on the end of the client's stream means that it has left.
void HttpServer::watch(const std::shared_ptr<Exchange>& exchange) {
    {
        std::lock_guard lock(exchanges_mutex_);
        watched_[exchange->fd_] = exchange;
    }
    watch_socket(exchange->fd_, EPOLL_CTL_MOD);  // also if it has ended already
}

void HttpServer::unwatch(const Exchange& exchange) {
    std::lock_guard lock(exchanges_mutex_);
    watched_.erase(exchange.fd_);
}

/// libmicrohttpd may overlook the end of a stream that comes together with its last bytes. What came before
/// it may still be read, and may be a whole request; if it is not, the connection's time is up.
void HttpServer::input_ended(int fd, uint32_t number) {
    std::lock_guard lock(open_mutex_);
    const auto found = open_.find(fd);
    if (found == open_.end() || found->second.number != number) return;
    Open& open = found->second;
    const auto soon = Exchange::Clock::now() + after_end;
    open.input_ended = true;
    open.deadline = open.has_deadline ? std::min(open.deadline, soon) : soon;
    open.has_deadline = true;
}

void HttpServer::watch_main() {
    auto next_tick = Exchange::Clock::now();
    while (!stopping_) {
        look_at_clients(200);
        if (Exchange::Clock::now() < next_tick) continue;
        tick();
        next_tick = Exchange::Clock::now() + std::chrono::seconds(1);
    }
}

void HttpServer::look_at_clients(int timeout_ms) {
    epoll_event events[64];
    const int n = epoll_wait(epoll_fd_, events, 64, timeout_ms);
    for (int i = 0; i < n; ++i) {
        const int fd = int(events[i].data.u64 & UINT32_MAX);
        std::shared_ptr<Exchange> left;
        {
            std::lock_guard lock(exchanges_mutex_);
            const auto found = watched_.find(fd);
            if (found != watched_.end()) left = found->second.lock();
        }
        if (left)
            left->client_left();
        else
            input_ended(fd, uint32_t(events[i].data.u64 >> 32));
    }
}

/// Closes what has taken too long; keeps silent streams alive.
void HttpServer::tick() {
    const auto now = Exchange::Clock::now();
    {
        std::lock_guard lock(open_mutex_);  // a socket in the table is not closed while it is held
        for (auto& [fd, open] : open_)
            if (open.has_deadline && now > open.deadline) {
                open.has_deadline = false;
                shutdown(fd, SHUT_RDWR);
            }
    }
    std::lock_guard lock(exchanges_mutex_);
    for (const auto& exchange : exchanges_) {
        std::lock_guard exchange_lock(exchange->mutex_);
        if (exchange->state_ != Exchange::State::streaming || exchange->keep_alive_.empty()) continue;
        if (now - exchange->last_write_ < options_.limits.keep_alive_every) continue;
        if (!exchange->pending_.empty()) continue;  // the client does not read
        exchange->pending_ = exchange->keep_alive_;
        exchange->last_write_ = now;
        exchange->wake();
    }
}

void HttpServer::ended(const std::shared_ptr<Exchange>& exchange, bool complete) {
    unwatch(*exchange);
    std::string line;
    std::function<std::string()> more;
    {
        std::lock_guard lock(exchange->mutex_);
        more = std::exchange(exchange->notes_at_end_, nullptr);
        exchange->connection_ = nullptr;
        exchange->suspended_ = false;
        const double ms =
            std::chrono::duration<double, std::milli>(Exchange::Clock::now() - exchange->began_).count();
        line = fmt::format("method={} path={} status={} ms={:.1f} peer={}{}{}", exchange->request_.method,
                           log_safe(exchange->request_.path), exchange->queued_ ? exchange->reply_.status : 0,
                           ms, exchange->request_.peer, exchange->notes_, complete ? "" : " left=true");
    }
    if (!complete) exchange->client_left();
    if (more && options_.log) line += more();
    {
        std::lock_guard lock(exchanges_mutex_);
        exchanges_.erase(exchange);
    }
    set_deadline(exchange->fd_, options_.limits.idle_time + options_.limits.head_time);
    if (options_.log) options_.log(line);
}

}  // namespace sluice::server
