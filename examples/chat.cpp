// Asks a model one question and streams its answer:  example_chat MODEL.gguf "What is 12+30?"
#include <cstdio>
#include <iostream>

#include "sluice/sluice.h"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: example_chat MODEL.gguf QUESTION\n";
        return 2;
    }
    try {
        const sluice::Engine engine = sluice::Engine::open(argv[1]);
        const sluice::Prompt prompt = engine.render({.messages = {{.role = "user", .content = argv[2]}}});

        sluice::Session session(engine, {.kv_type = sluice::KvType::f16});
        session.prefill(prompt.tokens);

        sluice::GenerateOptions options;
        options.sampling = engine.recommended_sampling();
        options.sampling.temperature = 0;  // greedy: the same answer every time
        options.max_tokens = 500;
        const sluice::Generated answer = session.generate(options, [](std::string_view text) {
            std::cout << text << std::flush;
            return true;  // false would stop
        });

        const sluice::SessionStats stats = session.stats();
        std::fprintf(stderr, "\n%zu tokens, %.0f per second, stopped at: %s\n", answer.tokens.size(),
                     stats.decode_tokens_per_second(), std::string(to_string(answer.reason)).c_str());
    } catch (const sluice::Error& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
