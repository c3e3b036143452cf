#include "server/access.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include <fmt/format.h>

#include "core/fail.h"

namespace sluice::server {

namespace {

/// Takes the same time wherever the texts differ.
bool same_secret(std::string_view given, std::string_view secret) {
    size_t difference = given.size() ^ secret.size();
    for (size_t i = 0; i < given.size(); ++i)
        difference |= size_t(static_cast<unsigned char>(given[i] ^ secret[i % secret.size()]));
    return difference == 0;
}

/// "localhost:8080" and "[::1]:8080" without the port, in lower case.
std::string host_name(std::string_view host) {
    const size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos &&
        (host.find(':') == colon || host.starts_with('[')))
        host = host.substr(0, colon);
    std::string r(host);
    for (char& c : r)
        if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    if (r.ends_with('.')) r.pop_back();
    return r;
}

std::string_view origin_host(std::string_view origin) {
    const size_t at = origin.find("://");
    return at == std::string_view::npos ? std::string_view() : origin.substr(at + 3);
}

}  // namespace

std::vector<ApiKey> read_api_keys(const std::string& path) {
    std::ifstream in(path);
    if (!in) fail(ErrorCode::io, "could not read the API keys from {}", path);
    std::vector<ApiKey> keys;
    std::string line;
    for (size_t number = 1; std::getline(in, line); ++number) {
        std::vector<std::string> words;
        size_t at = 0;
        while ((at = line.find_first_not_of(" \t\r", at)) != std::string::npos) {
            const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
            words.push_back(line.substr(at, end - at));
            at = end;
        }
        if (words.empty() || words[0].starts_with('#')) continue;
        if (words.size() > 2)
            fail(ErrorCode::invalid_argument,
                 "expected a key, or a name and a key, on line {} of {}, found {} words", number, path,
                 words.size());
        if (words.size() == 2)
            keys.push_back({words[0], words[1]});
        else
            keys.push_back({fmt::format("key{}", keys.size() + 1), words[0]});
    }
    if (keys.empty())
        fail(ErrorCode::invalid_argument, "expected at least one API key in {}, found none", path);
    return keys;
}

bool Access::host_allowed(std::string_view host) const {
    if (options_.any_host) return true;
    const std::string name = host_name(host);
    if (name == "localhost" || name == "127.0.0.1" || name == "[::1]" || name.ends_with(".localhost"))
        return true;
    return std::find(options_.hosts.begin(), options_.hosts.end(), name) != options_.hosts.end();
}

bool Access::origin_allowed(std::string_view origin) const {
    return std::any_of(options_.cors_origins.begin(), options_.cors_origins.end(),
                       [&](const std::string& o) { return o == "*" || o == origin; });
}

void Access::check_site(const HttpRequest& request) const {
    const std::string_view host = request.header("host"), origin = request.header("origin");
    if (!host_allowed(host))
        throw ApiError(Refusal::forbidden,
                       fmt::format("this server does not go by the name {}; --allow-host adds one",
                                   host.empty() ? "\"\"" : host.substr(0, 100)));
    if (!origin.empty() && origin_host(origin) != host && !origin_allowed(origin))
        throw ApiError(Refusal::forbidden,
                       fmt::format("pages of {} may not ask this server; --cors-origin allows one",
                                   origin.substr(0, 100)));
}

std::string Access::check_key(const HttpRequest& request) const {
    if (options_.keys.empty()) return request.peer;
    std::string_view given = request.header("authorization");
    if (given.size() > 7 && (given.starts_with("Bearer ") || given.starts_with("bearer ")))
        given.remove_prefix(7);
    else
        given = request.header("x-api-key");
    const ApiKey* found = nullptr;
    for (const ApiKey& key : options_.keys)
        if (same_secret(given, key.secret)) found = &key;
    if (!found)
        throw ApiError(Refusal::unauthorized,
                       given.empty() ? "this server needs an API key: send Authorization: Bearer KEY"
                                     : "the API key is not one of this server's");
    return found->name;
}

void Access::count(const std::string& who) {
    if (options_.requests_per_minute == 0) return;
    const double most = options_.requests_per_minute, per_second = most / 60;
    const auto now = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    constexpr size_t most_buckets = 100'000;
    if (buckets_.size() > most_buckets) buckets_.clear();
    const auto [entry, is_new] = buckets_.try_emplace(who, Bucket{most, now});
    Bucket& b = entry->second;
    b.tokens = std::min(most, b.tokens + per_second * std::chrono::duration<double>(now - b.filled).count());
    b.filled = now;
    if (b.tokens < 1)
        throw ApiError(
            Refusal::rate_limited,
            fmt::format("more than {} requests a minute; try again later", options_.requests_per_minute), {},
            int(std::ceil((1 - b.tokens) / per_second)));
    b.tokens -= 1;
}

HttpHeaders Access::cors_headers(const HttpRequest& request) const {
    const std::string_view origin = request.header("origin");
    if (origin.empty() || !origin_allowed(origin)) return {};
    return {{"Access-Control-Allow-Origin", std::string(origin)}, {"Vary", "Origin"}};
}

}  // namespace sluice::server
