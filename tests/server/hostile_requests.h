// Requests that no well-meaning client sends, generated: the same ones in every run, so that a failure can be
// seen again. Bytes as they go over the wire.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::test {

struct HostileRequest {
    std::string kind{};   // for messages
    std::string bytes{};  // of the whole request
    bool http = true;     // it is HTTP, so that there is a reply; else the connection may just be closed
};

/// `n` of them, different for each seed: bad HTTP, chunked bodies, heads, JSON whose fields have wrong types,
/// numbers that are none, bytes that are no UTF-8, mutations of `bodies`.
std::vector<HostileRequest> hostile_requests(uint64_t seed, size_t n, const std::vector<std::string>& bodies);

}  // namespace sluice::test
