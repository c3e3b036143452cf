// The socket that a server listens on: opened by us, or by systemd before we were started.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::server {

/// host: an address, or a name that means one; "" and "*" are all addresses. port 0: a free one. Throws io.
int open_listener(const std::string& host, uint16_t port);
/// The socket handed over by systemd's protocol (LISTEN_PID, LISTEN_FDS), if there is one. Throws io if it is
/// no socket that listens.
std::optional<int> inherited_listener();
/// All addresses it listens on belong to this machine alone.
bool is_loopback(int fd);
uint16_t port_of(int fd);

}  // namespace sluice::server
