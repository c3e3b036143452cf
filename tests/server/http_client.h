// A bare HTTP client for tests: it sends exactly the bytes it is given, whole or drop by drop, and takes
// replies apart without mercy. Nothing waits longer than a test may.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace sluice::test {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Event {
    std::string name{}, data{};
    Json json() const { return Json::parse(data); }
};

struct Reply {
    int status = 0;
    std::map<std::string, std::string> headers{};  // names in lower case
    std::string body{};                            // chunks put together
    bool complete = false;                         // it ended as its head said
    std::string header(const std::string& name) const;
    Json json() const { return Json::parse(body); }
    /// Server-sent events without comments.
    std::vector<Event> events() const;
    /// One JSON value a line.
    std::vector<Json> lines() const;
};

class Connection {
  public:
    explicit Connection(uint16_t port);
    ~Connection();
    Connection(Connection&& other) noexcept;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// False if the server has closed.
    bool send(std::string_view bytes);
    void send_request(const std::string& method, const std::string& path, const std::string& body = "",
                      const Headers& headers = {});
    /// One reply; a later one on the same connection may follow. Throws if it does not come in time.
    Reply read_reply(std::chrono::milliseconds limit = 60s, bool head_only = false);
    /// Reads until what came so far contains the text; false if the stream ends or time runs out.
    bool wait_for(std::string_view text, std::chrono::milliseconds limit = 60s);
    /// True if the server closes (or resets) within that time.
    bool closes(std::chrono::milliseconds limit = 20s);
    const std::string& received() const { return received_; }
    /// As a client that is killed: with a reset if asked for, else with an end of the stream.
    void leave(bool reset = false);
    /// No more is sent; replies are still read.
    void end_input();

  private:
    bool read_some(std::chrono::steady_clock::time_point until);

    int fd_ = -1;
    bool ended_ = false;
    std::string received_;  // and not taken yet
};

/// A connection for one request.
Reply request(uint16_t port, const std::string& method, const std::string& path, const std::string& body = "",
              const Headers& headers = {});
inline Reply get(uint16_t port, const std::string& path, const Headers& headers = {}) {
    return request(port, "GET", path, "", headers);
}
inline Reply post(uint16_t port, const std::string& path, const Json& body, const Headers& headers = {}) {
    return request(port, "POST", path, body.dump(), headers);
}

}  // namespace sluice::test
