#include "server/server.h"

#include <ctime>

#include <fmt/format.h>

#include "server/anthropic.h"
#include "server/listen_socket.h"
#include "server/metrics.h"
#include "server/native.h"
#include "server/ollama.h"
#include "server/openai.h"
#include "server/page.h"
#include "server/stats.h"

namespace sluice::server {

/// Every address of the server.
const Server::Route Server::routes[] = {
    {"GET", "/", true, [](const Call& c) { c.exchange->respond(page()); }},
    {"GET", "/health", true, [](const Call& c) { c.server.health(*c.exchange); }},
    {"GET", "/ready", true, [](const Call& c) { c.server.ready(*c.exchange); }},
    {"GET", "/metrics", false, [](const Call& c) { c.server.metrics(*c.exchange, *c.model); }},
    {"GET", "/stats", false, [](const Call& c) { c.server.stats_->join(c.exchange); }},
    {"POST", "/tokenize", false, [](const Call& c) { tokenize(*c.model, *c.exchange); }},
    {"POST", "/detokenize", false, [](const Call& c) { detokenize(*c.model, *c.exchange); }},
    {"POST", "/apply-template", false, [](const Call& c) { apply_template(*c.model, *c.exchange); }},

    {"GET", "/v1/models", false, [](const Call& c) { list_models(*c.model, *c.exchange); }},
    {"GET", "/v1/models/*", false,
     [](const Call& c) { show_model(*c.model, *c.exchange, c.exchange->request().path.substr(11)); }},
    {"POST", "/v1/chat/completions", false,
     [](const Call& c) { chat_completions(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/v1/completions", false,
     [](const Call& c) { completions(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/v1/embeddings", false,
     [](const Call& c) { embeddings(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/v1/responses", false,
     [](const Call& c) { responses(*c.model, c.server.responses_, c.exchange, c.exchange->asker); }},
    {"GET", "/v1/responses/*", false,
     [](const Call& c) {
         get_response(c.server.responses_, *c.exchange, c.exchange->request().path.substr(14));
     }},
    {"DELETE", "/v1/responses/*", false,
     [](const Call& c) {
         delete_response(c.server.responses_, *c.exchange, c.exchange->request().path.substr(14));
     }},

    {"POST", "/v1/messages", false,
     [](const Call& c) { messages(*c.model, c.server.threads_, c.exchange, c.exchange->asker); }},
    {"POST", "/v1/messages/count_tokens", false,
     [](const Call& c) { count_tokens(*c.model, c.server.threads_, *c.exchange); }},

    {"POST", "/api/chat", false, [](const Call& c) { ollama_chat(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/api/generate", false,
     [](const Call& c) { ollama_generate(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/api/embed", false,
     [](const Call& c) { ollama_embed(*c.model, c.exchange, c.exchange->asker); }},
    {"POST", "/api/show", false, [](const Call& c) { ollama_show(*c.model, *c.exchange); }},
    {"GET", "/api/tags", false, [](const Call& c) { ollama_tags(*c.model, *c.exchange); }},
    {"GET", "/api/ps", false, [](const Call& c) { ollama_ps(*c.model, *c.exchange); }},
    {"GET", "/api/version", false,
     [](const Call& c) { ollama_version(c.server.options_.version, *c.exchange); }},
};

Server::Server(ServerOptions options)
    : options_(std::move(options)), access_(options_.access), port_(port_of(options_.listen_fd)) {
    stats_ = std::make_unique<StatsFeed>([this] { return responses_.bytes(); });
    HttpOptions http;
    http.listen_fd = options_.listen_fd;
    http.limits = options_.limits;
    http.tls_certificate = options_.tls_certificate;
    http.tls_key = options_.tls_key;
    http.admit = [this](Exchange& e) { return admit(e); };
    http.too_large = [this](Exchange& e) {
        return error_reply(
            family_of(e.request().path),
            ApiError(Refusal::too_large, fmt::format("expected a body of at most {} bytes, found more",
                                                     options_.limits.body_bytes)));
    };
    http.handle = [this](const std::shared_ptr<Exchange>& e) { handle(e); };
    http.log = options_.log;
    http_ = std::make_unique<HttpServer>(std::move(http));
}

/// First the connections go, then the feed and the model that they use.
Server::~Server() {
    http_.reset();
}

void Server::loading(uint64_t processed, uint64_t total) {
    loaded_ = processed;
    to_load_ = total;
}

MemoryPart responses_part() {
    return {"responses kept for previous_response_id, at most", ResponseStore::usual_bytes};
}

void Server::serve(std::shared_ptr<ModelService> model) {
    for (const MemoryPart& part : model->engine().info().set_aside)
        if (part.what == responses_part().what) responses_.limit(part.bytes);
    stats_->use(model);
    std::lock_guard lock(model_mutex_);
    model_ = std::move(model);
}

bool Server::drain(std::chrono::seconds most) {
    draining_ = true;
    http_->stop_accepting();
    stats_->stop();
    const auto until = std::chrono::steady_clock::now() + most;
    while (http_->exchanges() > 0) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

const Server::Route* Server::find_route(const HttpRequest& request, bool& path_known) const {
    path_known = false;
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
    for (const Route& route : routes) {
        const std::string_view path = route.path;
        const bool fits = path.ends_with('*') ? request.path.size() > path.size() - 1 &&
                                                    request.path.starts_with(path.substr(0, path.size() - 1))
                                              : request.path == path;
        if (!fits) continue;
        path_known = true;
        if (method == route.method) return &route;
    }
    return nullptr;
}

std::optional<HttpReply> Server::admit(Exchange& exchange) {
    exchange.add_header("X-Content-Type-Options", "nosniff");
    try {
        access_.check_site(exchange.request());
        for (auto& [name, value] : access_.cors_headers(exchange.request())) exchange.add_header(name, value);
        if (exchange.request().method == "OPTIONS")
            return HttpReply{.status = 204,
                             .type = "",
                             .headers = {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
                                         {"Access-Control-Allow-Headers", "*, Authorization"},
                                         {"Access-Control-Max-Age", "3600"}}};
        check(exchange);
        return std::nullopt;
    } catch (const ApiError& e) {
        ++refused_;
        return error_reply(family_of(exchange.request().path), e);
    }
}

void Server::check(Exchange& exchange) {
    const HttpRequest& request = exchange.request();
    bool path_known = false;
    const Route* route = find_route(request, path_known);
    if (!route && !path_known)
        throw ApiError(Refusal::not_found, fmt::format("there is no {} here; docs/server.md lists what is",
                                                       request.path.substr(0, 100)));
    if (!route)
        throw ApiError(Refusal::wrong_method,
                       fmt::format("{} does not take {}", request.path, request.method.substr(0, 20)));
    if (route->open) return;
    exchange.asker = access_.check_key(request);
    exchange.note("asker", exchange.asker);
    exchange.log_texts = options_.log_prompts;
    if (request.method == "POST") access_.count(exchange.asker);
    if (draining_) throw ApiError(Refusal::unavailable, "the server is stopping", {}, 10);
    std::lock_guard lock(model_mutex_);
    if (!model_) throw ApiError(Refusal::unavailable, "the model is being loaded", {}, 5);
}

void Server::handle(const std::shared_ptr<Exchange>& exchange) {
    const ApiFamily family = family_of(exchange->request().path);
    try {
        std::shared_ptr<ModelService> model;
        {
            std::lock_guard lock(model_mutex_);
            model = model_;
        }
        bool path_known = false;
        const Route* route = find_route(exchange->request(), path_known);
        // Those that are open to all look at no model.
        route->handle({exchange, *this, model.get()});
    } catch (const ApiError& e) {
        ++refused_;
        exchange->respond(error_reply(family, e));
    } catch (const Error& e) {
        exchange->respond(error_reply(family, ApiError::from(e.code(), e.what())));
    } catch (const std::bad_alloc&) {
        exchange->respond(error_reply(family, ApiError(Refusal::internal, "the system refused memory")));
    } catch (const std::exception& e) {
        exchange->respond(
            error_reply(family, ApiError(Refusal::internal, fmt::format("internal error: {}", e.what()))));
    }
}

void Server::health(Exchange& exchange) const {
    std::lock_guard lock(model_mutex_);
    if (model_) {
        exchange.respond({.body = R"({"status":"ok"})"});
        return;
    }
    Json body = {{"status", "loading"}};
    if (to_load_)
        body["progress"] = {
            {"stage", "reading weights"}, {"processed", loaded_.load()}, {"total", to_load_.load()}};
    exchange.respond({.status = 503, .body = dump(body), .headers = {{"Retry-After", "1"}}});
}

void Server::ready(Exchange& exchange) const {
    std::lock_guard lock(model_mutex_);
    const bool ready = model_ && !draining_;
    exchange.respond({.status = ready ? 200 : 503,
                      .body = ready       ? R"({"status":"ready"})"
                              : draining_ ? R"({"status":"stopping"})"
                                          : R"({"status":"loading"})"});
}

void Server::metrics(Exchange& exchange, ModelService& model) const {
    exchange.respond({.type = "text/plain; version=0.0.4; charset=utf-8",
                      .body = metrics_text(model, {.connections = http_->connections(),
                                                   .requests = http_->requests(),
                                                   .refused = refused_,
                                                   .responses_bytes = responses_.bytes()})});
}

}  // namespace sluice::server
