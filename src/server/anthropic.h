// Anthropic's interface: /v1/messages and /v1/messages/count_tokens.
#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/model_service.h"
#include "server/response_store.h"

namespace sluice::server {

/// `threads`: conversations that the server holds for its clients ("thread" of a request).
void messages(ModelService& model, ResponseStore& threads, const std::shared_ptr<Exchange>& exchange,
              const std::string& key);
void count_tokens(ModelService& model, ResponseStore& threads, Exchange& exchange);

}  // namespace sluice::server
