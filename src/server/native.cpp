#include "server/native.h"

#include <fmt/format.h>

#include "server/json_fields.h"
#include "server/openai.h"

namespace sluice::server {

void tokenize(ModelService& model, Exchange& exchange) {
    const Json json = parse_body(exchange.request().body);
    const Fields body(json, "");
    const std::string content = body.need_text("content");
    std::vector<TokenId> ids = model.engine().tokenize(content, body.boolean("parse_special", true));
    const auto& special = model.tokenizer().special();
    if (body.boolean("add_special", false) && special.add_bos && special.bos >= 0)
        ids.insert(ids.begin(), special.bos);
    Json reply = {{"tokens", ids}};
    if (body.boolean("with_pieces", false)) {
        reply["tokens"] = Json::array();
        for (const TokenId id : ids) reply["tokens"].push_back({{"id", id}, {"piece", model.token_text(id)}});
    }
    exchange.respond({.body = dump(reply)});
}

void detokenize(ModelService& model, Exchange& exchange) {
    const Json json = parse_body(exchange.request().body);
    const Fields body(json, "");
    const Json* tokens = body.array("tokens", 1 << 22);
    if (!tokens) body.fail("tokens", "an array of token ids");
    std::vector<TokenId> ids;
    for (size_t i = 0; i < tokens->size(); ++i) {
        const Json& t = (*tokens)[i];
        if (!t.is_number_unsigned() || t.get<uint64_t>() >= model.tokenizer().size())
            throw ApiError(Refusal::invalid,
                           fmt::format("expected tokens[{}] to be a token id from 0 to {}, found {}", i,
                                       model.tokenizer().size() - 1, shown(t)),
                           fmt::format("tokens[{}]", i));
        ids.push_back(t.get<TokenId>());
    }
    exchange.respond({.body = dump({{"content", model.engine().detokenize(ids, true)}})});
}

void apply_template(ModelService& model, Exchange& exchange) {
    const Json json = parse_body(exchange.request().body);
    const Fields body(json, "");
    ChatRequest chat = read_chat_messages(body);
    chat.add_generation_prompt = body.boolean("add_generation_prompt", true);
    const Prompt prompt = model.render(chat);
    exchange.respond({.body = dump({{"prompt", prompt.text}, {"tokens", prompt.tokens}})});
}

}  // namespace sluice::server
