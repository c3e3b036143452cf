#include "http_client.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace sluice::test {

namespace {

using Clock = std::chrono::steady_clock;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    return text;
}

size_t number(std::string_view text, int base) {
    size_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
    if (error != std::errc() || end == text.data())
        throw std::runtime_error("no number: " + std::string(text));
    return n;
}

Reply parse_head(const std::string& head) {
    Reply reply;
    std::istringstream lines(head);
    std::string line;
    std::getline(lines, line);
    if (!line.starts_with("HTTP/1.1 ")) throw std::runtime_error("no status line: " + line);
    reply.status = int(number(line.substr(9, 3), 10));
    while (std::getline(lines, line) && line != "\r") {
        const size_t colon = line.find(": ");
        if (colon == std::string::npos || !line.ends_with('\r'))
            throw std::runtime_error("no header: " + line);
        reply.headers[lower(line.substr(0, colon))] = line.substr(colon + 2, line.size() - colon - 3);
    }
    return reply;
}

}  // namespace

std::string Reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
}

std::vector<Event> Reply::events() const {
    std::vector<Event> events;
    Event next;
    for (const auto& line : [&] {
             std::vector<std::string> all;
             std::istringstream in(body);
             for (std::string l; std::getline(in, l);) all.push_back(l);
             return all;
         }()) {
        if (line.empty()) {
            if (!next.data.empty()) events.push_back(next);
            next = {};
        } else if (line.starts_with("event: ")) {
            next.name = line.substr(7);
        } else if (line.starts_with("data: ")) {
            next.data += line.substr(6);
        } else if (!line.starts_with(":")) {
            throw std::runtime_error("no line of an event: " + line);
        }
    }
    return events;
}

std::vector<Json> Reply::lines() const {
    std::vector<Json> all;
    std::istringstream in(body);
    for (std::string line; std::getline(in, line);) all.push_back(Json::parse(line));
    return all;
}

Connection::Connection(uint16_t port) {
    std::signal(SIGPIPE, SIG_IGN);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        if (fd_ >= 0) close(fd_);
        throw std::runtime_error("cannot connect");
    }
}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ended_(other.ended_), received_(std::move(other.received_)) {}

Connection::~Connection() {
    if (fd_ >= 0) close(fd_);
}

bool Connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(size_t(n));
    }
    return true;
}

void Connection::send_request(const std::string& method, const std::string& path, const std::string& body,
                              const Headers& headers) {
    std::string text = method + " " + path + " HTTP/1.1\r\n";
    if (std::none_of(headers.begin(), headers.end(), [](const auto& h) { return h.first == "Host"; }))
        text += "Host: localhost\r\n";
    for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(text + "\r\n" + body);
}

bool Connection::read_some(Clock::time_point until) {
    if (ended_) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    pollfd p{fd_, POLLIN, 0};
    if (left.count() < 0 || poll(&p, 1, int(left.count())) <= 0) return false;
    char block[65536];
    const ssize_t n = recv(fd_, block, sizeof block, 0);
    if (n <= 0) {
        ended_ = true;
        return false;
    }
    received_.append(block, size_t(n));
    return true;
}

bool Connection::wait_for(std::string_view text, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (received_.find(text) == std::string::npos)
        if (!read_some(until)) return false;
    return true;
}

Reply Connection::read_reply(std::chrono::milliseconds limit, bool head_only) {
    const auto until = Clock::now() + limit;
    if (!wait_for("\r\n\r\n", limit)) throw std::runtime_error("no reply; so far: " + received_);
    const size_t head_size = received_.find("\r\n\r\n") + 4;
    Reply reply = parse_head(received_.substr(0, head_size));
    received_.erase(0, head_size);
    const auto need = [&](size_t n) {
        while (received_.size() < n)
            if (!read_some(until)) return false;
        return true;
    };
    const auto take = [&](size_t n) {
        std::string bytes = received_.substr(0, n);
        received_.erase(0, n);
        return bytes;
    };
    if (head_only || reply.status == 204) {
        reply.complete = true;
    } else if (reply.header("transfer-encoding") == "chunked") {
        for (;;) {
            size_t end;
            while ((end = received_.find("\r\n")) == std::string::npos)
                if (!read_some(until)) return reply;
            const size_t size = number(std::string_view(received_).substr(0, end), 16);
            if (!need(end + 2 + size + 2)) return reply;
            take(end + 2);
            reply.body += take(size);
            take(2);
            if (size == 0) break;
        }
        reply.complete = true;
    } else if (!reply.header("content-length").empty()) {
        const size_t size = number(reply.header("content-length"), 10);
        reply.complete = need(size);
        reply.body = take(std::min(size, received_.size()));
    } else {
        while (read_some(until)) {
        }
        reply.body = std::exchange(received_, {});
        reply.complete = ended_;
    }
    return reply;
}

bool Connection::closes(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (read_some(until)) {
    }
    return ended_;
}

void Connection::leave(bool reset) {
    if (reset) {
        const linger at_once{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    close(std::exchange(fd_, -1));
    ended_ = true;
}

void Connection::end_input() {
    shutdown(fd_, SHUT_WR);
}

Reply request(uint16_t port, const std::string& method, const std::string& path, const std::string& body,
              const Headers& headers) {
    Connection connection(port);
    connection.send_request(method, path, body, headers);
    return connection.read_reply(60s, method == "HEAD");
}

}  // namespace sluice::test
