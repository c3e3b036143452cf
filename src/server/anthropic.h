// Anthropic's interface: /v1/messages and /v1/messages/count_tokens.
#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/model_service.h"

namespace sluice::server {

void messages(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void count_tokens(ModelService& model, Exchange& exchange);

}  // namespace sluice::server
