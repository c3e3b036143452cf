// The fields that choose tokens and end an answer, as OpenAI's interfaces and their local relatives name
// them.
#pragma once

#include "server/json_fields.h"
#include "server/model_service.h"

namespace sluice::server {

/// What the model's file recommends, changed by the fields that are there: temperature, top_p, top_k, min_p,
/// typical_p, penalties, seed, logit_bias, stop. A seed nobody gave is drawn.
GenerateOptions read_sampling(const Fields& body, const ModelService& model);
/// "stop": a text or an array of at most 16.
std::vector<std::string> read_stop(const Fields& body, std::string_view name);
/// "grammar": GBNF that the answer must follow, as llama.cpp's server has it.
void read_grammar(const Fields& body, AnswerRequest& r);
/// Tokens to think for: "none", "minimal", "low", "medium", "high"; high is any number (-1).
int64_t thinking_budget_of(const std::string& effort);
/// Sets the budget and tells the template, for efforts and "none" alike.
void apply_thinking(ChatRequest& chat, GenerateOptions& options, int64_t budget, const std::string& effort);

inline const std::vector<std::string> efforts = {"none", "minimal", "low", "medium", "high", "xhigh"};

}  // namespace sluice::server
