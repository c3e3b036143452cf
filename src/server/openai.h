// OpenAI's interfaces: /v1/models, /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses.
#pragma once

#include <memory>

#include "server/exchange.h"
#include "server/json_fields.h"
#include "server/model_service.h"
#include "server/response_store.h"

namespace sluice::server {

void list_models(ModelService& model, Exchange& exchange);
void show_model(ModelService& model, Exchange& exchange, std::string_view id);
void chat_completions(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void completions(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void embeddings(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key);
void responses(ModelService& model, ResponseStore& store, const std::shared_ptr<Exchange>& exchange,
               const std::string& key);
void get_response(ResponseStore& store, Exchange& exchange, const std::string& id);
void delete_response(ResponseStore& store, Exchange& exchange, const std::string& id);

// What they share.

/// A body as chat completions takes it: messages, tools, tool_choice, response_format, sampling, thinking.
AnswerRequest read_chat(const Fields& body, const ModelService& model);
/// "messages", "tools" and "chat_template_kwargs" alone: what a template renders.
ChatRequest read_chat_messages(const Fields& body);
/// A tool in the form {"type": "function", "function": {…}}, checked. `path` for errors.
Json read_function_tool(const Fields& tool);
/// Throws ApiError if it is a tool of another type than "function".
void check_is_function(const Fields& tool);
/// A text, or an array of parts of which only texts are known.
std::string read_content(const Json& content, const std::string& path);
const char* finish_reason(const AnswerEnd& end);
Json usage_json(const AnswerEnd& total);
Json tool_calls_json(const std::vector<ToolCall>& calls);

}  // namespace sluice::server
