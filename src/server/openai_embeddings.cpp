// POST /v1/embeddings
#include <cstring>

#include "server/base64.h"
#include "server/embedding.h"
#include "server/openai.h"

namespace sluice::server {

void embeddings(ModelService& model, const std::shared_ptr<Exchange>& exchange, const std::string& key) {
    const Json json = parse_body(exchange->request().body);
    const Fields body(json, "");
    model.check_name(body.text("model").value_or(""));
    const bool as_base64 = body.choice("encoding_format", {"float", "base64"}).value_or("float") == "base64";
    const auto dimensions = body.integer("dimensions", 1, INT32_MAX);
    if (dimensions && *dimensions != model.engine().info().n_embd)
        body.unsupported("dimensions", "this model's embeddings cannot be shortened; leave dimensions out");
    embed(model, exchange, key, ApiFamily::openai, read_embedding_inputs(body, "input", model),
          [&model, as_base64](const Embedded& e) {
              Json data = Json::array();
              for (size_t i = 0; i < e.vectors.size(); ++i) {
                  const auto& v = e.vectors[i];
                  Json entry = {{"object", "embedding"}, {"index", i}};
                  if (as_base64)
                      entry["embedding"] =
                          base64({reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float)});
                  else
                      entry["embedding"] = v;
                  data.push_back(std::move(entry));
              }
              return Json{{"object", "list"},
                          {"data", std::move(data)},
                          {"model", model.id()},
                          {"usage", {{"prompt_tokens", e.tokens}, {"total_tokens", e.tokens}}}};
          });
}

}  // namespace sluice::server
