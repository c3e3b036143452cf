// /tokenize, /detokenize, /apply-template: what llama.cpp's server has under these names.
#pragma once

#include "server/exchange.h"
#include "server/model_service.h"

namespace sluice::server {

void tokenize(ModelService& model, Exchange& exchange);
void detokenize(ModelService& model, Exchange& exchange);
void apply_template(ModelService& model, Exchange& exchange);

}  // namespace sluice::server
