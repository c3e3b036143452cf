// The server: listens at once, says "loading" until it is given a model, then answers by it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "server/access.h"
#include "server/http_server.h"
#include "server/model_service.h"
#include "server/response_store.h"

namespace sluice::server {

class StatsFeed;

/// For EngineOptions::set_aside: what the server keeps in memory itself.
MemoryPart responses_part();

struct ServerOptions {
    int listen_fd = -1;  // owned from now on
    AccessOptions access{};
    HttpLimits limits{};
    std::string tls_certificate{}, tls_key{};  // PEM texts
    std::string version{};
    std::function<void(const std::string&)> log{};  // lines without prompts and answers; from any thread
    bool log_prompts = false;                       // lines with them
};

class Server {
  public:
    explicit Server(ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// For /health while weights are read.
    void loading(uint64_t processed, uint64_t total);
    /// From now on requests are answered.
    void serve(std::shared_ptr<ModelService> model);
    uint16_t port() const { return port_; }
    /// Accepts nothing new; waits until what is there is answered, at most so long. False if something was
    /// cut.
    bool drain(std::chrono::seconds most);

  private:
    struct Call {
        const std::shared_ptr<Exchange>& exchange;
        Server& server;
        ModelService* model;  // none while it is loaded
    };
    struct Route {
        const char *method, *path;  // a path that ends in * matches what follows, too
        bool open;                  // needs neither key nor model
        void (*handle)(const Call&);
    };
    static const Route routes[];

    const Route* find_route(const HttpRequest& request, bool& path_known) const;
    std::optional<HttpReply> admit(Exchange& exchange);
    void check(Exchange& exchange);
    void handle(const std::shared_ptr<Exchange>& exchange);
    void health(Exchange& exchange) const;
    void ready(Exchange& exchange) const;
    void metrics(Exchange& exchange, ModelService& model) const;

    ServerOptions options_;
    Access access_;
    ResponseStore responses_, threads_;
    uint16_t port_;
    std::atomic<bool> draining_{false};
    std::atomic<uint64_t> loaded_{0}, to_load_{0}, refused_{0};
    mutable std::mutex model_mutex_;
    std::shared_ptr<ModelService> model_;  // none while it is loaded
    std::unique_ptr<StatsFeed> stats_;
    std::unique_ptr<HttpServer> http_;  // last: its threads use the others
};

}  // namespace sluice::server
