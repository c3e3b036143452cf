// Any bytes as a JSON schema. Whatever it is, the outcome is an Error or a grammar whose texts are JSON, and
// whose masks over a small vocabulary are those of trying each token.
#include "text/grammar/json_schema.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "sluice/error.h"

#include "text/grammar/constraint.h"

namespace {

using namespace sluice;

std::shared_ptr<const Vocabulary> vocabulary() {
    static const auto all = [] {
        std::vector<std::string> bytes;
        for (int b = 0; b < 255; ++b) bytes.emplace_back(1, char(b));
        for (const char* t : {"\",\"", "\":", "{\"", "\"}", "}}", "]}", "],[", "12", "1,", ", ", "true",
                              "null", "é\"", " \n", "aaaa"})
            bytes.emplace_back(t);
        bytes.emplace_back("end");
        const TokenId end = TokenId(bytes.size() - 1);
        return std::make_shared<const Vocabulary>(std::move(bytes), std::vector<TokenId>{end});
    }();
    return all;
}

void compare_masks(const Constraint& constraint, Parse& parse) {
    const auto mask = constraint.mask(parse);
    const size_t depth = parse.depth();
    for (size_t i = 0; i < constraint.vocabulary().size(); ++i) {
        const TokenId id = TokenId(i);
        const bool can = constraint.vocabulary().is_end(id)
                             ? parse.complete()
                             : parse.advance(constraint.vocabulary().bytes(id));
        parse.back_to(depth);
        if (can != mask->test(id)) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size > 4096) return 0;
    try {
        const Constraint constraint(parse_json_schema({reinterpret_cast<const char*>(data), size}),
                                    vocabulary());
        std::mt19937_64 random(size);
        Parse parse(constraint.automaton(), GrammarStart::answer);
        std::string text;
        while (text.size() < 300 && parse.work() < 1'000'000) {
            if (text.size() % 16 == 0) compare_masks(constraint, parse);
            if (parse.complete()) {
                if (!nlohmann::json::accept(text)) std::abort();
                if (parse.exhausted()) return 0;
            } else if (parse.exhausted()) {
                std::abort();  // a dead end
            }
            const auto next = parse.first_bytes();
            uint8_t byte = uint8_t(random());
            while (!next[byte]) ++byte;
            if (!parse.advance(byte)) std::abort();
            text += char(byte);
            parse.forget_past();
        }
    } catch (const Error&) {
        // what a hostile schema deserves
    }
    return 0;
}
