// Texts as vectors: the mean of the model's last hidden states, of length 1.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/api_error.h"
#include "server/exchange.h"
#include "server/json_fields.h"
#include "server/model_service.h"

namespace sluice::server {

struct Embedded {
    std::vector<std::vector<float>> vectors{};
    uint64_t tokens = 0;
    double seconds = 0;
};

/// "input" as texts or token ids, one or several. Throws ApiError.
std::vector<std::vector<TokenId>> read_embedding_inputs(const Fields& body, std::string_view name,
                                                        const ModelService& model);

/// Computes all inputs, a few at a time, and replies with build(result) or the first error.
void embed(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key,
           ApiFamily family, std::vector<std::vector<TokenId>> inputs,
           std::function<Json(const Embedded&)> build);

}  // namespace sluice::server
