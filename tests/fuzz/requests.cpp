// libFuzzer target: any bytes as the body of a request, to each of the interfaces (the first byte chooses).
// Bodies are read, rendered by Rill's template and tokenised; the scheduler is kept full, so that nothing is
// computed: whatever comes, the outcome is a reply or an ApiError that says what is wrong.
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include "server/anthropic.h"
#include "server/native.h"
#include "server/ollama.h"
#include "server/openai.h"
#include "server/response_store.h"

namespace {

using namespace sluice;
using namespace sluice::server;

/// One request holds the only place, and its asker never comes back from its first event.
ModelService& busy_model() {
    static ModelService* const model = [] {
        const Engine engine = Engine::open(SLUICE_MODELS "/rill-q8_0.gguf", {.threads = 1});
        auto* service = new ModelService(engine, {.parallel = 1, .queue = 0}, {"rill"});
        struct Gate {
            std::mutex mutex;
            std::condition_variable changed;
            bool held = false;
        };
        static Gate& gate = *new Gate;  // for ever: a thread waits in it until the process ends
        Request request;
        request.prompt = engine.tokenize_prompt("x");
        request.on_event = [](const RequestEvent&) {
            std::unique_lock lock(gate.mutex);
            gate.held = true;
            gate.changed.notify_all();
            gate.changed.wait(lock, [] { return false; });
        };
        service->scheduler().submit(std::move(request));
        std::unique_lock lock(gate.mutex);
        gate.changed.wait(lock, [] { return gate.held; });
        return service;
    }();
    return *model;
}

void ask(uint8_t which, const std::shared_ptr<Exchange>& exchange) {
    static ResponseStore store;
    ModelService& model = busy_model();
    switch (which % 11) {
        case 0:
            return chat_completions(model, exchange, "asker");
        case 1:
            return completions(model, exchange, "asker");
        case 2:
            return embeddings(model, exchange, "asker");
        case 3:
            return responses(model, store, exchange, "asker");
        case 4:
            return messages(model, store, exchange, "asker");
        case 5:
            return count_tokens(model, store, *exchange);
        case 6:
            return ollama_chat(model, exchange, "asker");
        case 7:
            return ollama_generate(model, exchange, "asker");
        case 8:
            return tokenize(model, *exchange);
        case 9:
            return detokenize(model, *exchange);
        default:
            return apply_template(model, *exchange);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    HttpRequest request;
    request.method = "POST";
    request.body.assign(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto exchange = std::make_shared<Exchange>(std::move(request));
    try {
        ask(data[0], exchange);
    } catch (const ApiError& e) {
        for (const ApiFamily family : {ApiFamily::openai, ApiFamily::anthropic, ApiFamily::ollama})
            if (error_json(family, e).size() > 10'000) std::abort();  // an error does not repeat the request
        if (e.status() < 400 || e.status() == 500 || std::string(e.what()).empty()) std::abort();
    } catch (const Error& e) {
        if (ApiError::from(e.code(), e.what()).status() == 500) std::abort();
    }
    return 0;
}
