// GET /v1/models
#include <fmt/format.h>

#include "server/openai.h"

namespace sluice::server {

namespace {

Json model_json(const ModelService& model) {
    const EngineInfo& info = model.engine().info();
    return {{"id", model.id()},
            {"object", "model"},
            {"created", model.created()},
            {"owned_by", "sluice"},
            {"meta",
             {{"name", info.name},
              {"architecture", info.architecture},
              {"parameters", info.parameters},
              {"context", model.scheduler().context()},
              {"vocabulary", info.n_vocab},
              {"bytes", info.file_bytes}}}};
}

}  // namespace

void list_models(ModelService& model, Exchange& exchange) {
    exchange.respond({.body = dump({{"object", "list"}, {"data", Json::array({model_json(model)})}})});
}

void show_model(ModelService& model, Exchange& exchange, std::string_view id) {
    model.check_name(id);
    exchange.respond({.body = dump(model_json(model))});
}

}  // namespace sluice::server
