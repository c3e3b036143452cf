// Who may ask: keys, the Host header (a page of another site must not reach a server on loopback through a
// name that it made point there), origins, and how often.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/api_error.h"

namespace sluice::server {

struct ApiKey {
    std::string name{}, secret{};
};

struct AccessOptions {
    std::vector<ApiKey> keys{};               // none: nobody needs one
    std::vector<std::string> hosts{};         // names by which the server may be called, besides loopback's
    bool any_host = false;                    // bound for the network: called by whatever name it has there
    std::vector<std::string> cors_origins{};  // origins of other sites that may ask; "*": any
    uint32_t requests_per_minute = 0;         // of each key (without keys: of each address); 0: any number
};

/// Keys from a file: one on each line, or a name and a key; lines that begin with # are comments. Throws
/// Error naming file and line.
std::vector<ApiKey> read_api_keys(const std::string& path);

class Access {
  public:
    explicit Access(AccessOptions options) : options_(std::move(options)) {}

    /// Throws ApiError if the request's Host or Origin is not allowed.
    void check_site(const HttpRequest& request) const;
    /// The name of the request's key (the address without keys); throws ApiError if it has none that is
    /// valid.
    std::string check_key(const HttpRequest& request) const;
    /// Throws ApiError (rate_limited) if `who` asked too often.
    void count(const std::string& who);
    /// The headers that let a page of an allowed origin read the reply.
    HttpHeaders cors_headers(const HttpRequest& request) const;

  private:
    bool host_allowed(std::string_view host) const;
    bool origin_allowed(std::string_view origin) const;

    struct Bucket {
        double tokens = 0;
        std::chrono::steady_clock::time_point filled{};
    };
    AccessOptions options_;
    std::mutex mutex_;
    std::map<std::string, Bucket> buckets_;
};

}  // namespace sluice::server
