// Ollama's interface: /api/chat, /api/generate, /api/embed, /api/show, /api/tags, /api/ps, /api/version.
#pragma once

#include <memory>
#include <string>

#include "server/exchange.h"
#include "server/model_service.h"

namespace sluice::server {

void ollama_chat(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void ollama_generate(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void ollama_embed(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void ollama_show(ModelService& model, Exchange& exchange);
void ollama_tags(ModelService& model, Exchange& exchange);
void ollama_ps(ModelService& model, Exchange& exchange);
void ollama_version(const std::string& version, Exchange& exchange);

}  // namespace sluice::server
