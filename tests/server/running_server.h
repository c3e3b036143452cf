// A server of Rill inside the test's process, on a free port of loopback.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/engine.h"

#include "http_client.h"
#include "server/listen_socket.h"
#include "server/server.h"

namespace sluice::test {

/// Opened once for all tests of a process.
inline const Engine& rill_engine() {
    static const Engine engine = Engine::open(SLUICE_MODELS "/rill-q8_0.gguf");
    return engine;
}

/// One question, for an interface that takes OpenAI's form.
inline Json question(const std::string& text, Json more = Json::object()) {
    Json body = {
        {"model", "rill"}, {"temperature", 0}, {"messages", {{{"role", "user"}, {"content", text}}}}};
    body.update(more);
    return body;
}
/// A request that is answered for as long as anybody listens (well over a second).
inline Json endless(Json more = Json::object()) {
    Json body = question("Tell me a story.", {{"ignore_eos", true}, {"stream", true}, {"max_tokens", 4000}});
    body.update(more);
    return body;
}

class RunningServer {
  public:
    explicit RunningServer(server::ServerOptions options = {}, SchedulerOptions scheduler = {},
                           bool load = true, const Engine& engine = rill_engine())
        : engine_(engine) {
        options.listen_fd = server::open_listener("127.0.0.1", 0);
        options.version = "0.0.test";
        options.log = [this](const std::string& line) {
            std::lock_guard lock(mutex_);
            log_.push_back(line);
        };
        server_ = std::make_unique<server::Server>(std::move(options));
        if (load) this->load(scheduler);
    }
    void load(const SchedulerOptions& scheduler = {}) {
        model_ = std::make_shared<server::ModelService>(engine_, scheduler, std::vector<std::string>{"rill"});
        server_->serve(model_);
    }
    uint16_t port() const { return server_->port(); }
    server::Server& server() { return *server_; }
    server::ModelService& model() { return *model_; }
    /// What runs and waits.
    uint64_t requests_at_work() const {
        const SchedulerStats s = model_->scheduler().stats();
        return s.waiting + s.reading + s.answering;
    }
    std::vector<std::string> log() const {
        std::lock_guard lock(mutex_);
        return log_;
    }
    void stop() { server_.reset(); }

  private:
    Engine engine_;
    mutable std::mutex mutex_;
    std::vector<std::string> log_;
    std::shared_ptr<server::ModelService> model_;
    std::unique_ptr<server::Server> server_;
};

/// Looks every few milliseconds.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 20s) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

class ServerTest : public testing::Test {
  protected:
    RunningServer running;
    uint16_t port = running.port();
};

inline server::ServerOptions limits(server::HttpLimits l) {
    server::ServerOptions o;
    o.limits = l;
    return o;
}

}  // namespace sluice::test
