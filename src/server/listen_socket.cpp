#include "server/listen_socket.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fail.h"

namespace sluice::server {

namespace {

struct Bound {
    sockaddr_storage address{};
    socklen_t size = sizeof(sockaddr_storage);
};

Bound bound_to(int fd) {
    Bound b;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&b.address), &b.size) != 0)
        fail(ErrorCode::io, "could not ask where the server listens: {}", std::strerror(errno));
    return b;
}

int open_one(const addrinfo& a) {
    const int fd = socket(a.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a.ai_addr, a.ai_addrlen) == 0 && listen(fd, 1024) == 0) return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

}  // namespace

int open_listener(const std::string& host, uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const bool any = host.empty() || host == "*";
    const std::string service = std::to_string(port);
    if (const int error = getaddrinfo(any ? "0.0.0.0" : host.c_str(), service.c_str(), &hints, &found))
        fail(ErrorCode::io, "expected --host to be an address of this machine, found {}: {}", host,
             gai_strerror(error));
    int fd = -1, error = 0;
    for (const addrinfo* a = found; a && fd < 0; a = a->ai_next) {
        fd = open_one(*a);
        error = errno;
    }
    freeaddrinfo(found);
    if (fd < 0)
        fail(ErrorCode::io, "could not listen on {} port {}: {}{}", any ? "all addresses" : host, port,
             std::strerror(error), error == EADDRINUSE ? "; choose another --port" : "");
    return fd;
}

std::optional<int> inherited_listener() {
    const char *pid = std::getenv("LISTEN_PID"), *count = std::getenv("LISTEN_FDS");
    if (!pid || !count || std::strtol(pid, nullptr, 10) != long(getpid())) return std::nullopt;
    if (std::strtol(count, nullptr, 10) != 1)
        fail(ErrorCode::io, "expected one socket from the service manager, found {}", count);
    constexpr int first = 3;
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(first, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        fail(ErrorCode::io, "expected a listening socket from the service manager, found something else");
    fcntl(first, F_SETFD, FD_CLOEXEC);
    fcntl(first, F_SETFL, fcntl(first, F_GETFL) | O_NONBLOCK);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    return first;
}

bool is_loopback(int fd) {
    const Bound b = bound_to(fd);
    if (b.address.ss_family == AF_UNIX) return true;
    if (b.address.ss_family == AF_INET)
        return (ntohl(reinterpret_cast<const sockaddr_in&>(b.address).sin_addr.s_addr) >> 24) == 127;
    return b.address.ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(b.address).sin6_addr);
}

uint16_t port_of(int fd) {
    const Bound b = bound_to(fd);
    if (b.address.ss_family == AF_INET)
        return ntohs(reinterpret_cast<const sockaddr_in&>(b.address).sin_port);
    if (b.address.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6&>(b.address).sin6_port);
    return 0;
}

}  // namespace sluice::server
