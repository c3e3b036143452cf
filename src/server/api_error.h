// Why a request is refused, and how each family of interfaces says it.
#pragma once

#include <stdexcept>
#include <string>

#include "sluice/error.h"

#include "server/exchange.h"

namespace sluice::server {

enum class Refusal {
    invalid,       // 400
    unauthorized,  // 401
    forbidden,     // 403
    not_found,     // 404
    wrong_method,  // 405
    too_large,     // 413
    rate_limited,  // 429
    internal,      // 500
    unavailable,   // 503
    too_long,      // 400: more tokens than the context holds
    unsupported,   // 400: something Sluice does not do
};

class ApiError : public std::runtime_error {
  public:
    ApiError(Refusal refusal, const std::string& sentence, std::string param = {}, int retry_after = 0)
        : std::runtime_error(sentence),
          refusal_(refusal),
          param_(std::move(param)),
          retry_after_(retry_after) {}
    /// An error of the engine, as a request's.
    static ApiError from(ErrorCode code, const std::string& sentence);

    Refusal refusal() const { return refusal_; }
    int status() const;
    /// The request's field that is wrong ("messages[1].content"); may be empty.
    const std::string& param() const { return param_; }
    /// Seconds after which to try again; 0: not said.
    int retry_after() const { return retry_after_; }
    /// A word that a family's clients look for, besides the kind of error; may be empty.
    const std::string& detail() const { return detail_; }
    ApiError& with_detail(std::string detail) {
        detail_ = std::move(detail);
        return *this;
    }

  private:
    Refusal refusal_;
    std::string param_, detail_;
    int retry_after_;
};

/// Who will read the reply: each has its own shape of errors.
enum class ApiFamily { openai, anthropic, ollama };
/// The family that a path belongs to.
ApiFamily family_of(std::string_view path);
/// The JSON of an error; also what a stream carries that fails after its first byte.
std::string error_json(ApiFamily family, const ApiError& error);
HttpReply error_reply(ApiFamily family, const ApiError& error);

}  // namespace sluice::server
