// Any bytes as a GBNF grammar and a text to follow it: the first line of the input is the text, the rest the
// grammar. Whatever they are, the outcome is an Error or a parse that can go back to where it was, and a text
// that was accepted can be completed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "sluice/error.h"

#include "text/grammar/gbnf.h"
#include "text/grammar/parse.h"

namespace {

void follow(sluice::Parse& parse, std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
        const std::string before = parse.fingerprint();
        if (parse.work() > 2'000'000) return;
        if (!parse.advance(uint8_t(text[i]))) {
            if (parse.fingerprint() != before) std::abort();
            continue;
        }
        if (!parse.complete() && parse.exhausted()) std::abort();  // a dead end
        if (i % 3 == 0) {
            parse.back();
            if (parse.fingerprint() != before) std::abort();
            if (!parse.advance(uint8_t(text[i]))) std::abort();
        }
        if (i % 5 == 0) parse.forget_past();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t line = std::min(input.find('\n'), input.size());
    try {
        const auto automaton = std::make_shared<const sluice::Automaton>(
            sluice::parse_gbnf(input.substr(std::min(line + 1, size))));
        for (const auto start : {sluice::GrammarStart::answer, sluice::GrammarStart::may_think}) {
            sluice::Parse parse(automaton, start);
            follow(parse, input.substr(0, line));
        }
    } catch (const sluice::Error&) {
        // what a hostile grammar deserves
    }
    return 0;
}
