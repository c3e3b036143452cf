// /metrics in Prometheus' text format.
#pragma once

#include <string>

#include "server/model_service.h"

namespace sluice::server {

struct HttpCounts {
    uint64_t connections = 0, requests = 0, refused = 0, responses_bytes = 0;
};
std::string metrics_text(ModelService& model, const HttpCounts& http);

}  // namespace sluice::server
