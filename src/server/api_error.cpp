#include "server/api_error.h"

#include <nlohmann/json.hpp>

namespace sluice::server {

namespace {

struct Row {
    Refusal refusal;
    int status;
    const char *openai_type, *openai_code, *anthropic_type;
};
constexpr Row rows[] = {
    {Refusal::invalid, 400, "invalid_request_error", "invalid_value", "invalid_request_error"},
    {Refusal::unauthorized, 401, "authentication_error", "invalid_api_key", "authentication_error"},
    {Refusal::forbidden, 403, "permission_error", "forbidden", "permission_error"},
    {Refusal::not_found, 404, "invalid_request_error", "not_found", "not_found_error"},
    {Refusal::wrong_method, 405, "invalid_request_error", "method_not_allowed", "invalid_request_error"},
    {Refusal::too_large, 413, "invalid_request_error", "request_too_large", "request_too_large"},
    {Refusal::rate_limited, 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"},
    {Refusal::internal, 500, "server_error", "internal_error", "api_error"},
    {Refusal::unavailable, 503, "server_error", "unavailable", "overloaded_error"},
    {Refusal::too_long, 400, "invalid_request_error", "context_length_exceeded", "invalid_request_error"},
    {Refusal::unsupported, 400, "invalid_request_error", "unsupported_value", "invalid_request_error"},
};

const Row& row_of(Refusal refusal) {
    return rows[size_t(refusal)];
}

}  // namespace

ApiError ApiError::from(ErrorCode code, const std::string& sentence) {
    switch (code) {
        case ErrorCode::invalid_argument:
        case ErrorCode::invalid_file:
            return {Refusal::invalid, sentence};
        case ErrorCode::unsupported:
            return {Refusal::unsupported, sentence};
        case ErrorCode::out_of_budget:
            return {Refusal::too_long, sentence};
        case ErrorCode::busy:
            return {Refusal::unavailable, sentence, {}, 5};
        case ErrorCode::cancelled:
            return {Refusal::unavailable, sentence};
        case ErrorCode::io:
        case ErrorCode::internal:
            break;
    }
    return {Refusal::internal, sentence};
}

int ApiError::status() const {
    return row_of(refusal_).status;
}

ApiFamily family_of(std::string_view path) {
    if (path.starts_with("/v1/messages")) return ApiFamily::anthropic;
    if (path.starts_with("/api/")) return ApiFamily::ollama;
    return ApiFamily::openai;
}

std::string error_json(ApiFamily family, const ApiError& error) {
    const Row& row = row_of(error.refusal());
    nlohmann::ordered_json j;
    switch (family) {
        case ApiFamily::openai:
            j["error"] = {{"message", error.what()},
                          {"type", row.openai_type},
                          {"param", nullptr},
                          {"code", row.openai_code}};
            if (!error.param().empty()) j["error"]["param"] = error.param();
            break;
        case ApiFamily::anthropic:
            j = {{"type", "error"}, {"error", {{"type", row.anthropic_type}, {"message", error.what()}}}};
            if (!error.detail().empty()) j["error"]["details"] = {{"error_code", error.detail()}};
            break;
        case ApiFamily::ollama:
            j["error"] = error.what();
            break;
    }
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HttpReply error_reply(ApiFamily family, const ApiError& error) {
    HttpReply reply{.status = error.status(), .body = error_json(family, error)};
    if (error.retry_after()) reply.headers.emplace_back("Retry-After", std::to_string(error.retry_after()));
    if (error.refusal() == Refusal::unauthorized) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
    return reply;
}

}  // namespace sluice::server
